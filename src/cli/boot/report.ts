import type { LabViolation } from "../../lab/enforce/violation.ts";
import { formatRange, formatSize } from "../../scenario/quantity.ts";
import { glyphs, painter, printable, type Screen } from "../../scenario/render/paint.ts";
import { renderMap } from "../../scenario/render/terminal-map.ts";
import type { Scenario } from "../../scenario/scenario.ts";
import type { MapRun } from "../../scenario/world.ts";
import { VERSION } from "../version.ts";
import type { GuestOutcome } from "./booted-guest.ts";
import type { BootReport } from "./schema.ts";

/** Why a boot is over: the agent was ready, the guest ended, the user ended it, nobody reads its console. */
export type BootEnd = BootReport["end"];

export interface BootFacts {
  readonly scenario: Scenario;
  readonly append: string;
  readonly end: BootEnd;
  readonly ready: boolean;
  readonly outcome: GuestOutcome;
  readonly map: MapRun[] | undefined;
}

const verdictOf = ({ outcome, ready, end }: BootFacts): BootReport["verdict"] => {
  if (outcome.violations.length > 0) return "broken";
  const { state } = outcome.fate;
  const died = state !== "running" && state !== "off";
  return died || (end === "gone" && !ready) ? "failed" : "held";
};

const violationOf = (seen: LabViolation): BootReport["violations"][number] => {
  const { invariant, range, why, place, vcpu, septState, plugged } = seen;
  const where = place === undefined ? {} : { rip: `0x${place.rip.toString(16)}`, symbol: place.symbol };
  return {
    invariant,
    start: range.start,
    end: range.end,
    why,
    ...(vcpu === undefined ? {} : { vcpu }),
    ...where,
    backtrace: [...(place?.backtrace ?? [])],
    septState,
    plugged,
  };
};

/** Everything about a boot that is over. */
export const bootReport = (facts: BootFacts): BootReport => {
  const { scenario, append, end, ready, outcome, map } = facts;
  const { machine, guest } = scenario;
  return {
    format: "tidemark-boot",
    formatVersion: 1,
    tidemark: VERSION,
    kernel: outcome.release,
    setup: {
      memory: machine.memory,
      vcpus: machine.vcpus,
      design: guest.design,
      accept: guest.accept,
      append,
    },
    verdict: verdictOf(facts),
    ready,
    end,
    fate: { ...outcome.fate },
    violations: outcome.violations.map(violationOf),
    tdcalls: { ...outcome.tdcalls },
    seamcalls: { ...outcome.seamcalls },
    exits: outcome.exits,
    ...(map === undefined ? {} : { map: map.map((run) => ({ ...run })) }),
  };
};

const STYLE = { held: "green", broken: "red", failed: "yellow" } as const;

/** How a boot went: a line on the whole, a line for each violation, a line for each TDCALL. */
export const renderBoot = (report: BootReport, screen: Screen): string => {
  const paint = painter(screen);
  const { kernel, setup, verdict, violations, tdcalls } = report;
  const { dot } = glyphs(screen);
  const facts = [
    `Linux ${printable(kernel)}`,
    formatSize(setup.memory),
    `design ${setup.design}`,
    fateText(report),
    `${violations.length} violation${violations.length === 1 ? "" : "s"}`,
  ];
  const width = Math.max(0, ...Object.keys(tdcalls).map((leaf) => leaf.length));
  return `${[
    `${paint("bold", paint(STYLE[verdict], verdict))}  ${facts.join(` ${dot} `)}`,
    ...violations.map((violation) => `  ${violationLine(violation)}`),
    ...Object.entries(tdcalls).map(([leaf, count]) => `  ${leaf.padEnd(width)}  ${count}`),
  ].join("\n")}\n`;
};

const fateText = ({ fate, ready }: BootReport): string => {
  if (fate.state !== "running" && fate.state !== "off") return `${fate.state}: ${printable(fate.why)}`;
  return ready ? "came up" : "did not come up";
};

const violationLine = ({
  invariant,
  start,
  end,
  why,
  backtrace,
}: BootReport["violations"][number]): string => {
  const callers = backtrace.length === 0 ? "" : ` (${backtrace.join(" < ")})`;
  return `${invariant} broken at ${formatRange(start, end)}: ${printable(`${why}${callers}`)}`;
};

/** The memory map now. */
export const mapLines = (runs: readonly MapRun[], screen: Screen): string[] => {
  const now = { label: "now", ns: 0, runs, leftOut: 0 };
  // The two labels say nothing here: there is one picture.
  return renderMap({ map: { before: now, after: now } }, screen).slice(2);
};
