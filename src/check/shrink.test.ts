import fc from "fast-check";
import { expect, it } from "vitest";
import { walkRandomly } from "./random-walks.ts";
import { replay, tokensOf } from "./replay.ts";
import { type Story, shrink, switchesOf } from "./shrink.ts";
import { ACCEPTED_TWICE, type Bug, UnitAcceptance, type UnitAcceptanceOptions } from "./unit-acceptance.ts";

const open = (configuration: UnitAcceptanceOptions) => new UnitAcceptance(configuration);

const smaller = ({ units, vcpus, ...rest }: UnitAcceptanceOptions): UnitAcceptanceOptions[] => [
  ...(units > 1 ? [{ units: units - 1, vcpus, ...rest }] : []),
  ...(vcpus > 1 ? [{ units, vcpus: vcpus - 1, ...rest }] : []),
];

/** What a random walk stumbles into. */
const stumble = (units: number, vcpus: number, bug: Bug, seed: number): Story<UnitAcceptanceOptions> => {
  const configuration = { units, vcpus, bug };
  const system = open(configuration);
  const { violations } = walkRandomly(system, { firstSeed: seed, walks: 1000, steps: 200 });
  const found = violations.find(({ violation }) => violation === ACCEPTED_TWICE)!;
  return { configuration, tokens: tokensOf(system, found.path), ...found };
};

it("two vCPUs that claim one unit: one unit, two vCPUs, four steps, one switch", () => {
  const shrunk = shrink(stumble(6, 3, "guard dropped", 11), { open, smaller });
  expect(shrunk.configuration).toEqual({ units: 1, vcpus: 2, bug: "guard dropped" });
  const { actors } = replay(open(shrunk.configuration), shrunk.tokens);
  // One claims and accepts; the bit is still set, so the other does the same.
  expect(actors).toHaveLength(4);
  expect(switchesOf(actors)).toBe(1);
});

it("a page that a drop leaves: one unit, one vCPU, and the round trip that shows it", () => {
  const { configuration, tokens } = shrink(stumble(4, 3, "page kept", 3), { open, smaller });
  expect(configuration).toEqual({ units: 1, vcpus: 1, bug: "page kept" });
  const system = open(configuration);
  system.reset();
  const told = tokens.map((token) => {
    const choice = Array.from({ length: system.choices() }, (_, at) => at).find(
      (at) => system.token(at) === token,
    )!;
    const label = system.label(choice);
    system.choose(choice);
    return label;
  });
  expect(told).toEqual([
    "vcpu 0: claim unit 0",
    "vcpu 0: accept unit 0",
    "vcpu 0: clear unit 0",
    "vcpu 0: release unit 0",
    "vcpu 0: drop unit 0",
    "vcpu 0: set unit 0",
    "vcpu 0: claim unit 0",
    "vcpu 0: accept unit 0",
  ]);
});

it("without smaller configurations or a search, dropping steps alone comes to the fewest", () => {
  const story = stumble(5, 3, "guard dropped", 23);
  const limits = { states: 1 };
  const shrunk = shrink(story, { open, smaller: () => [], limits });
  expect(shrunk.configuration).toBe(story.configuration);
  expect(shrunk.tokens.length).toBeLessThanOrEqual(story.tokens.length);
  expect(replay(open(shrunk.configuration), shrunk.tokens)).toMatchObject({
    violation: ACCEPTED_TWICE,
    taken: shrunk.tokens,
  });
});

it("the same story comes out whatever walk it is shrunk from", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), (seed) => {
      const once = shrink(stumble(3, 3, "guard dropped", seed), { open, smaller });
      expect(once).toMatchObject({ configuration: { units: 1, vcpus: 2 }, violation: ACCEPTED_TWICE });
      expect(shrink(once, { open, smaller })).toEqual(once);
    }),
    { numRuns: 30 },
  );
});
