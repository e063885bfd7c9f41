import { FirmwareError } from "../../machine/hand-over.ts";
import { VmmError } from "../../vmm/vmm-error.ts";
import type { Scenario } from "../scenario.ts";
import { ScenarioError } from "../scenario-error.ts";

/**
 * Makes a machine, or a part of one, for a scenario. What the machine's own parts refuse is a mistake in the scenario.
 *
 * @throws ScenarioError for a machine that no VMM would start
 */
export const asStartable = <T>({ machine }: Pick<Scenario, "machine">, deed: () => T): T => {
  try {
    return deed();
  } catch (error) {
    if (!(error instanceof VmmError || error instanceof FirmwareError)) throw error;
    const refusal = { expected: "a machine that can be started", found: error.message, advice: "" };
    throw new ScenarioError(machine.place, "machine", refusal, { cause: error });
  }
};
