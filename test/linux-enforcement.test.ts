import { describe, expect, it } from "vitest";
import { none } from "../src/designs/none.ts";
import { RangeSet } from "../src/lab/enforce/range-set.ts";
import { LabSession } from "../src/lab/session/lab-session.ts";
import { findLabTools } from "../src/lab/session/lab-tools.ts";
import { realKernels } from "../src/lab/testing/real-kernel.ts";
import { LinuxWorld, type LinuxWorldOptions } from "../src/lab/world/linux-world.ts";
import { machineConfigOf } from "../src/scenario/model/model-config.ts";
import { play } from "../src/scenario/player.ts";
import type { RunReport } from "../src/scenario/report.ts";
import { GIB, MIB } from "../src/units.ts";
import { LAB_NEEDS, LAB_READY } from "./linux-lab.ts";
import { load, loadBundled } from "./model-machine.ts";

/** An emulated guest on a busy machine takes its time. One that hangs is told of long before. */
const PATIENCE = { timeout: 1_200_000 };

/** A stock kernel uses 128 MiB at 4 GiB that nobody accepted. */
const STOCK = `
name: stock
title: a DIMM that nobody accepts
machine: {memory: 1G, slots: 1, maxmem: 2G, firmware: {unaccepted: all}}
guest: {kernel: 6.12, accept: lazy, design: none, autoOnline: online_movable}
steps:
  - boot
  - plug: {dimm: d0, size: 128M}
  - allocate: {name: heap, size: 500M}
  - touch: {name: heap}
`;
const DIMM = { start: 4 * GIB, end: 4 * GIB + 128 * MIB };

const playWith = async (scenario: ReturnType<typeof load>, options: LinuxWorldOptions): Promise<RunReport> =>
  (await play(scenario, new LinuxWorld(options), { version: "test" })).report;

/** Bytes that the violations of an invariant cover, as few ranges. */
const covered = ({ violations }: RunReport, invariant: string) => {
  const set = new RangeSet();
  for (const violation of violations)
    if (violation.invariant === invariant) set.add(violation.range!.start, violation.range!.end);
  return set.ranges;
};
const inDimm = ({ start, end }: { start: number; end: number }): boolean =>
  DIMM.start <= start && end <= DIMM.end;

describe.skipIf(!LAB_READY)(`enforcement${LAB_NEEDS}`, () => {
  it(
    "with report each unit is told of once, with who touched it, and the guest goes on",
    PATIENCE,
    async () => {
      const report = await playWith(load(STOCK), { onViolation: "report" });
      expect([report.verdict, report.fate.state]).toEqual(["broken", "running"]);
      expect(report.played.map(({ what, status, detail }) => `${what}: ${status}${detail}`)).toEqual([
        "boot: SUCCESS",
        "plug d0 128M: SUCCESS",
        "allocate heap 500M: SUCCESS",
        "write heap: SUCCESS",
      ]);
      // Each access is told of where it was, and nothing else with it.
      expect(report.violations.filter(({ range }) => range!.end - range!.start > 2 * MIB)).toEqual([]);
      const units = report.violations.map(({ range }) => Math.floor(range!.start / (2 * MIB)));
      const again = report.violations.filter((_, at) => units.indexOf(units[at]!) !== at);
      expect(again).toEqual([]);
      // The DIMM is the movable memory, which files of a tmpfs take first: nearly all of its 64 units.
      expect(units.length).toBeGreaterThan(60);
      for (const { invariant, range, why } of report.violations) {
        expect([invariant, inDimm(range!)]).toEqual(["I1", true]);
        expect(why).toMatch(
          /^touched by \w+\+0x[0-9a-f]+: plugged, its secure-EPT entry is (FREE|PENDING) \(/,
        );
      }
    },
  );

  it(
    "with accept plugged memory is accepted for the guest as it touches it, and is told of",
    PATIENCE,
    async () => {
      const ends = "expect: {range: {at: 4G, size: 120M, accepted: true}}\n";
      const report = await playWith(load(STOCK + ends), { onViolation: "accept" });
      expect([report.verdict, report.fate.state]).toEqual(["broken", "running"]);
      expect(report.expectations.filter(({ held }) => !held)).toEqual([]);
      expect(report.violations.length).toBeGreaterThan(60);
      expect(covered(report, "I1").every(inDimm)).toBe(true);
    },
  );

  it(
    "boot memory that nobody accepted is told of page by page, by who meant to touch it",
    PATIENCE,
    async () => {
      // Far from either end of what firmware leaves unaccepted: a kernel takes its memory there. And it must not lie
      // there itself: KASLR puts it above 4 GiB too, and then these pages are its text, accepted and read-only.
      const scenario = load(
        "{name: boot-memory, title: boot memory, machine: {memory: 4G, vcpus: 2}, guest: {kernel: 6.12, design: none}, " +
          "steps: [boot, {touch: {gpa: 0x140003008}}, {touch: {gpa: 0x140205ff8, kind: read}}]}",
      );
      const report = await playWith(scenario, { onViolation: "report", append: "nokaslr" });
      expect([report.verdict, report.fate.state]).toEqual(["broken", "running"]);
      expect(report.violations.map(({ invariant, range }) => ({ invariant, range }))).toEqual(
        [0x1_4000_3000, 0x1_4020_5000].map((start) => ({
          invariant: "I1",
          range: { start, end: start + 4096 },
        })),
      );
      for (const { why } of report.violations)
        expect(why).toMatch(
          /^touched by mem\w+\+0x[0-9a-f]+: plugged, its secure-EPT entry is FREE \(do_syscall_64/,
        );
    },
  );

  it("the kernel's own text is read, and a write to it is refused and not an oops", PATIENCE, async () => {
    const scenario = load(
      "{name: text, title: text, machine: {memory: 1G}, guest: {kernel: 6.12, design: none}, steps: [boot, " +
        "{touch: {gpa: 0x1000000}}, {expect: {status: -EACCES}}, {touch: {gpa: 0x1000000, kind: read}}]}",
    );
    const report = await playWith(scenario, { append: "nokaslr" });
    expect([report.verdict, report.fate.state]).toEqual(["held", "running"]);
    expect(report.played.map(({ detail }) => detail)[1]).toContain("0x1000000 is Kernel code");
    expect(report.dmesg.filter((line) => line.includes("BUG:"))).toEqual([]);
  });

  it(
    "accepting boot memory stops the guest a few times until its direct mapping is made, and not after",
    PATIENCE,
    async () => {
      const scenario = load(
        "{name: boot, title: boot, machine: {memory: 4G}, guest: {kernel: 6.12, design: none}, steps: [boot]}",
      );
      const plan = {
        config: machineConfigOf(scenario),
        design: none,
        ...(await findLabTools({
          image: realKernels().find(({ release }) => release.startsWith("6.12."))!.image,
        })),
      };
      const session = await LabSession.prepare({
        ...plan,
        // KASLR may put the kernel above 4 GiB, into the memory that it has to accept.
        append: "nokaslr",
        enforcement: "exact",
        onViolation: "stop",
      });
      try {
        expect(await session.boot()).toBe(true);
        expect(session.td.loop.served).toBeGreaterThan(200);
        expect(session.td.control.stops.works).toBeLessThan(10);
        expect(await session.enforcer.audit()).toEqual([]);
      } finally {
        await session.close();
      }
    },
  );

  it("the audit finds at the end what a stock kernel used and nobody accepted", PATIENCE, async () => {
    const report = await playWith(load(STOCK), { enforcement: "audit" });
    expect([report.verdict, report.fate.state]).toEqual(["broken", "running"]);
    const pages = covered(report, "I1");
    expect(pages.every(inDimm)).toBe(true);
    expect(pages.reduce((sum, { start, end }) => sum + end - start, 0)).toBeGreaterThan(100 * MIB);
  });

  it(
    "the audit follows a guest through kexec and finds nothing where nothing is wrong",
    PATIENCE,
    async () => {
      const report = await playWith(loadBundled("linux-kexec/kexec-plain"), { enforcement: "audit" });
      expect({ verdict: report.verdict, violations: report.violations }).toEqual({
        verdict: "held",
        violations: [],
      });
    },
  );

  it("the audit sees what kexec copies to memory that nobody accepted (B12)", PATIENCE, async () => {
    const scenario = loadBundled("linux-kexec/B12-unaccepted-destination");
    const report = await playWith(scenario, { enforcement: "audit", onViolation: "report" });
    expect(report.fate.state).toBe("running");
    expect(covered(report, "I41")).not.toEqual([]);
    expect(covered(report, "I1")).toEqual(covered(report, "I41"));
  });
});
