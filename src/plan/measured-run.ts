import { ModelWorld } from "../scenario/model/model-world.ts";
import { play } from "../scenario/player.ts";
import type { PlayedStep } from "../scenario/report.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { GIB } from "../units.ts";
import { type Bill, bootBill, type Counted, Counting, serialBill } from "./bill.ts";
import type { PlannedPhase } from "./planned-scenario.ts";

/** One phase of a run: a boot, or one device's plug or unplug with the wait for its end. */
export interface MeasuredPhase {
  readonly phase: PlannedPhase;
  readonly bill: Bill;
  /** SUCCESS, or how the first step that did not succeed ended. */
  readonly status: string;
  readonly detail: string;
}

/** What one run of the model world showed. */
export interface MeasuredRun {
  readonly phases: readonly MeasuredPhase[];
  /** Bytes that are free once the machine has booted. */
  readonly freeAfterBoot: number;
  /** Invariants that broke, each once, in the order of their numbers. */
  readonly broken: readonly string[];
  /** Lines of the kernel log in which the guest speaks of a failure to add memory. */
  readonly complaints: readonly string[];
  /** What was come upon that is not modelled, so that only the boot was run; empty: nothing. */
  readonly notModelled: string;
}

/** Page 0 and the hole below 1 MiB are no memory of the kernel. */
const NOT_MEMORY = 4096 + (0x10_0000 - 0xa_0000);

const memoryGiB = ({ machine }: Scenario): number => (machine.memory - NOT_MEMORY) / GIB / machine.vcpus;

/** A kernel's line of memory that could not be added, or did not come online. */
const COMPLAINT = /add_memory failed|could not add|adding memory failed|Failed to (plug|online|add)|-ENOMEM/i;

/** Waits end at a time limit where a device never gets there; the model says so in the step's status. */
const statusOf = (steps: readonly PlayedStep[]): { status: string; detail: string } => {
  const bad = steps.find(({ status }) => status !== "SUCCESS");
  return bad === undefined ? { status: "SUCCESS", detail: "" } : { status: bad.status, detail: bad.detail };
};

/** The kinds of a scenario's phases; each but the boot is an action and the wait behind it. */
const phasesOf = ({ steps }: Scenario): PlannedPhase[] => {
  const acting = steps.filter(({ kind }) => kind !== "wait" && kind !== "boot");
  return acting.map((step) =>
    step.kind === "plug" || (step.kind === "resize" && step.to > 0) ? "plug" : "unplug",
  );
};

/**
 * Plays a planned scenario in the model world, as `tidemark run` does, and takes its virtual times.
 *
 * @throws ScenarioError for a machine that no VMM would start; NotModelled
 */
export const measure = async (scenario: Scenario): Promise<MeasuredRun> => {
  const counting = new Counting();
  const counts: Counted[] = [];
  let free = 0;
  const world = new ModelWorld();
  const { report } = await play(scenario, world, {
    version: "",
    lean: true,
    onStep: (_step, index) => {
      if (index > 0) counts.push(index === 1 ? counting.takeSlowest() : counting.take());
      if (index === 1) free = freeBytes(world);
    },
    onEvent: (event) => counting.add(event),
  });
  counts.push(scenario.steps.length === 1 ? counting.takeSlowest() : counting.take());
  if (scenario.steps.length === 1) free = (report.counters["MemFree"] ?? 0) * 1024;
  const boot = bootOf(scenario, report.played[0]!, counts[0]!);
  const hasAcpi = scenario.machine.virtioMem.length === 0;
  const phases = phasesOf(scenario).map((phase, n): MeasuredPhase => {
    const steps = report.played.slice(1 + 2 * n, 3 + 2 * n);
    const ns = steps.reduce((sum, { startNs, endNs }) => sum + endNs - startNs, 0);
    const counted = sumOf(counts.slice(1 + 2 * n, 3 + 2 * n));
    return { phase, bill: serialBill(ns, counted, hasAcpi), ...statusOf(steps) };
  });
  const broken = [...new Set(report.violations.map(({ invariant }) => invariant))];
  return {
    phases: [boot, ...phases],
    freeAfterBoot: free,
    broken: broken.sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
    complaints: report.dmesg.filter((line) => COMPLAINT.test(line)),
    notModelled: "",
  };
};

const freeBytes = (world: ModelWorld): number =>
  (world.counters().find(({ name }) => name === "MemFree")?.value ?? 0) * 1024;

const bootOf = (scenario: Scenario, played: PlayedStep, did: Counted): MeasuredPhase => ({
  phase: "boot",
  bill: bootBill(played.endNs - played.startNs, memoryGiB(scenario), did),
  ...statusOf([played]),
});

const sumOf = (all: readonly Counted[]): Counted => {
  const sum: Record<string, number> = {};
  for (const counted of all)
    for (const [row, count] of Object.entries(counted)) sum[row] = (sum[row] ?? 0) + count;
  return sum;
};
