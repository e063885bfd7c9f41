import { NotModelled } from "../not-modelled.ts";
import { latenciesOf } from "./latency.ts";
import { play } from "./player.ts";
import { formatRange } from "./quantity.ts";
import type { RunReport, Verdict } from "./report.ts";
import type { Platform, Scenario, Step } from "./scenario.ts";
import { TextNumbers, TraceColumns } from "./trace-columns.ts";
import type { Fate, Tally, World } from "./world.ts";

/** What one design cost. Bytes, nanoseconds of virtual time, counts; null: it did not come to that. */
export interface DesignCost {
  readonly tdcalls: { readonly [leaf: string]: number };
  readonly exits: { readonly [kind: string]: number };
  readonly unpluggedAccepted: number;
  readonly acceptedForNothing: number;
  readonly peakHostMemory: number;
  readonly bootNs: number | null;
  readonly plugNs: number | null;
  readonly unplugNs: number | null;
  readonly virtualNs: number;
  readonly logLines: number;
  readonly bitmapBytes: number;
}

export interface FirstViolation {
  readonly invariant: string;
  readonly line: number;
  readonly step: number;
  readonly why: string;
}

/** One design on the scenario, on one platform. */
export interface DesignResult {
  readonly design: string;
  readonly platform: string;
  /** `not modelled`: the run met something that this design needs and nobody wrote. */
  readonly verdict: Verdict | "not modelled";
  /** What was not modelled; empty otherwise. */
  readonly why: string;
  readonly fate: Fate;
  readonly firstViolation: FirstViolation | null;
  /** Every invariant that broke, by number, each once. */
  readonly violations: readonly string[];
  /** The first expectation that was not met, in words; null if all were. */
  readonly firstFailure: string | null;
  readonly cost: DesignCost | null;
}

/** Where a design first does something else than the one it is held against. */
export interface Parting {
  readonly design: string;
  readonly against: string;
  /** Line of the scenario, and machine steps of both; null: the trace of one had ended. */
  readonly line: number;
  readonly step: number | null;
  readonly againstStep: number | null;
  readonly does: string;
  readonly againstDoes: string;
}

/** The document that `compare --json` prints. */
export interface DesignComparison {
  readonly format: "tidemark-compare";
  readonly formatVersion: 1;
  readonly tidemark: string;
  readonly scenario: { readonly file: string; readonly name: string; readonly title: string };
  readonly world: string;
  readonly seed: number;
  readonly designs: readonly DesignResult[];
  readonly partings: readonly Parting[];
}

export interface CompareOptions {
  readonly version: string;
  readonly designs: readonly string[];
  /** Left out: the scenario's own. */
  readonly platforms?: readonly Platform[];
  /** Opens a fresh world for each design. */
  readonly open: () => Promise<World>;
  readonly onStep?: (design: string, step: Step, index: number, of: number) => void;
  readonly onEvent?: (step: number, ns: number) => void;
}

interface Traced {
  readonly result: DesignResult;
  readonly trace: TraceColumns;
}

/**
 * Plays a scenario with each design, on each platform, on the same machine, seed and faults, and lays the results side by side.
 * They are held against the scenario's own design and platform where it is among them, else against the first.
 */
export const compareDesigns = async (
  scenario: Scenario,
  options: CompareOptions,
): Promise<DesignComparison> => {
  const numbers = new TextNumbers();
  const traced: Traced[] = [];
  let world = "";
  for (const platform of options.platforms ?? [scenario.platform])
    for (const design of options.designs) {
      const opened = await options.open();
      world = opened.name;
      const own: Scenario = { ...scenario, platform, guest: { ...scenario.guest, design } };
      traced.push(await playDesign(own, opened, options, new TraceColumns(numbers)));
    }
  const isOwn = ({ result }: Traced): boolean =>
    result.design === scenario.guest.design && result.platform === scenario.platform;
  const base = traced.find(isOwn) ?? traced[0]!;
  const { file, name, title } = scenario;
  return {
    format: "tidemark-compare",
    formatVersion: 1,
    tidemark: options.version,
    scenario: { file, name, title },
    world,
    seed: scenario.seed,
    designs: traced.map(({ result }) => result),
    partings: traced.flatMap((one) => partingOf(one, base)),
  };
};

const playDesign = async (
  scenario: Scenario,
  world: World,
  options: CompareOptions,
  trace: TraceColumns,
): Promise<Traced> => {
  const { guest, platform } = scenario;
  const { design } = guest;
  try {
    const { report } = await play(scenario, world, {
      version: options.version,
      lean: true,
      onStep: (step, index, of) => {
        options.onStep?.(design, step, index, of);
      },
      onEvent: (event, line) => {
        trace.add(event, line);
        options.onEvent?.(event.step, event.ns);
      },
    });
    return { result: resultOf(scenario, report, await world.tally?.()), trace };
  } catch (error) {
    if (!(error instanceof NotModelled)) throw error;
    return { result: notModelled(design, platform, error.message), trace };
  }
};

const notModelled = (design: string, platform: string, why: string): DesignResult => ({
  design,
  platform,
  verdict: "not modelled",
  why,
  fate: { state: "off", why: "" },
  firstViolation: null,
  violations: [],
  firstFailure: null,
  cost: null,
});

const byNumber = (a: string, b: string): number => Number(a.slice(1)) - Number(b.slice(1));

const resultOf = (scenario: Scenario, report: RunReport, tally: Tally | undefined): DesignResult => {
  const { violations, expectations, cost } = report;
  const [first] = violations;
  const failed = expectations.find(({ held }) => !held);
  return {
    design: report.design,
    platform: scenario.platform,
    verdict: report.verdict,
    why: "",
    fate: report.fate,
    firstViolation:
      first === undefined
        ? null
        : { invariant: first.invariant, line: first.line, step: first.step, why: first.why },
    violations: [...new Set(violations.map(({ invariant }) => invariant))].sort(byNumber),
    firstFailure:
      failed === undefined
        ? null
        : `line ${failed.line} ${failed.what}: expected ${failed.expected}, found ${failed.found}`,
    cost: {
      tdcalls: cost.tdcalls,
      exits: tally?.exits ?? { all: cost.exits },
      unpluggedAccepted: tally?.unpluggedAccepted ?? 0,
      acceptedForNothing: tally?.acceptedForNothing ?? 0,
      peakHostMemory: tally?.peakHostMemory ?? 0,
      ...latenciesOf(scenario, report.played),
      virtualNs: cost.virtualNs,
      logLines: report.dmesg.length,
      bitmapBytes: report.bitmaps?.tableBytes ?? 0,
    },
  };
};

const ENDED = "nothing more";

const partingOf = ({ result, trace }: Traced, base: Traced): Parting[] => {
  // On another platform every call is another; that says nothing of the design.
  if (trace === base.trace || result.platform !== base.result.platform) return [];
  const at = TraceColumns.firstDifference(trace, base.trace);
  if (at === undefined) return [];
  const mine = trace.deed(at, formatRange);
  const theirs = base.trace.deed(at, formatRange);
  return [
    {
      design: result.design,
      against: base.result.design,
      line: mine?.line ?? theirs?.line ?? 0,
      step: mine?.step ?? null,
      againstStep: theirs?.step ?? null,
      does: mine?.text ?? ENDED,
      againstDoes: theirs?.text ?? ENDED,
    },
  ];
};
