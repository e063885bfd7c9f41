import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { FAULT_CALLS } from "../src/machine/faults/fault-calls.ts";
import { load, playInModel } from "./model-machine.ts";

/** A virtio-mem device and a DIMM come and go under faults. */
const withFaults = (faults: string, steps: readonly string[] = GROW_AND_SHRINK): string => `
name: faults
machine: {memory: 4G, slots: 1, maxmem: 8G, virtioMem: [{id: vm0, size: 1G}]}
guest: {design: bitmaps, autoOnline: online_movable}
faults: ${faults}
steps:
  - boot
${steps.map((step) => `  - ${step}`).join("\n")}
`;
const GROW = "wait: {for: {device: {id: vm0, plugged: 256M}}, timeout: 60m}";
const GONE = "wait: {for: {device: {id: vm0, plugged: 0}}, timeout: 60m}";
const GROW_AND_SHRINK = [
  "resize: {device: vm0, to: 256M}",
  GROW,
  "resize: {device: vm0, to: 0}",
  GONE,
  "plug: {dimm: d0, size: 128M}",
  "unplug: {dimm: d0}",
];

const outcome = async (faults: string, steps?: readonly string[]) => {
  const rows: string[] = [];
  const { report } = await playInModel(load(withFaults(faults, steps)), (event) => {
    if (event.actor === "fault") rows.push(`${event.what} ${event.status} ${event.stateAfter}`);
  });
  const unmet = report.expectations.filter(({ held }) => !held).map(({ what, found }) => `${what}: ${found}`);
  return { report, rows, unmet };
};

describe("a fault by name and count strikes that call, shows in the trace, and the machine goes on", () => {
  const cases: readonly (readonly [fault: string, row: string])[] = [
    ["TDG.MEM.PAGE.ACCEPT at 7 is interrupted after 100", "TDG.MEM.PAGE.ACCEPT INTERRUPTED call 7"],
    ["TDG.MEM.PAGE.ACCEPT at 20 answers OPERAND_BUSY", "TDG.MEM.PAGE.ACCEPT OPERAND_BUSY(RCX) call 20"],
    [
      "TDH.MEM.PAGE.AUG at 3 answers OPERAND_BUSY(SEPT_TREE)",
      "TDH.MEM.PAGE.AUG OPERAND_BUSY(SEPT_TREE) call 3",
    ],
    ["TDH.MEM.SEPT.ADD at 1 answers OPERAND_BUSY", "TDH.MEM.SEPT.ADD OPERAND_BUSY(RCX) call 1"],
    ["TDH.MEM.RANGE.BLOCK at 2 answers OPERAND_BUSY", "TDH.MEM.RANGE.BLOCK OPERAND_BUSY(RCX) call 2"],
    ["TDH.MEM.TRACK at 1 answers PREVIOUS_TLB_EPOCH_BUSY", "TDH.MEM.TRACK PREVIOUS_TLB_EPOCH_BUSY call 1"],
    [
      "TDH.MEM.PAGE.REMOVE at 1 answers TLB_TRACKING_NOT_DONE",
      "TDH.MEM.PAGE.REMOVE TLB_TRACKING_NOT_DONE(RCX) call 1",
    ],
    ["TDH.PHYMEM.PAGE.WBINVD at 1 answers OPERAND_BUSY", "TDH.PHYMEM.PAGE.WBINVD OPERAND_BUSY(RCX) call 1"],
    ["TDH.VP.ENTER at 3 answers OPERAND_BUSY", "TDH.VP.ENTER OPERAND_BUSY(RCX) call 3"],
    ["TDG.VM.RD at 1 is late by 3ms", "TDG.VM.RD late call 1"],
    ["vm0 PLUG at 1 answers BUSY", "virtio-mem PLUG BUSY call 1"],
    ["virtio-mem PLUG at 1 answers NACK", "virtio-mem PLUG NACK call 1"],
    ["virtio-mem UNPLUG at 2 is late by 5s", "virtio-mem UNPLUG late call 2"],
    ["ACPI _OST at 1 answers IGNORED", "ACPI _OST IGNORED call 1"],
    ["ACPI _EJ0 at 1 answers IGNORED", "ACPI _EJ0 IGNORED call 1"],
    ["ACPI _CRS at 1 answers EMPTY", "ACPI _CRS EMPTY call 1"],
    ["ACPI _STA at 4 answers PRESENT", "ACPI _STA PRESENT call 4"],
    ["arch_add_memory at 1 answers -ENOMEM", "arch_add_memory -ENOMEM call 1"],
    ["register_memory_resource at 2 answers -ENOMEM", "register_memory_resource -ENOMEM call 2"],
    ["create_memory_block_devices at 1 answers -ENOMEM", "create_memory_block_devices -ENOMEM call 1"],
  ];
  it.each(cases)("%s", async (fault, row) => {
    const { report, rows, unmet } = await outcome(`[${JSON.stringify(fault)}]`);
    expect({ rows, unmet, fate: report.fate.state }).toEqual({ rows: [row], unmet: [], fate: "running" });
    expect(report.violations).toEqual([]);
    expect(report.faults[0]).toMatchObject({ struck: 1 });
  });
});

it("a MapGPA that is to be tried again is tried again", async () => {
  const text = withFaults('["MapGPA at 1 answers RETRY"]', [
    "resize: {device: vm0, to: 128M}",
    "resize: {device: vm0, to: 0}",
    GONE,
  ]);
  // Without PAGE_RELEASE this design gives memory back by converting it; eager, so that there is some to give back.
  const sets = ["guest.design=tide", "vmm.pageRelease=false", "guest.accept=eager"];
  const { report } = await playInModel(load(text, sets));
  expect([report.faults[0]!.struck, report.verdict]).toEqual([1, "held"]);
});

it("a veto against going offline leaves the last unit of the block below without its guard", async () => {
  const { report, rows } = await outcome('["MEM_GOING_OFFLINE at 1 answers -EPERM"]');
  expect(rows).toEqual(["MEM_GOING_OFFLINE -EPERM call 1"]);
  expect(report.violations.map(({ invariant }) => invariant)).toEqual(["I10"]);
});

it("an interrupted accept keeps its progress and takes up where it was", async () => {
  const steps: string[] = [];
  const scenario = load(withFaults('["TDG.MEM.PAGE.ACCEPT at 2 is interrupted after 500"]', []));
  await playInModel(scenario, ({ what, start, status, stateAfter }) => {
    if (what === "TDG.MEM.PAGE.ACCEPT 2M") steps.push(`${start} ${status} ${stateAfter}`);
  });
  const interrupted = steps.findIndex((step) => step.includes("INTERRUPTED"));
  const page = steps[interrupted]!.split(" ")[0];
  expect(steps.slice(interrupted, interrupted + 2)).toEqual([
    `${page} INTERRUPTED PENDING`,
    `${page} SUCCESS MAPPED`,
  ]);
});

it("an accept is interrupted as often as it can be and still comes to its end", async () => {
  // Each strike draws how far the accept gets, at least one chunk of 512; the last chunk cannot be interrupted.
  const faults = "[{call: TDG.MEM.PAGE.ACCEPT, at: 1, times: 2000, answer: INTERRUPTED}]";
  const { report } = await outcome(faults, []);
  expect([report.fate.state, report.violations]).toEqual(["running", []]);
  expect(report.faults[0]!.struck).toBeGreaterThan(100);
});

it("a fault that the guest does not survive is its end, by its own words", async () => {
  const { report } = await outcome(
    "[{call: TDG.MEM.PAGE.ACCEPT, at: 5, times: 3, answer: OPERAND_INVALID}]",
    [],
  );
  expect([report.fate.state, report.fate.why]).toEqual([
    "panicked",
    "Kernel panic - not syncing: TDX: Failed to accept memory",
  ]);
  const refused = await outcome('["TDH.MEM.PAGE.AUG at 5 answers PAGE_METADATA_INCORRECT"]', []);
  expect(refused.report.fate.why).toContain("the VMM ended the TD: module refused");
});

it("a device that never answers leaves the driver waiting", async () => {
  const { report } = await outcome('["vm0 PLUG at 1 answers NO_REPLY"]', ["resize: {device: vm0, to: 256M}"]);
  expect(report.fate.state).toBe("hung");
});

it("a fault that never strikes fails the run, unless it is optional", async () => {
  const fault = "{call: TDG.MEM.PAGE.RELEASE, at: 5, answer: OPERAND_BUSY";
  const { report, unmet } = await outcome(`[${fault}}]`, []);
  expect([report.verdict, unmet]).toEqual([
    "failed",
    ["fault TDG.MEM.PAGE.RELEASE at 5 (OPERAND_BUSY(RCX)): never: 0 such calls"],
  ]);
  const { report: optional } = await outcome(`[${fault}, optional: true}]`, []);
  expect(optional.verdict).toBe("held");
});

it("a device that refuses for a reason of its own uses no fault up", async () => {
  const { report, rows } = await outcome(
    "[{call: vm0 UNPLUG, answer: BUSY, range: {at: 0x1c0000000}, optional: true}]",
    ["resize: {device: vm0, to: 256M}", GROW],
  );
  expect([rows, report.faults[0]!.seen]).toEqual([[], 0]);
});

it("counts go on over a reset", async () => {
  const { rows } = await outcome('["TDG.VP.INFO at 2 is late by 1ms"]', ["reset"]);
  expect(rows).toEqual(["TDG.VP.INFO late call 2"]);
});

describe("a swarm", () => {
  const SWARM = "{swarm: true}";
  const hashOf = async (seed: number): Promise<string> => {
    const hash = createHash("sha256");
    await playInModel(load(withFaults(SWARM), [`seed=${seed}`]), (event) => {
      hash.update(JSON.stringify(event));
    });
    return hash.digest("hex");
  };
  const SEEDS = Array.from({ length: 12 }, (_, n) => n + 1);

  it("leaves the same trace for the same seed", async () => {
    expect(await hashOf(3)).toBe(await hashOf(3));
    expect(await hashOf(3)).not.toBe(await hashOf(4));
  });
  it("draws other kinds of fault for other seeds, and never too many", async () => {
    const kinds = await Promise.all(
      SEEDS.map(async (seed) => {
        const { report } = await playInModel(load(withFaults(SWARM, []), [`seed=${seed}`]));
        return report.faults.map(({ call, answer }) => `${call} ${answer}`);
      }),
    );
    expect(new Set(kinds.map(String)).size).toBeGreaterThan(8);
    expect(new Set(kinds.flat()).size).toBeGreaterThan(15);
    for (const drawn of kinds) expect(drawn.length).toBeLessThan(FAULT_CALLS.length);
  });
  it.each(SEEDS)("of failures that software has to live with breaks nothing, seed %i", async (seed) => {
    const { report } = await playInModel(load(withFaults(SWARM), [`seed=${seed}`]));
    expect([report.fate.state, report.violations]).toEqual(["running", []]);
  });
  it("draws from the calls that it names only", async () => {
    const { report } = await playInModel(load(withFaults("{swarm: {calls: [virtio-mem PLUG]}}"), ["seed=2"]));
    expect(report.faults.filter(({ call }) => call !== "virtio-mem PLUG")).toEqual([]);
  });
});

it("without faults a scenario leaves the trace that it left before there were any", async () => {
  const trace = async (faults: string): Promise<string> => {
    const hash = createHash("sha256");
    await playInModel(load(withFaults(faults)), (event) => {
      hash.update(JSON.stringify(event));
    });
    return hash.digest("hex");
  };
  const never = "[{call: virtio-mem STATE, answer: ERROR, optional: true}]";
  expect(await trace("[]")).toBe(await trace(never));
});
