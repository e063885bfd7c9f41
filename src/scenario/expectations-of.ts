import type { Expectation } from "./expectation.ts";
import type { Step } from "./scenario.ts";

/** What a step expects, at once or in the end. */
export const expectationsOf = (step: Step): readonly Expectation[] => {
  if (step.kind === "expect") return step.expectations;
  return step.kind === "wait" && step.for.kind === "condition" ? step.for.expectations : [];
};
