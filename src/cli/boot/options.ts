import { loadScenario } from "../../scenario/load.ts";
import type { Override } from "../../scenario/override.ts";
import type { Scenario } from "../../scenario/scenario.ts";
import type { LinuxOptions } from "../linux-options.ts";
import { DESIGNS } from "../worlds.ts";

export interface BootOptions extends LinuxOptions {
  readonly line?: string;
  readonly memory?: string;
  readonly vcpus?: string;
  readonly maxmem?: string;
  readonly slots?: string;
  readonly unaccepted?: string;
  readonly accept?: string;
  readonly design?: string;
  readonly map?: boolean;
  readonly exitWhenReady?: boolean;
  readonly json?: boolean;
}

const BASE = "name: boot\nmachine: {memory: 4G, vcpus: 1}\nsteps: [boot]\n";

/** Where an option's value stands in a scenario. */
const FIELDS = [
  ["memory", "machine.memory"],
  ["vcpus", "machine.vcpus"],
  ["maxmem", "machine.maxmem"],
  ["slots", "machine.slots"],
  ["unaccepted", "machine.firmware.unaccepted"],
  ["accept", "guest.accept"],
  ["design", "guest.design"],
] as const satisfies readonly (readonly [keyof BootOptions, string])[];

/** The machine that the options ask for, as a scenario that boots it. @throws ScenarioError */
export const bootScenario = (options: BootOptions): Scenario => {
  const overrides = FIELDS.flatMap(([name, path]): Override[] => {
    const value = options[name];
    return value === undefined ? [] : [{ assignment: `${path}=${value}`, option: `--${name} ${value}` }];
  });
  return loadScenario(BASE, {
    file: "boot",
    designs: DESIGNS,
    overrides,
    readBytes: (path) => {
      throw new Error(`${path} that is not there`);
    },
  });
};
