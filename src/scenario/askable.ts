import type { Expectation } from "./expectation.ts";
import { suggest } from "./nearest-name.ts";
import type { Scenario, Step } from "./scenario.ts";
import { type Place, ScenarioError } from "./scenario-error.ts";
import { expectationText } from "./step-text.ts";
import type { Counter, World } from "./world.ts";

type Wait = Step & { kind: "wait" };

const awaited = (step: Step): readonly Expectation[] =>
  step.kind === "wait" && step.for.kind === "condition" ? step.for.expectations : [];

/**
 * A scenario may name counters that another world has: that is a mistake in the input, found before play.
 *
 * @param counters those that the world has
 * @throws ScenarioError
 */
export const checkCounters = (
  { steps, expect }: Pick<Scenario, "steps" | "expect">,
  world: World["name"],
  counters: readonly Counter[],
): void => {
  const known = counters.map(({ name }) => name);
  const asked = steps.flatMap((step) => (step.kind === "expect" ? step.expectations : awaited(step)));
  for (const expectation of [...asked, ...expect]) {
    if (expectation.kind !== "counter" && expectation.kind !== "change") continue;
    if (known.includes(expectation.name)) continue;
    throw new ScenarioError(expectation.place, "", {
      expected: `a counter of the ${world} world`,
      found: expectation.name,
      advice: suggest(expectation.name, known),
    });
  }
};

/** What of an expectation a world cannot tell whatever happens; empty if nothing. Plugged bits depend on the machine. */
const untellable = (
  expectation: Expectation,
  world: Pick<World, "untold" | "invariants" | "waits">,
): string => {
  const { untold } = world;
  switch (expectation.kind) {
    case "range": {
      const { use } = expectation.facts;
      return use !== undefined && !isOfBlock(use) && untold?.pageUse === true ? `use ${use}` : "";
    }
    case "device": {
      const [first] = Object.entries(expectation.facts.blockStates ?? {});
      return first !== undefined && untold?.driverBlocks === true ? `block ${first[0]} ${first[1]}` : "";
    }
    case "longest-wait":
      return world.waits === undefined ? expectationText(expectation) : "";
    case "broken":
      return world.invariants?.has(expectation.invariant) === false ? `broken ${expectation.invariant}` : "";
    default:
      return "";
  }
};

/** Uses of a page that the state of its memory block tells. */
export const isOfBlock = (use: string): boolean => use === "none" || use === "offline";

const refuse = (place: Place, world: Pick<World, "name">, found: string): never => {
  throw new ScenarioError(place, "", {
    expected: `something to wait for that the ${world.name} world can tell`,
    found,
    advice: "wait for something else, or for a time, or play it in the model world",
  });
};

/**
 * Nothing is known of what a world cannot tell, so a wait for it would end at once, or never.
 *
 * @throws ScenarioError
 */
export const checkWaits = (
  { steps }: Pick<Scenario, "steps">,
  world: Pick<World, "name" | "untold" | "invariants" | "waits">,
): void => {
  const waits = steps.filter((step): step is Wait => step.kind === "wait");
  for (const step of waits) {
    if (step.for.kind === "idle" && world.untold?.idle === true) refuse(step.place, world, "idle");
    for (const expectation of awaited(step)) {
      const found = untellable(expectation, world);
      if (found !== "") refuse(expectation.place, world, found);
    }
  }
};
