import { describe, expect, it } from "vitest";
import {
  FAULT_CALLS,
  type FaultCall,
  isCreationCall,
  isHostCall,
} from "../src/machine/faults/fault-calls.ts";
import { load, playInModel } from "./model-machine.ts";

const wait = (plugged: string): string =>
  `wait: {for: {device: {id: vm0, plugged: ${plugged}}}, timeout: 20m}`;
const GROW = ["resize: {device: vm0, to: 256M}", wait("256M")];
const SHRINK = ["resize: {device: vm0, to: 0}", wait("0")];
const DIMM = ["plug: {dimm: d0, size: 128M}", "unplug: {dimm: d0}"];

interface Place {
  readonly steps: readonly string[];
  readonly set?: readonly string[];
  /** What has to go wrong before, so that the call is made. */
  readonly before?: string;
  readonly machine?: string;
}

const EVERYWHERE: Place = { steps: ["boot", ...GROW, ...SHRINK, ...DIMM] };
const ON_SNP: Place = {
  steps: ["boot", ...GROW, ...SHRINK],
  set: ["platform=snp", "guest.design=tide", "vmm.discard=both"],
};

const HOST: Place = {
  machine:
    "{memory: 512M, host: {memory: [{at: 0, size: 2G}, {at: 4G, size: 4G}], extensions: {pages: 1200}}}",
  steps: ["host: enable"],
};
/** A host that pays for the metadata of small pages when a TD has them. */
const SMALL_PAGES: Place = {
  machine:
    "{memory: 512M, firmware: {unaccepted: [{at: 128M, size: 384M}]}, virtioMem: [{id: vm0, size: 1G}], host: {memory: [{at: 0, size: 2G}, {at: 4G, size: 4G}], dynamicPamt: true}}",
  // The odd 2 MiB of a chunk are accepted as they come, and given back as they go.
  steps: ["host: enable", "boot", "resize: {device: vm0, to: 6M}", wait("6M"), ...SHRINK],
  set: ["guest.design=tide", "vmm.augSize=4K", "vmm.discard=both"],
};

/** A kernel that counts zones with unaccepted memory by a static key. */
const COUNTED_BY_KEY: Place = { ...EVERYWHERE, set: ["guest.revert=[B9]"] };

/** Where a call is made that the usual machine does not make. */
const PLACES: { readonly [call: string]: Place } = {
  MapGPA: {
    steps: ["boot", ...GROW, ...SHRINK],
    set: ["guest.design=tide", "guest.accept=eager", "vmm.pageRelease=false"],
  },
  // An accept of 2 MiB that does not fit is done again in 4 KiB, inside a mapping of 2 MiB.
  "TDH.MEM.PAGE.DEMOTE": {
    steps: ["boot", ...GROW],
    before: "TDG.MEM.PAGE.ACCEPT at 2 answers PAGE_SIZE_MISMATCH(level 1)",
  },
  "CPU access": { steps: ["boot", "allocate: {name: heap, size: 4M}"] },
  "virtio-mem UNPLUG_ALL": { steps: ["boot", ...GROW, "kexec", wait("256M")] },
  "virtio-mem STATE": {
    steps: ["boot", "resize: {device: vm0, to: 320M}", "crash"],
    set: ["guest.design=tide", "guest.autoOnline=online"],
  },
  // A conversion that fails is undone: the module is asked what is not accepted by then.
  "TDG.MEM.PAGE.ATTR.RD": {
    steps: ["boot", ...GROW, ...SHRINK],
    set: ["guest.design=tide", "guest.accept=eager", "vmm.pageRelease=false"],
    before: "MapGPA at 1 answers INVALID_OPERAND",
  },
  static_branch_inc: COUNTED_BY_KEY,
  static_branch_dec: COUNTED_BY_KEY,
  "VMGEXIT MSR protocol": {
    ...ON_SNP,
    set: [...ON_SNP.set!, "machine.firmware={unaccepted: [{at: 4G, size: 1M}]}"],
  },
  PSMASH: { ...ON_SNP, before: "PVALIDATE at 5 answers FAIL_SIZEMISMATCH" },
  "TDH.PHYMEM.PAMT.ADD": SMALL_PAGES,
  "TDH.PHYMEM.PAMT.REMOVE": SMALL_PAGES,
  "host allocation of private memory": { ...HOST, steps: ["host: enable", "host: {privateMemory: 1G}"] },
};

const placeOf = (call: FaultCall): Place => {
  const { [call.name]: place } = PLACES;
  if (place !== undefined) return place;
  if (isHostCall(call)) return HOST;
  if (isCreationCall(call)) return { steps: ["boot"] };
  return call.boundary === "snp" ? ON_SNP : EVERYWHERE;
};

const FATES = ["running", "panicked", "killed", "hung", "off"];

/** Plays the place of a call with one fault more. */
const outcome = async (call: FaultCall, fault: string) => {
  const { steps, set = [], before, machine } = placeOf(call);
  const faults = [...(before === undefined ? [] : [before]), fault];
  const text = `name: every
machine: ${machine ?? "{memory: 4G, slots: 1, maxmem: 8G, virtioMem: [{id: vm0, size: 1G}]}"}
guest: {design: bitmaps, autoOnline: online_movable}
faults: ${JSON.stringify(faults)}
steps:
${steps.map((step) => `  - ${step}`).join("\n")}
`;
  const rows: string[] = [];
  const { report } = await playInModel(load(text, set), ({ actor, what, stateAfter }) => {
    if (actor === "fault") rows.push(`${what} ${stateAfter}`);
  });
  const record = report.faults.at(-1)!;
  return { rows: rows.filter((row) => row.startsWith(`${call.name} `)), struck: record.struck, report };
};

/** Every answer of every call, one by one; `late` where the call may be. */
const ROWS = FAULT_CALLS.flatMap((call) => {
  const kinds = [...call.answers.keys()].map((answer) => [call, `answers ${answer}`] as const);
  return isHostCall(call) || isCreationCall(call) ? kinds : [...kinds, [call, "is late by 2ms"] as const];
}).map(([call, kind]) => ({ call, name: call.name, kind }));

describe("every call that can fail fails in every way that it can, and the machine comes to an end that it can tell", () => {
  it.each(ROWS)("$name $kind", async ({ call, kind }) => {
    const { rows, struck, report } = await outcome(call, `${call.name} at 1 ${kind}`);
    expect([struck, rows]).toEqual([1, [`${call.name} call 1`]]);
    expect(FATES).toContain(report.fate.state);
    expect(["held", "failed", "broken"]).toContain(report.verdict);
    // Whoever did not survive says why.
    if (!["running", "off"].includes(report.fate.state)) expect(report.fate.why).not.toBe("");
  });
});

it("what a kernel has to live with it lives with", async () => {
  const survivable = FAULT_CALLS.flatMap((call) => call.survivable.map((answer) => ({ call, answer })));
  expect(survivable.length).toBeGreaterThan(20);
  for (const { call, answer } of survivable) {
    const { report } = await outcome(call, `${call.name} at 1 answers ${answer}`);
    const alive = isHostCall(call) ? "off" : "running";
    expect([call.name, answer, report.fate.state]).toEqual([call.name, answer, alive]);
  }
});
