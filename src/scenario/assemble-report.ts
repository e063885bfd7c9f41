import type {
  Curves,
  Judgement,
  MapPicture,
  PlayedStep,
  ReportedViolation,
  RunReport,
  Verdict,
} from "./report.ts";
import type { Scenario } from "./scenario.ts";
import type { TranscriptSection } from "./transcript.ts";
import type { Counter, LogLine, Violation, World } from "./world.ts";

/** What the player gathered; the rest is asked of the world when all is over. */
export interface Gathered {
  readonly scenario: Scenario;
  readonly world: World;
  readonly version: string;
  readonly before: MapPicture;
  readonly after: MapPicture;
  readonly countersBefore: readonly Counter[];
  readonly judgements: readonly Judgement[];
  readonly played: readonly PlayedStep[];
  readonly transcript: readonly TranscriptSection[];
  readonly curves: Curves;
}

/** Runs a picture keeps: memory that is allocated page by page has millions. */
const MOST_RUNS = 50_000;
const MOST_VIOLATIONS = 1000;

/** The memory map as it is now. */
export const picture = async (world: World, label: string): Promise<MapPicture> => {
  const runs = await world.snapshotMap();
  const ns = await world.now();
  const leftOut = Math.max(0, runs.length - MOST_RUNS);
  return { label, ns, runs: leftOut === 0 ? runs : runs.slice(0, MOST_RUNS), leftOut };
};

export const assembleReport = async (gathered: Gathered): Promise<RunReport> => {
  const { scenario, world, played, judgements } = gathered;
  const seen = await world.violations();
  const declared = declaredBreaks(scenario);
  const violations = seen
    .slice(0, MOST_VIOLATIONS)
    .map((violation) => reportViolation(violation, declared, played));
  const unexpected = seen.some(({ invariant }) => !declared.has(invariant));
  return {
    format: "tidemark-run",
    formatVersion: 1,
    tidemark: gathered.version,
    scenario: { file: scenario.file, name: scenario.name, title: scenario.title, about: scenario.about },
    setup: setupOf(scenario),
    world: world.name,
    design: scenario.guest.design,
    seed: scenario.seed,
    verdict: verdictOf(unexpected, judgements),
    fate: await world.fate(),
    violations,
    violationsLeftOut: seen.length - violations.length,
    expectations: judgements,
    faults: (await world.faults?.()) ?? [],
    played,
    transcript: gathered.transcript,
    map: { before: gathered.before, after: gathered.after },
    counters: byName(await world.counters()),
    countersBefore: byName(gathered.countersBefore),
    curves: gathered.curves,
    dmesg: (await world.dmesg()).map(logLine),
    iomem: await world.iomem(),
    memoryBlocks: await world.blocks(),
    devices: await world.devices(),
    bitmaps: await world.bitmaps(),
    cost: { ...(await world.cost()), virtualNs: await world.now() },
    waits: (await world.waits?.()) ?? null,
  };
};

const declaredBreaks = ({ steps, expect, mustBreak }: Scenario): ReadonlySet<string> => {
  const named = [...expect, ...steps.flatMap((step) => (step.kind === "expect" ? step.expectations : []))];
  const broken = named.flatMap((expectation) =>
    expectation.kind === "broken" ? [expectation.invariant] : [],
  );
  return new Set([...mustBreak.map(({ invariant }) => invariant), ...broken]);
};

const reportViolation = (
  violation: Violation,
  declared: ReadonlySet<string>,
  played: readonly PlayedStep[],
): ReportedViolation => {
  const during = played.find(
    ({ firstStep, lastStep }) => firstStep <= violation.step && violation.step <= lastStep,
  );
  return { ...violation, line: during?.line ?? 0, expected: declared.has(violation.invariant) };
};

const verdictOf = (unexpected: boolean, judgements: readonly Judgement[]): Verdict => {
  if (unexpected) return "broken";
  return judgements.every(({ held }) => held) ? "held" : "failed";
};

const setupOf = ({ machine, guest, vmm, platform }: Scenario): RunReport["setup"] => ({
  platform,
  memory: machine.memory,
  maxmem: machine.maxmem,
  slots: machine.slots,
  vcpus: machine.vcpus,
  nodes: machine.nodes,
  kernel: guest.kernel,
  revert: guest.revert,
  accept: guest.accept,
  autoOnline: guest.autoOnline,
  memmapOnMemory: guest.memmapOnMemory,
  vmm,
});

const byName = (counters: readonly Counter[]): RunReport["counters"] =>
  Object.fromEntries(counters.map(({ name, value }) => [name, value]));

/** A line of the kernel log with its time stamp, as printk prints it. */
const logLine = ({ ns, text }: LogLine): string => {
  const us = Math.floor(ns / 1000);
  const seconds = String(Math.floor(us / 1e6)).padStart(5);
  return `[${seconds}.${String(us % 1e6).padStart(6, "0")}] ${text}`;
};
