import { isOfBlock } from "./askable.ts";
import { amountText, inUnitOf, normalRuns, passes, runsText, withoutRuns } from "./compare.ts";
import { coverRange } from "./cover-range.ts";
import {
  type BitmapFacts,
  type BitRun,
  type Comparison,
  type Expectation,
  type LineTest,
  type RangeFacts,
  WAITS,
} from "./expectation.ts";
import { HOST_FACTS } from "./host-spec.ts";
import { type CounterUnit, counterUnit } from "./kernel-counters.ts";
import { lineMatcher } from "./line-test.ts";
import type { Observation } from "./observation.ts";
import { formatAddress, formatDuration, formatRange, formatSize } from "./quantity.ts";
import type { Judgement } from "./report.ts";
import { expectationText } from "./step-text.ts";
import type { Bitmaps, DeviceState, Eventually, MapRun, MemoryBlocks } from "./world.ts";

/** What was wanted and what there is; `held` says whether they agree. */
interface Finding {
  readonly held: boolean;
  readonly expected: string;
  readonly found: string;
  /** What of it this world cannot tell; the rest says nothing of that. */
  readonly unasked?: string;
}

/** Judges one expectation against the world as it is, as far as that can tell. */
export const judge = async (expectation: Expectation, seen: Observation): Promise<Judgement> => {
  const { line, column } = expectation.place;
  const what = expectationText(expectation);
  return { line, column, what, ...(await find(expectation, seen)), implicit: false };
};

/** Nothing of it can be told. */
const unasked = (what: string): Finding => ({ held: true, expected: "", found: "", unasked: what });

type Of<K extends Expectation["kind"]> = Expectation & { kind: K };
type Finder<K extends Expectation["kind"]> = (expectation: Of<K>, seen: Observation) => Eventually<Finding>;

const find = <K extends Expectation["kind"]>(expectation: Of<K>, seen: Observation): Eventually<Finding> =>
  FINDERS[expectation.kind as K](expectation, seen);

/** How each kind of expectation is looked up. */
const FINDERS: { readonly [K in Expectation["kind"]]: Finder<K> } = {
  counter: async ({ name, test }, seen) => {
    const counter = (await seen.counters()).find((one) => one.name === name);
    return counter === undefined ? missing("a value") : number(test, counter.value, counterUnit(name));
  },
  change: async ({ name, test }, seen) => {
    const counter = (await seen.counters()).find((one) => one.name === name);
    const before = seen.earlier.find((one) => one.name === name);
    if (counter === undefined || before === undefined) return missing("a value");
    return number(test, counter.value - before.value, counterUnit(name));
  },
  range: async (expectation, seen) =>
    findRange(expectation, await seen.map(expectation), await seen.bitmaps()),
  bitmap: async ({ facts }, seen) =>
    findBitmap(facts, await seen.bitmaps(), seen.untold()?.pluggedBits() ?? []),
  "no-bitmap": async (_expectation, seen) => {
    const isNone = (await seen.bitmaps()) === null;
    return { held: isNone, expected: "none", found: isNone ? "none" : "a table" };
  },
  dmesg: async ({ line }, seen) =>
    findLine(
      line,
      (await seen.dmesg()).map(({ text }) => text),
    ),
  iomem: async ({ line }, seen) => findLine(line, await seen.iomem()),
  tdcalls: async ({ leaf, test }, seen) => number(test, (await seen.cost()).tdcalls[leaf] ?? 0, "count"),
  exits: async ({ test }, seen) => number(test, (await seen.cost()).exits, "count"),
  "virtual-time": async ({ test }, seen) => {
    const ns = await seen.now();
    return { held: passes(test, ns), expected: test.text, found: formatDuration(ns) };
  },
  "longest-wait": async ({ wait, test }, seen) => {
    const waits = await seen.waits();
    if (waits === null) return unasked(`${wait} ${test.text}`);
    const ns = waits[WAITS[wait]];
    return { held: passes(test, ns), expected: test.text, found: formatDuration(ns) };
  },
  "block-size": async ({ test }, seen) => bytes(test, (await seen.blocks()).size),
  "block-count": async ({ state, test }, seen) => {
    const { blocks } = await seen.blocks();
    return number(test, blocks.filter((block) => block.state === state).length, "count");
  },
  "block-state": async (expectation, seen) => findBlockStates(expectation, await seen.blocks()),
  device: async (expectation, seen) =>
    findDevice(expectation, await seen.devices(), seen.untold()?.driverBlocks === true),
  machine: async ({ state: expected }, seen) => {
    const { state, why } = await seen.fate();
    return { held: state === expected, expected, found: why === "" ? state : `${state} (${why})` };
  },
  "host-state": async ({ state }, seen) => {
    const host = await seen.host();
    if (host === null) return missing(state);
    return { held: host.state === state, expected: state, found: host.state };
  },
  "host-fact": async ({ fact, test }, seen) => {
    const host = await seen.host();
    if (host === null) return missing(test.text);
    return HOST_FACTS[fact] === "bytes" ? bytes(test, host[fact]) : number(test, host[fact], "count");
  },
  "host-dmesg": async ({ line }, seen) => findLine(line, (await seen.host())?.log ?? []),
  status: ({ status }, seen) => ({ held: seen.status === status, expected: status, found: seen.status }),
  broken: async ({ invariant }, seen) => {
    if (!seen.sees(invariant)) return unasked(invariant);
    const held = (await seen.violations()).some((violation) => violation.invariant === invariant);
    return { held, expected: "broken", found: held ? "broken" : "held" };
  },
};

const missing = (expected: string): Finding => ({ held: false, expected, found: "nothing" });

const number = (test: Comparison, value: number, unit: CounterUnit): Finding => ({
  held: passes(test, inUnitOf(test, value, unit)),
  expected: test.text,
  found: amountText(test, value, unit),
});

const bytes = (test: Comparison, value: number): Finding => ({
  held: passes(test, value),
  expected: test.text,
  found: formatSize(value),
});

const findRange = (
  { start, end, facts }: Of<"range">,
  map: readonly MapRun[],
  bitmaps: Bitmaps | null,
): Finding => {
  const runs = [...coverRange(map, bitmaps, start, end)];
  const all = Object.entries(facts) as [keyof RangeFacts, unknown][];
  // What is seen of an online block is that it is online.
  const isUntold = ([fact, value]: (typeof all)[number]): boolean =>
    fact === "use" && !isOfBlock(String(value)) && runs.some(({ use }) => use === "unknown");
  const wanted = all.filter((one) => !isUntold(one));
  const untold = all.filter(isUntold).map(([fact, value]) => `${fact} ${String(value)}`);
  const expected = wanted.map(([fact, value]) => `${fact} ${String(value)}`).join(", ");
  const rest = untold.length === 0 ? {} : { unasked: untold.join(", ") };
  for (const run of runs) {
    const off = wanted.filter(([fact, value]) => run[fact] !== value);
    if (off.length === 0) continue;
    const found = off
      .map(([fact]) => `${fact} ${run[fact] === null ? "none" : String(run[fact])}`)
      .join(", ");
    return { held: false, expected, found: `${found} at ${formatRange(run.start, run.end)}`, ...rest };
  }
  return { held: true, expected, found: expected, ...rest };
};

/** @param chance bits of the plugged bitmap that no world can be asked for */
const findBitmap = (facts: BitmapFacts, bitmaps: Bitmaps | null, chance: readonly BitRun[]): Finding => {
  if (bitmaps === null) return missing("a table");
  const { unaccepted, plugged, ...geometry } = facts;
  const findings: NamedFinding[] = [];
  for (const [fact, value] of Object.entries(geometry) as [keyof typeof geometry, number][]) {
    const write = fact === "physBase" ? formatAddress : fact === "unitSize" ? formatSize : String;
    const held = bitmaps[fact] === value;
    findings.push([fact, { held, expected: write(value), found: write(bitmaps[fact]) }]);
  }
  if (unaccepted !== undefined) findings.push(["unaccepted", bits(unaccepted, bitmaps.unaccepted)]);
  if (plugged === undefined) return combine(findings);
  const [asked, have] = [withoutRuns(plugged, chance), bitmaps.plugged];
  findings.push(["plugged", bits(asked, have === null ? null : withoutRuns(have, chance))]);
  const untold = JSON.stringify(asked) !== JSON.stringify(normalRuns(plugged));
  return { ...combine(findings), ...(untold ? { unasked: `plugged ${runsText(chance)}` } : {}) };
};

const bits = (wanted: readonly BitRun[], have: readonly BitRun[] | null): Finding => {
  const expected = normalRuns(wanted);
  if (have === null) return { held: false, expected: runsText(expected), found: "no bitmap" };
  const found = normalRuns(have);
  const held = JSON.stringify(found) === JSON.stringify(expected);
  return { held, expected: runsText(expected), found: runsText(found) };
};

type NamedFinding = readonly [name: string, Finding];

/** Joins findings about one thing; if some do not hold, only those are named. */
const combine = (findings: readonly NamedFinding[]): Finding => {
  const off = findings.filter(([, { held }]) => !held);
  const named = off.length === 0 ? findings : off;
  return {
    held: off.length === 0,
    expected: named.map(([name, { expected }]) => `${name} ${expected}`).join(", "),
    found: named.map(([name, { found }]) => `${name} ${found}`).join(", "),
  };
};

const findLine = (test: LineTest, lines: readonly string[]): Finding => {
  const isAbsent = test.mode === "absent";
  const expected = isAbsent ? "no such line" : "such a line";
  const line = lines.find(lineMatcher(test));
  const held = (line !== undefined) !== isAbsent;
  return { held, expected, found: line ?? `none in ${lines.length} lines` };
};

const findBlockStates = ({ blocks, state }: Of<"block-state">, { blocks: all }: MemoryBlocks): Finding => {
  const stateOf = new Map(all.map((block) => [block.number, block.state]));
  for (let number = blocks.first; number <= blocks.last; number++) {
    const found = stateOf.get(number) ?? "absent";
    if (found !== state) return { held: false, expected: state, found: `memory${number} ${found}` };
  }
  return { held: true, expected: state, found: state };
};

const findDevice = (
  { id, facts }: Of<"device">,
  devices: readonly DeviceState[],
  blocksUntold: boolean,
): Finding => {
  const device = devices.find((one) => one.id === id);
  if (device === undefined) return missing("a device");
  const findings: NamedFinding[] = [];
  if (facts.plugged !== undefined) findings.push(["plugged", bytes(facts.plugged, device.plugged)]);
  if (facts.requested !== undefined) findings.push(["requested", bytes(facts.requested, device.requested)]);
  const blocks = Object.entries(facts.blockStates ?? {});
  if (blocksUntold && blocks.length > 0) {
    const untold = blocks.map(([block, state]) => `block ${block} ${state}`).join(", ");
    return { ...combine(findings), unasked: untold };
  }
  for (const [block, expected] of blocks) {
    const found = device.blockStates[block] ?? "UNUSED";
    findings.push([`block ${block}`, { held: found === expected, expected, found }]);
  }
  return combine(findings);
};
