import { expect, it } from "vitest";
import { type Walker, walkRandomly } from "./random-walks.ts";
import { replay, tokensOf } from "./replay.ts";
import { UnitAcceptance } from "./unit-acceptance.ts";

const WALKERS: readonly Walker[] = [{ kind: "uniform" }, { kind: "pct", changes: 2 }];

it.each(WALKERS)("$kind: a walk is decided by its seed alone", (walker) => {
  const model = { units: 4, vcpus: 3, bug: "guard dropped" } as const;
  const all = walkRandomly(new UnitAcceptance(model), { walker, firstSeed: 0, walks: 200, steps: 60 });
  expect(all.violations.length).toBeGreaterThan(0);
  for (const { seed, violation, path } of all.violations) {
    const [one] = walkRandomly(new UnitAcceptance(model), {
      walker,
      firstSeed: seed,
      walks: 1,
      steps: 60,
    }).violations;
    expect(one).toEqual({ seed, violation, path, atRest: false });
    const system = new UnitAcceptance(model);
    expect(replay(system, tokensOf(system, path))).toMatchObject({ violation, path });
  }
});

it.each(WALKERS)("$kind: nothing is found where nothing is wrong, and every goal is met", (walker) => {
  const system = new UnitAcceptance({ units: 3, vcpus: 2 });
  const result = walkRandomly(system, { walker, firstSeed: 7, walks: 300, steps: 50 });
  expect(result).toMatchObject({ walks: 300, steps: 300 * 50, rested: 0, violations: [] });
  expect(result.goals).toEqual(Uint32Array.of(0b1111));
});

it("pct lets one actor run until its priority changes", () => {
  // With no change at all one vCPU takes every step: it always can go on, and nobody is above it.
  const model = { units: 3, vcpus: 3, bug: "page kept" } as const;
  const walker = { kind: "pct", changes: 0 } as const;
  const { violations } = walkRandomly(new UnitAcceptance(model), {
    walker,
    firstSeed: 1,
    walks: 20,
    steps: 400,
  });
  const system = new UnitAcceptance(model);
  expect(new Set(replay(system, tokensOf(system, violations[0]!.path)).actors).size).toBe(1);
});

it("walks end when they are asked to", () => {
  const options = { firstSeed: 0, walks: 1000, steps: 10, between: (walks: number) => walks < 5 };
  expect(walkRandomly(new UnitAcceptance({ units: 2, vcpus: 1 }), options).walks).toBe(5);
});
