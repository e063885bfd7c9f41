import type { FateState } from "./expectation.ts";
import type { Scenario } from "./scenario.ts";

/** What a step answers that meets the machine's death. */
const DEATHS: { readonly [state in FateState]?: string } = { killed: "TD_KILLED", panicked: "PANIC" };

/** Status of a step that found, or made, the machine so. */
export const deathStatus = (state: FateState): string => DEATHS[state] ?? "SKIPPED";

/** Whether a scenario says that its machine ends in the death that `status` tells of. */
export const expectsDeath = ({ expect }: Scenario, status: string): boolean =>
  expect.some((each) => each.kind === "machine" && DEATHS[each.state] === status);
