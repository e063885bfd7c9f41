import { expect, it } from "vitest";
import { BreadthFirst } from "./breadth-first.ts";
import { DepthFirst, type DepthFirstOptions } from "./depth-first.ts";
import { replay, tokensOf } from "./replay.ts";
import {
  ACCEPTED_TWICE,
  closedForms,
  UnitAcceptance,
  type UnitAcceptanceOptions,
} from "./unit-acceptance.ts";

const dive = (model: UnitAcceptanceOptions, options?: DepthFirstOptions) =>
  new DepthFirst(new UnitAcceptance(model), options).run();

it.each([
  [1, 1],
  [3, 2],
  [4, 3],
  [6, 3],
] as const)(
  "%i units and %i vCPUs have as many states and transitions as the closed forms say",
  (units, vcpus) => {
    const { states, transitions, classes } = closedForms(units, vcpus);
    expect(dive({ units, vcpus })).toMatchObject({ end: "complete", states, transitions, violations: [] });
    expect(dive({ units, vcpus, symmetry: true })).toMatchObject({ end: "complete", states: classes });
  },
);

it("interrupted as often as it may be, and with whole keys, it counts the same", () => {
  const { states, transitions } = closedForms(4, 3);
  const search = new DepthFirst(new UnitAcceptance({ units: 4, vcpus: 3 }), {
    exact: true,
    between: () => false,
  });
  let [result, interruptions] = [search.run(), 0];
  for (; result.end === "interrupted"; result = search.run()) interruptions++;
  expect(interruptions).toBeGreaterThan(10);
  expect(result).toMatchObject({ end: "complete", states, transitions, omission: 0 });
});

it("bounded by depth it meets what breadth first meets to that depth", () => {
  for (const depth of [1, 2, 3, 5, 8]) {
    const model = { units: 3, vcpus: 2 };
    const broad = new BreadthFirst(new UnitAcceptance(model), { limits: { depth } });
    broad.begin();
    expect(dive(model, { limits: { depth } })).toMatchObject({ end: "depth", states: broad.run().states });
  }
});

it("a bound that cuts nothing off is no bound", () => {
  const { states } = closedForms(2, 1);
  expect(dive({ units: 2, vcpus: 1 }, { limits: { depth: 1000 } })).toMatchObject({
    end: "complete",
    states,
  });
});

it("its story leads to the violation", () => {
  const model = { units: 3, vcpus: 2, bug: "guard dropped" } as const;
  const { violations, end } = dive(model);
  expect(end).toBe("violation");
  const system = new UnitAcceptance(model);
  const { violation, path } = replay(system, tokensOf(system, violations[0]!.path));
  expect([violation, path]).toEqual([violations[0]!.violation, violations[0]!.path]);
  expect([ACCEPTED_TWICE, ACCEPTED_TWICE + 1]).toContain(violation);
});

it("it ends at a number of states, at a bound of memory, and from outside", () => {
  const model = { units: 8, vcpus: 3 };
  expect(dive(model, { limits: { states: 5000 } }).end).toBe("states");
  expect(dive(model, { limits: { bytes: 2 ** 21 } }).end).toBe("memory");
  expect(dive(model, { between: () => false }).end).toBe("interrupted");
});
