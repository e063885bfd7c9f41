import { buildHostExpectations } from "./build-host.ts";
import type { Comparison, Expectation, LineTest } from "./expectation.ts";
import { refuseHollow } from "./hollow-expectation.ts";
import type { Path } from "./scenario-error.ts";
import { type ExpectDraft, FIXED_EXPECTATIONS, type FixedDraft } from "./schema/expect-schema.ts";
import type { Source } from "./yaml-tree.ts";

/**
 * Turns an `expect` map into one expectation per thing named, each with its place.
 *
 * @throws ScenarioError for one that names nothing
 */
export const buildExpectations = (draft: ExpectDraft, path: Path, source: Source): Expectation[] => {
  refuseHollow(source, path);
  const fixed = draft as unknown as FixedDraft;
  const place = (...inner: Path) => source.placeOfKey([...path, ...inner]);
  const counters = Object.entries(draft as Record<string, unknown>)
    .filter(([key, test]) => test !== undefined && !FIXED_EXPECTATIONS.includes(key))
    .map(
      ([name, test]): Expectation => ({
        kind: "counter",
        name,
        test: test as Comparison,
        place: place(name),
      }),
    );
  const changes = Object.entries(fixed.change ?? {}).flatMap(([name, test]): Expectation[] =>
    test === undefined ? [] : [{ kind: "change", name, test, place: place("change", name) }],
  );
  return [
    ...counters,
    ...changes,
    ...buildRanges(fixed, place),
    ...buildBitmap(fixed, place),
    ...buildLines("dmesg", fixed.dmesg, place),
    ...buildLines("iomem", fixed.iomem, place),
    ...buildCosts(fixed, place),
    ...buildBlocks(fixed, place),
    ...buildMachine(fixed, place),
    ...buildHostExpectations(fixed.host, place),
  ];
};

type PlaceAt = (...inner: Path) => Expectation["place"];

const buildRanges = (fixed: FixedDraft, place: PlaceAt): Expectation[] =>
  (fixed.range ?? []).map(({ at, size, ...facts }, i) => ({
    kind: "range",
    start: at,
    end: at + size,
    facts: withoutUndefined(facts),
    place: place("range", i),
  }));

const buildBitmap = ({ bitmap }: FixedDraft, place: PlaceAt): Expectation[] => {
  if (bitmap === undefined) return [];
  if (bitmap === "none") return [{ kind: "no-bitmap", place: place("bitmap") }];
  const { setBits, ...geometry } = bitmap;
  const facts = withoutUndefined({ ...geometry, ...setBits });
  return [{ kind: "bitmap", facts, place: place("bitmap") }];
};

const buildLines = (
  kind: "dmesg" | "iomem",
  lines: readonly LineTest[] | undefined,
  place: PlaceAt,
): Expectation[] => (lines ?? []).map((line, i) => ({ kind, line, place: place(kind, i) }));

const buildCosts = (fixed: FixedDraft, place: PlaceAt): Expectation[] => {
  const found = Object.entries(fixed.tdcalls ?? {}).flatMap(([leaf, test]): Expectation[] =>
    test === undefined ? [] : [{ kind: "tdcalls", leaf, test, place: place("tdcalls", leaf) }],
  );
  if (fixed.exits !== undefined) found.push({ kind: "exits", test: fixed.exits, place: place("exits") });
  if (fixed.virtualTime !== undefined) {
    found.push({ kind: "virtual-time", test: fixed.virtualTime, place: place("virtualTime") });
  }
  for (const wait of ["longestIrqsOff", "longestSpin"] as const) {
    const test = fixed[wait];
    if (test !== undefined) found.push({ kind: "longest-wait", wait, test, place: place(wait) });
  }
  return found;
};

const buildBlocks = ({ blocks }: FixedDraft, place: PlaceAt): Expectation[] => {
  if (blocks === undefined) return [];
  const found: Expectation[] = [];
  if (blocks.size !== undefined) {
    found.push({ kind: "block-size", test: blocks.size, place: place("blocks", "size") });
  }
  for (const state of ["online", "offline"] as const) {
    const test = blocks[state];
    if (test !== undefined) found.push({ kind: "block-count", state, test, place: place("blocks", state) });
  }
  for (const [i, { block, state }] of (blocks.states ?? []).entries()) {
    found.push({ kind: "block-state", blocks: block, state, place: place("blocks", "states", i) });
  }
  return found;
};

const buildMachine = (fixed: FixedDraft, place: PlaceAt): Expectation[] => {
  const found: Expectation[] = (fixed.device ?? []).map(({ id, ...facts }, i) => ({
    kind: "device",
    id,
    facts: withoutUndefined(facts),
    place: place("device", i),
  }));
  const { machine, status, broken } = fixed;
  if (machine !== undefined) found.push({ kind: "machine", state: machine, place: place("machine") });
  if (status !== undefined) found.push({ kind: "status", status, place: place("status") });
  for (const [i, invariant] of (broken ?? []).entries()) {
    found.push({ kind: "broken", invariant, place: place("broken", i) });
  }
  return found;
};

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

const withoutUndefined = <T extends object>(facts: T): Defined<T> =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Defined<T>;
