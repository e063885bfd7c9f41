import type { MachineConfiguration } from "./configurations/configuration.ts";
import type { Knowledge } from "./memory/footprint.ts";
import { FootprintError } from "./reductions/untouched.ts";
import { MachineSystem } from "./system.ts";

/**
 * Runs a search over a configuration's machine. Where it turns out on the way that a step changes memory that is not
 * saved, all is done again with that known: no result rests on a state that was saved in part.
 *
 * @param known what an earlier search found out of that memory
 */
export const searchMachine = async <T>(
  configuration: MachineConfiguration,
  search: (system: MachineSystem) => T | Promise<T>,
  known?: Knowledge,
): Promise<T> => {
  let knowledge = known;
  for (;;) {
    try {
      return await searchAndVerify(new MachineSystem(configuration, knowledge), search);
    } catch (error) {
      if (!(error instanceof FootprintError)) throw error;
      knowledge = error.knowledge;
    }
  }
};

const searchAndVerify = async <T>(
  system: MachineSystem,
  search: (system: MachineSystem) => T | Promise<T>,
): Promise<T> => {
  try {
    return await search(system);
  } finally {
    // Also when the search failed: a state that was saved in part may be why.
    system.verify();
  }
};
