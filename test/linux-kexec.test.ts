import { expect, it } from "vitest";
import type { OnViolation } from "../src/lab/enforce/enforcer.ts";
import { RangeSet } from "../src/lab/enforce/range-set.ts";
import { findBusybox } from "../src/lab/kernel-package/host-programs.ts";
import type { Span } from "../src/lab/span.ts";
import { qemuInstalled } from "../src/lab/testing/qemu-for-test.ts";
import { realKernels } from "../src/lab/testing/real-kernel.ts";
import { LinuxWorld } from "../src/lab/world/linux-world.ts";
import { playBoth } from "../src/scenario/lockstep/lockstep.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { play } from "../src/scenario/player.ts";
import type { RunReport } from "../src/scenario/report.ts";
import { load, loadBundled } from "./model-machine.ts";

const hasBusybox = (() => {
  try {
    return findBusybox().bytes.length > 0;
  } catch {
    return false;
  }
})();

/** Modules are for the one with a virtio-mem device. */
const kernel = realKernels().find(
  ({ release, modules }) => /^6\.12\./.test(release) && modules !== undefined,
);
const canRun = qemuInstalled && hasBusybox && kernel !== undefined;
const NEEDS = "(needs QEMU, a static busybox and a 6.12 kernel: npm run setup:lab)";
/** Two boots, emulated, on a machine that may be busy. A guest that hangs is told of long before. */
const PATIENCE_MS = 1_200_000;

const playWith = async (
  scenario: ReturnType<typeof load>,
  onViolation: OnViolation = "stop",
): Promise<RunReport> => {
  const world = new LinuxWorld({
    kernel: { image: kernel?.image, modules: kernel?.modules },
    onViolation,
  });
  return (await play(scenario, world, { version: "test" })).report;
};

/** Plays it in the model as well, which costs no boot. @returns what the linux world says, and where they differ */
const playInBoth = async (name: string) => {
  const linux = new LinuxWorld({ kernel: { image: kernel?.image, modules: kernel?.modules } });
  const both = await playBoth(loadBundled(name), { model: new ModelWorld(), linux }, { version: "test" });
  expect(both.differences).toEqual([]);
  return both.worlds.linux;
};

const resultOf = ({ verdict, expectations, violations }: RunReport): unknown => ({
  verdict,
  unmet: expectations.filter(({ held }) => !held).map(({ what, found }) => `${what}: ${found}`),
  unexpected: violations.filter((violation) => !violation.expected).map(({ why }) => why),
});
const HELD = { verdict: "held", unmet: [], unexpected: [] };

it.skipIf(!canRun)(
  `a kernel started by kexec is a TD again, accepts nothing twice, and shows what the model shows ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async () => {
    const report = await playInBoth("linux-kexec/kexec-plain");
    expect(resultOf(report)).toEqual(HELD);
    expect(report.cost.tdcalls["TDG.VP.INFO"]).toBe(2);
  },
);

it.skipIf(!canRun)(
  `after kexec the driver of a half plugged virtio-mem device unplugs all and plugs anew, as in the model ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async () => {
    const report = await playInBoth("linux-kexec/virtio-mem-half");
    expect(resultOf(report)).toEqual(HELD);
    expect(report.cost.tdcalls["TDG.MEM.PAGE.RELEASE"]).toBeGreaterThan(0);
  },
);

it.skipIf(!canRun)(
  `of two virtio-mem devices each one's UNPLUG_ALL is told apart, as in the model ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async () => {
    const report = await playInBoth("linux-kexec/unplug-all-of-two");
    expect(resultOf(report)).toEqual(HELD);
    expect(report.dmesg.filter((line) => line.includes("QEMU answers"))).toEqual([]);
    expect(report.faults[0]).toMatchObject({ struck: 1, seen: 1 });
  },
);

it.skipIf(!canRun)(
  `a crash kernel is a TD, reads all of /proc/vmcore, touches nothing unaccepted, and leaves DIMMs alone, as in the model ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async () => {
    const report = await playInBoth("linux-kexec/kdump");
    expect(resultOf(report)).toEqual(HELD);
    expect(report.played.at(-1)?.detail).toMatch(/^\/proc\/vmcore: \d+\+\d+ records out$/);
  },
);

it.skipIf(!canRun).each(["zero", "full"])(
  `kexec with a virtio-mem device plugged by %s goes as in the model ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async (plugged) => {
    const report = await playInBoth(`linux-kexec/virtio-mem-${plugged}`);
    expect(resultOf(report)).toEqual(HELD);
    expect(report.cost.tdcalls["TDG.VP.INFO"]).toBe(2);
  },
);

it.skipIf(!canRun).each(["zero", "half", "full"])(
  `a crash kernel reads all of /proc/vmcore with a virtio-mem device plugged by %s, as in the model ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async (plugged) => {
    const report = await playInBoth(`linux-kexec/kdump-virtio-mem-${plugged}`);
    expect(resultOf(report)).toEqual(HELD);
    expect(report.played.at(-1)?.detail).toMatch(/^\/proc\/vmcore: \d+\+\d+ records out$/);
  },
);

it.skipIf(!canRun)(
  `segments of a kexec that go to memory nobody accepted are told of, and end the TD (B12) ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async () => {
    const report = await playWith(loadBundled("linux-kexec/B12-unaccepted-destination"));
    expect(resultOf(report)).toEqual(HELD);
    const kernelSegment = report.violations.find(({ why }) => why.includes("(the kernel)"));
    expect(kernelSegment).toMatchObject({ invariant: "I41", expected: true });
    expect(kernelSegment!.range!.start).toBeGreaterThanOrEqual(2 ** 32);
  },
);

/** Bytes that some ranges cover, as few ranges. */
const covered = (violations: RunReport["violations"], invariant: string): readonly Span[] => {
  const set = new RangeSet();
  for (const violation of violations)
    if (violation.invariant === invariant) set.add(violation.range!.start, violation.range!.end);
  return set.ranges;
};

it.skipIf(!canRun)(
  `kexec touches exactly the pages of the destinations that were told of (B12, the guest goes on) ${NEEDS}`,
  { timeout: PATIENCE_MS },
  async () => {
    const report = await playWith(loadBundled("linux-kexec/B12-unaccepted-destination"), "report");
    expect(report.fate.state).toBe("running");
    expect(covered(report.violations, "I41")).not.toEqual([]);
    expect(covered(report.violations, "I1")).toEqual(covered(report.violations, "I41"));
  },
);

it.each(["kexec", "crash"])("a step %s has nothing beside it", (step) => {
  const text = `name: both\nmachine: {memory: 1G}\nsteps: [boot, {parallel: [${step}, {pressure: {leave: 64M}}]}]\n`;
  expect(() => load(text)).toThrow("put it before `parallel`");
});
