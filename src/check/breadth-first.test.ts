import { describe, expect, it } from "vitest";
import { BreadthFirst, type SearchOptions } from "./breadth-first.ts";
import type { SearchResult } from "./result.ts";
import {
  ACCEPTED_TWICE,
  closedForms,
  DROPPED_UNACCEPTED,
  UnitAcceptance,
  type UnitAcceptanceOptions,
} from "./unit-acceptance.ts";

const explore = (model: UnitAcceptanceOptions, options: SearchOptions = {}): SearchResult => {
  const search = new BreadthFirst(new UnitAcceptance(model), options);
  search.begin();
  return search.run();
};

const PAIRS: readonly (readonly [units: number, vcpus: number])[] = [
  ...[1, 2, 3, 4, 5, 8, 10].map((units) => [units, 1] as const),
  ...[1, 2, 3, 4, 5, 6, 8].map((units) => [units, 2] as const),
  ...[2, 3, 4, 5, 6].map((units) => [units, 3] as const),
  ...[3, 4].map((units) => [units, 4] as const),
];

describe("the yardstick", () => {
  it("has figures worked out by hand for two units and one vCPU", () => {
    // Idle: 2^2 bitmaps. Busy: 2 units, 4 steps, 2 bitmaps of the other. Idle states have 2 choices, busy ones 1.
    expect(closedForms(2, 1)).toEqual({ states: 4 + 2 * 4 * 2, transitions: 4 * 2 + 16, classes: 3 + 4 * 2 });
    expect(closedForms(10, 3)).toEqual({ states: 7_066_624, transitions: 29_952_000, classes: 301 });
  });

  it.each(PAIRS)("of %i units and %i vCPUs has as many states and transitions as it must", (units, vcpus) => {
    const { states, transitions } = closedForms(units, vcpus);
    const end = "complete";
    expect(explore({ units, vcpus })).toMatchObject({ end, states, transitions, violations: [], resting: 0 });
  });

  it.each([...PAIRS, [10, 3], [16, 4]] as const)(
    "of %i units and %i vCPUs has as many classes as it must",
    (units, vcpus) => {
      const { classes } = closedForms(units, vcpus);
      expect(explore({ units, vcpus, symmetry: true })).toMatchObject({ end: "complete", states: classes });
    },
  );
});

describe("breadth first", () => {
  it("an exact search counts what a search by fingerprints counts, and leaves nothing out", () => {
    const [exact, hashed] = [true, false].map((exact) => explore({ units: 5, vcpus: 3 }, { exact }));
    expect(exact).toMatchObject({ states: hashed!.states, transitions: hashed!.transitions, omission: 0 });
    // 24,032 states: 24,032 * 24,031 / 2 pairs of 2^64.
    expect(hashed!.omission).toBeCloseTo((24_032 * 24_031) / 2 / 2 ** 64, 19);
  });

  it("the first story of a violation has the fewest steps", () => {
    // One claims, another claims the same, both accept.
    const { violations, end } = explore({ units: 2, vcpus: 2, bug: "guard dropped" });
    expect(end).toBe("violation");
    expect(violations).toMatchObject([{ violation: ACCEPTED_TWICE, atRest: false }]);
    expect(violations[0]!.path).toHaveLength(4);
  });

  it("every rule's shortest story is found when the search goes on after a violation", () => {
    const { violations, end } = explore({ units: 1, vcpus: 2, bug: "guard dropped" }, { after: "continue" });
    expect(end).toBe("complete");
    expect(violations.map(({ violation }) => violation)).toEqual([ACCEPTED_TWICE, DROPPED_UNACCEPTED]);
  });

  it("bounded by depth, it meets the states that are no further away, and can go on", () => {
    const search = new BreadthFirst(new UnitAcceptance({ units: 3, vcpus: 2 }));
    search.begin();
    // At distance 1: 2 vCPUs claim one of 3 units.
    expect(search.run({ depth: 1 })).toMatchObject({ end: "depth", states: 7, depth: 1, frontier: 6 });
    const { states, transitions } = closedForms(3, 2);
    expect(search.run({})).toMatchObject({ end: "complete", states, transitions, frontier: 0 });
  });

  it("stopped at a number of states, by memory or from outside, it says so and can go on", () => {
    const { states, transitions } = closedForms(6, 3);
    const search = new BreadthFirst(new UnitAcceptance({ units: 6, vcpus: 3 }), {
      between: ({ states }) => states < 50_000,
    });
    search.begin();
    expect(search.run({ states: 20_000 }).end).toBe("states");
    expect(search.run({ bytes: 2 ** 20 }).end).toBe("memory");
    expect(search.run({}).end).toBe("interrupted");
    let result = search.run({});
    while (result.end === "interrupted") result = search.run({});
    expect(result).toMatchObject({ end: "complete", states, transitions });
  });

  it("a table grows when it is crowded and loses nothing", () => {
    const { states, transitions } = closedForms(7, 3);
    expect(explore({ units: 7, vcpus: 3 })).toMatchObject({ end: "complete", states, transitions });
    expect(explore({ units: 7, vcpus: 3 }, { exact: true })).toMatchObject({ states, transitions });
  });
});

describe("partial order", () => {
  it("meets fewer states and gives the same verdicts", () => {
    for (const bug of [undefined, "page kept"] as const)
      for (const [units, vcpus] of [
        [1, 1],
        [2, 2],
        [3, 2],
        [3, 3],
        [4, 3],
      ] as const) {
        const model = { units, vcpus, ...(bug && { bug }) };
        const full = explore(model, { after: "prune" });
        const reduced = explore(model, { after: "prune", partialOrder: true });
        expect(reduced.violations.map(({ violation }) => violation)).toEqual(
          full.violations.map(({ violation }) => violation),
        );
        expect([reduced.end, [...reduced.goals]]).toEqual([full.end, [...full.goals]]);
        if (vcpus > 1) expect(reduced.states).toBeLessThan(full.states);
      }
  });
});
