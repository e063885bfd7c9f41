import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Scenario } from "../src/scenario/scenario.ts";
import { bundledScenarios, load, loadBundled, playInModel } from "./model-machine.ts";

const CORPUS = bundledScenarios().filter((name) => name.startsWith("bugs/"));

interface Fixed {
  readonly scenario: string;
  /** Values that take the bug away. */
  readonly set: readonly string[];
  /** What holds at the end then, as a scenario's `expect`. */
  readonly expect?: string;
}

const fixed = (scenario: string, set: string | readonly string[], holds = "machine: running"): Fixed => ({
  scenario,
  set: typeof set === "string" ? [set] : set,
  expect: holds,
});

// That each scenario shows its bug is played with all bundled ones. Here: the same steps without it.
const ROWS: readonly Fixed[] = [
  fixed("B01-accept-under-lock", "guest.revert=[]", "virtualTime: '< 2s'"),
  fixed("B05-table-not-mapped", "guest.revert=[]"),
  fixed("B06-vmcore-reads-unaccepted", "guest.revert=[]"),
  fixed("B10-trylock-accepts", "guest.kernel=7.3", "change: {nr_unaccepted: 0}"),
  fixed("B12-kexec-destination", "guest.revert=[]"),
  fixed("B13-table-reserved-short", "guest.revert=[]"),
  fixed("B14-guard-of-a-part-page", "guest.revert=[]"),
  fixed("B15-zeropad-into-shared", "guest.revert=[]"),
  fixed("B15-zeropad-into-shared", "vmm.sharedMiss=exit"),
  ...[1, 2, 3, 4].map((seed) => fixed("B16-touched-while-converted", ["guest.revert=[]", `seed=${seed}`])),
  fixed("B17-shared-over-kexec", "guest.revert=[]"),
  fixed("B18-never-accepted", "guest.design=bitmaps"),
  fixed("B19-replug-fails", "vmm.pageRelease=true"),
  fixed(
    "B21-isolation-does-not-accept",
    "guest.revert=[]",
    "blocks: {states: [{block: 48, state: offline}]}",
  ),
  fixed("B22-srat-entry-below-a-unit", "machine.firmware.srat=generated", "bitmap: {sizeBytes: 640}"),
  fixed("B24-no-table-below-4g", "guest.design=bitmaps"),
  fixed("B30-version-dropped", "guest.design=none"),
  fixed("B31-odd-sub-block-busy", "guest.accept=eager", "range: {at: 0x180200000, size: 2M, plugged: false}"),
  fixed("B33-guard-gap-at-plug", "guest.accept=eager"),
  fixed("B19-replug-fails", "guest.design=tide"),
  fixed("B31-odd-sub-block-busy", "guest.design=tide", "device: {id: vm0, plugged: 2M}"),
  fixed("B33-guard-gap-at-plug", "guest.design=tide"),
  fixed(
    "B34-offline-accepts-all",
    "guest.design=tide",
    "range: {at: 6G, size: 512M, plugged: false, accepted: false}",
  ),
  fixed("P04-bring-up-accepts-all", "guest.revert=[B8]", "Unaccepted: '> 29G'"),
  fixed("P10-freed-while-shared", "faults=[]"),
  fixed("../notifier-sub-blocks", "guest.design=callbacks"),
  fixed("../notifier-stale", "guest.design=tide"),
  fixed("P14-wbinvd-after-remove", "faults=[]", "device: {id: vm0, plugged: 0}"),
  fixed("P18-partial-accept", "faults=[]", "range: {at: 6G, size: 128M, accepted: true, online: true}"),
  fixed("P18-partial-release", "faults=[]", "device: {id: vm0, plugged: 0}"),
];

/** The same machine and steps, with nothing expected on the way. */
const withoutExpectations = (scenario: Scenario, holds: string): Scenario => ({
  ...scenario,
  steps: scenario.steps.filter(({ kind }) => kind !== "expect"),
  expect: load(
    `name: e\nmachine: {memory: 4G, virtioMem: [{id: vm0, size: 1G}]}\nsteps: [boot]\nexpect: {${holds}}\n`,
  ).expect,
  mustBreak: [],
});

/** What is wrong even without the bug: hazards of the design itself, which have a scenario of their own. */
const HAZARDS: { readonly [scenario: string]: readonly string[] } = {
  // Adding a memory block marks all of it as plugged, the guard goes beyond what is, and the sub-block that stays loses
  // its own guard.
  "B31-odd-sub-block-busy": ["I2", "I10", "I11", "I15"],
  // RFC v1 knows no guards: what lies above the last plugged sub-block is mapped and not accepted.
  "../notifier-sub-blocks": ["I10"],
};

describe("without its bug the scenario runs to its end", () => {
  it.each(ROWS)("$scenario with $set", async ({ scenario, set, expect: holds = "" }) => {
    const played = await playInModel(withoutExpectations(loadBundled(`bugs/${scenario}`, set), holds));
    const { violations, expectations } = played.report;
    const hazards = HAZARDS[scenario] ?? [];
    expect({
      broken: [...new Set(violations.map(({ invariant }) => invariant))].filter(
        (id) => !hazards.includes(id),
      ),
      unmet: expectations.filter(({ held }) => !held).map(({ what, found }) => `${what}: ${found}`),
    }).toEqual({ broken: [], unmet: [] });
  });
});

describe("docs/bugs.md", () => {
  const text = readFileSync(join(resolve(import.meta.dirname, ".."), "docs", "bugs.md"), "utf8");

  it("names every scenario of the corpus", () => {
    const names = CORPUS.map((name) => name.slice("bugs/".length));
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
  it("speaks of every bug, shown or not", () => {
    const ids = Array.from({ length: 36 }, (_, n) => `B${n + 1}`);
    const reports = Array.from({ length: 18 }, (_, n) => `P${n + 1}`);
    expect([...ids, ...reports].filter((id) => !new RegExp(`^\\| ${id} \\|`, "m").test(text))).toEqual([]);
  });
  it("names a scenario or says why there is none, bug by bug", () => {
    const rows = [...text.matchAll(/^\| ([BP]\d+) \| [^|]+ \| ([^|]+) \|/gm)];
    expect(rows.length).toBe(36 + 18);
    const names = bundledScenarios().map((name) => name.slice(name.lastIndexOf("/") + 1));
    const bare = rows.filter(
      ([, , place = ""]) => !place.startsWith("none: ") && !names.some((name) => place.includes(name)),
    );
    expect(bare.map(([, id]) => id)).toEqual([]);
  });
  it("names only scenarios that there are", () => {
    const named = [...text.matchAll(/`((?:B|P)\d\d-[a-z0-9-]+)`/g)].map(([, name]) => `bugs/${name}`);
    expect(named.filter((name) => !CORPUS.includes(name))).toEqual([]);
  });
});
