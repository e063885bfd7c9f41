import type { Deed, MachineConfiguration } from "../machine/configurations/configuration.ts";
import { searchMachine } from "../machine/search-machine.ts";
import type { MachineSystem } from "../machine/system.ts";

/** A step of a story that a real kernel cannot be made to take. The message is one line. */
export class NotForcible extends Error {
  override name = "NotForcible";
}

/** What a story asks of a world in which people act one after the other and everything else takes its own way. */
export interface ForcedStory {
  /** Deeds in the order in which they begin, and `wait` where only a timer was left to run. */
  readonly deeds: readonly (Deed | "wait")[];
  /** The fault strikes the first call of its kind. */
  readonly strikes: boolean;
}

/** Who is in the middle of something, and where. */
const busy = ({ machine }: MachineSystem): string =>
  machine.tasks.actors
    .filter(({ idle }) => !idle)
    .map(({ name, frame }) => `${name} is at ${frame.where}`)
    .join(", ");

/**
 * The deeds of a story that any world can be made to tell: each begins when nobody else has anything left to do.
 *
 * @throws NotForcible at the first step that depends on who is where at that moment
 */
const deedsOf = (system: MachineSystem, path: readonly number[]): ForcedStory => {
  const { machine, programs } = system;
  const firstProgram = machine.tasks.actors.length;
  const deeds: (Deed | "wait")[] = [];
  const struck = machine.injector?.points.struck;
  let strikes = false;
  system.reset();
  for (const [index, choice] of path.entries()) {
    system.choices();
    const program = system.actor(choice) - firstProgram;
    const step = `step ${index + 1}, ${system.label(choice)},`;
    if (0 <= program && program < programs.all.length) {
      if (machine.scheduler.activeCount[0] !== 0)
        throw new NotForcible(
          `${step} begins while ${busy(system)}; on a real guest it begins when nobody has anything left to do`,
        );
      deeds.push(programs.all[program]!.deeds[programs.places[program]!]!);
    } else if (program >= programs.all.length) deeds.push("wait");
    const before = struck?.[0] ?? 0;
    const calls = machine.injector?.points.seen[0] ?? 0;
    system.choose(choice);
    if ((struck?.[0] ?? 0) === before) continue;
    if (calls > 0)
      throw new NotForcible(
        `${step} is call ${calls + 1} of its kind, and a real guest makes another number of them`,
      );
    strikes = true;
  }
  return { deeds, strikes };
};

/** @throws NotForcible for a story whose order a real guest cannot be made to take, with the step that cannot */
export const forcedStory = (
  configuration: MachineConfiguration,
  path: readonly number[],
): Promise<ForcedStory> => searchMachine(configuration, (system) => deedsOf(system, path));
