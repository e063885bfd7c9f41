import { FAULT_CALL_NAMES } from "../machine/faults/fault-calls.ts";
import type { Refuse } from "./check-machine.ts";
import { resolveFault } from "./fault-rules.ts";
import { suggest } from "./nearest-name.ts";
import type { Scenario } from "./scenario.ts";
import { describe, type Path } from "./scenario-error.ts";

/** Refuses a fault that names no call, or an answer that the real component cannot give. */
export const checkFaults = (
  { faults, swarm, machine }: Scenario,
  pathOf: (index: number) => Path,
  refuse: Refuse,
): void => {
  const devices = machine.virtioMem.map(({ id }) => id);
  for (const [i, fault] of faults.entries()) {
    const resolved = resolveFault(fault, devices);
    if ("refusal" in resolved) refuse([...pathOf(i), resolved.key], resolved.refusal);
  }
  for (const [i, name] of (swarm?.calls ?? []).entries()) {
    if (FAULT_CALL_NAMES.includes(name)) continue;
    const advice = suggest(name, FAULT_CALL_NAMES);
    refuse(["faults", "swarm", "calls", i], {
      expected: "a call that can fail",
      found: describe(name),
      advice,
    });
  }
};
