import type { Scenario } from "../../src/scenario/scenario.ts";
import { load } from "../model-machine.ts";
import type { Play, Search } from "./mutant.ts";

/** A bug of docs/bugs.md that can be shown, and the same machine without it. */
export interface Bug<By extends Search | Play = Search | Play> {
  readonly id: string;
  readonly shown: By;
  /** Clean: nothing breaks. For a scenario, `set` takes the bug away, and `holds` is true in the end. */
  readonly fixed: By;
}

/** What is wrong even without the bug: hazards of the design itself, which have a scenario of their own. */
const OF_THE_DESIGN: { readonly [scenario: string]: readonly string[] } = {
  // Adding a memory block marks all of it as plugged, the guard goes beyond what is, and the sub-block that stays loses
  // its own guard.
  "B31-odd-sub-block-busy": ["I2", "I10", "I11", "I15"],
  // RFC v1 knows no guards: what lies above the last plugged sub-block is mapped and not accepted.
  "../notifier-sub-blocks": ["I10"],
};

const search = (id: string, config: string, design: string, rules: readonly string[]): Bug<Search> => ({
  id,
  shown: { config, design, rules },
  fixed: { config },
});

const scenario = (
  id: string,
  name: string,
  set: string | readonly string[],
  holds = "machine: running",
): Bug<Play> => ({
  id,
  shown: { scenario: `bugs/${name}` },
  fixed: {
    scenario: `bugs/${name}`,
    set: typeof set === "string" ? [set] : set,
    holds,
    known: OF_THE_DESIGN[name] ?? [],
  },
});

/** The same machine and steps, with nothing expected on the way and `holds` in the end. */
export const withoutExpectations = (scenario: Scenario, holds: string): Scenario => ({
  ...scenario,
  steps: scenario.steps.filter(({ kind }) => kind !== "expect"),
  expect: load(
    `name: e\nmachine: {memory: 4G, virtioMem: [{id: vm0, size: 1G}]}\nsteps: [boot]\nexpect: {${holds}}\n`,
  ).expect,
  mustBreak: [],
});

/** Found by a search of the small machines; `tide` is the machine without the bug. */
export const SEARCHED_BUGS: readonly Bug<Search>[] = [
  search("B18", "grow-shrink", "none", ["I1", "I8", "I21"]),
  search("B19", "replug-no-release-kept", "callbacks", ["I3"]),
  search("B20", "grow-shrink", "notifier", ["I2"]),
  search("B33", "two-blocks", "bitmaps", ["I10"]),
];

/** Shown by a scenario: kernels that lack a fix, and machines that no small configuration is. */
export const PLAYED_BUGS: readonly Bug<Play>[] = [
  scenario("B1", "B01-accept-under-lock", "guest.revert=[]", "virtualTime: '< 2s'"),
  scenario("B1", "B01-accept-under-lock", "guest.revert=[]", "longestSpin: 0"),
  scenario("B2", "B02-touching-ranges-wait", "guest.revert=[]", "longestSpin: 0"),
  scenario("B3", "B03-interrupt-in-an-accept", "guest.revert=[]"),
  scenario("B4", "B04-watchdog-not-touched", "guest.revert=[]", "dmesg: {absent: 'soft lockup'}"),
  scenario("B5", "B05-table-not-mapped", "guest.revert=[]"),
  scenario("B6", "B06-vmcore-reads-unaccepted", "guest.revert=[]"),
  scenario("B8", "B08-out-of-memory-at-boot", "guest.revert=[]"),
  scenario("B9", "B09-static-key-raced", "guest.revert=[]", "Unaccepted: '< 800M'"),
  scenario("B10", "B10-trylock-accepts", "guest.kernel=7.3", "change: {nr_unaccepted: 0}"),
  scenario("B11", "B11-region-array-not-accepted", "guest.revert=[]"),
  scenario("B12", "B12-kexec-destination", "guest.revert=[]"),
  scenario("B13", "B13-table-reserved-short", "guest.revert=[]"),
  scenario("B14", "B14-guard-of-a-part-page", "guest.revert=[]"),
  scenario("B15", "B15-zeropad-into-shared", "guest.revert=[]"),
  scenario("B15", "B15-zeropad-into-shared", "vmm.sharedMiss=exit"),
  ...[1, 2, 3, 4].map((seed) =>
    scenario("B16", "B16-touched-while-converted", ["guest.revert=[]", `seed=${seed}`]),
  ),
  scenario("B17", "B17-shared-over-kexec", "guest.revert=[]"),
  scenario("B18", "B18-never-accepted", "guest.design=bitmaps"),
  scenario("B19", "B19-replug-fails", "vmm.pageRelease=true"),
  scenario(
    "B21",
    "B21-isolation-does-not-accept",
    "guest.revert=[]",
    "blocks: {states: [{block: 48, state: offline}]}",
  ),
  scenario(
    "B22",
    "B22-srat-entry-below-a-unit",
    "machine.firmware.srat=generated",
    "bitmap: {sizeBytes: 640}",
  ),
  scenario(
    "B23",
    "B23-release-under-lock",
    "guest.design=tide",
    "longestSpin: '< 100us', longestIrqsOff: '< 3ms'",
  ),
  scenario("B24", "B24-no-table-below-4g", "guest.design=bitmaps"),
  scenario("B30", "B30-version-dropped", "guest.design=none"),
  scenario(
    "B31",
    "B31-odd-sub-block-busy",
    "guest.accept=eager",
    "range: {at: 0x180200000, size: 2M, plugged: false}",
  ),
  scenario("B33", "B33-guard-gap-at-plug", "guest.accept=eager"),
  scenario("B19", "B19-replug-fails", "guest.design=tide"),
  scenario("B31", "B31-odd-sub-block-busy", "guest.design=tide", "device: {id: vm0, plugged: 2M}"),
  scenario("B33", "B33-guard-gap-at-plug", "guest.design=tide"),
  scenario(
    "B34",
    "B34-offline-accepts-all",
    "guest.design=tide",
    "range: {at: 6G, size: 512M, plugged: false, accepted: false}",
  ),
  scenario("P4", "P04-bring-up-accepts-all", "guest.revert=[B8]", "Unaccepted: '> 29G'"),
  scenario("P10", "P10-freed-while-shared", "faults=[]"),
  scenario("B20", "../notifier-sub-blocks", "guest.design=callbacks"),
  scenario("P16", "../notifier-stale", "guest.design=tide"),
  scenario("P12", "P12-contended-removal", "vmm.moduleBusy=again", "device: {id: vm0, plugged: 0}"),
  scenario("P14", "P14-wbinvd-after-remove", "faults=[]", "device: {id: vm0, plugged: 0}"),
  scenario(
    "P18",
    "P18-partial-accept",
    "faults=[]",
    "range: {at: 6G, size: 128M, accepted: true, online: true}",
  ),
  scenario("P18", "P18-partial-release", "faults=[]", "device: {id: vm0, plugged: 0}"),
];

/** Hazards of RFC v2 that are no bugs of the list above, and the design without them. */
export const PLAYED_HAZARDS: readonly Bug<Play>[] = [
  scenario("H1", "../zeropad-stray-accept", "guest.design=tide"),
  scenario("H1", "../worked-example", "guest.design=tide"),
  scenario("H3", "../hazards/H03-guard-gap-at-unplug", "guest.design=tide"),
  scenario("H4", "../hazards/H04-guard-left-accepted", "guest.design=tide"),
  scenario("H6", "../hazards/H06-outside-table", "guest.design=tide"),
  scenario("H10", "../hazards/H10-big-block", "guest.design=tide"),
  scenario("H12", "../hazards/H12-snp-unaccept", "guest.design=tide"),
  scenario("H16", "../kexec/device-full", "guest.design=tide"),
  scenario("H14", "../hazards/H14-guard-released-too-early", "guest.design=tide"),
  scenario("H15", "../hazards/H15-unplugged-under-an-accept", "guest.design=tide"),
];
