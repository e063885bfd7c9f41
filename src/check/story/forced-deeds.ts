import type { Deed, MachineConfiguration } from "../machine/configurations/configuration.ts";
import { searchMachine } from "../machine/search-machine.ts";
import type { MachineSystem } from "../machine/system.ts";
import { type Move, Threads } from "./forced-threads.ts";

/** A step of a story that a real kernel cannot be made to take. The message is one line. */
export class NotForcible extends Error {
  override name = "NotForcible";
}

/** What a story asks of a world in which people act and everything else takes its own way, but for who is held. */
export interface ForcedStory {
  /** Deeds in the order in which they begin, and `wait` where only a timer was left to run. */
  readonly deeds: readonly (Deed | "wait")[];
  /** The fault strikes the first call of its kind. */
  readonly strikes: boolean;
  /** Who begins, is held and goes on, in this order. Absent: each deed begins when nobody has anything left to do. */
  readonly moves?: readonly Move[];
}

/** The deeds of a story, and what has to be done so that they begin where others are as the story has it. */
const deedsOf = (system: MachineSystem, path: readonly number[]): ForcedStory => {
  const { machine, programs } = system;
  const firstProgram = machine.tasks.actors.length;
  const deeds: (Deed | "wait")[] = [];
  const struck = machine.injector?.points.struck;
  let strikes = false;
  system.reset();
  const threads = new Threads(system);
  for (const [index, choice] of path.entries()) {
    system.choices();
    const actor = system.actor(choice);
    const program = actor - firstProgram;
    const step = `step ${index + 1}, ${system.label(choice)},`;
    const refused = threads.beforeStep(actor);
    if (refused !== undefined) throw new NotForcible(`${step} ${refused}`);
    const begins = 0 <= program && program < programs.all.length;
    if (begins) deeds.push(programs.all[program]!.deeds[programs.places[program]!]!);
    else if (program >= programs.all.length) deeds.push("wait");
    const before = struck?.[0] ?? 0;
    const calls = machine.injector?.points.seen[0] ?? 0;
    system.choose(choice);
    threads.afterStep(actor, program < 0 ? undefined : deeds.length - 1);
    if ((struck?.[0] ?? 0) === before) continue;
    if (calls > 0)
      throw new NotForcible(
        `${step} is call ${calls + 1} of its kind, and a real guest makes another number of them`,
      );
    strikes = true;
  }
  const { moves } = threads;
  return { deeds, strikes, ...(moves.some(({ until }) => until !== undefined) && { moves }) };
};

/** @throws NotForcible for a story whose order a real guest cannot be made to take, with the step that cannot */
export const forcedStory = (
  configuration: MachineConfiguration,
  path: readonly number[],
): Promise<ForcedStory> => searchMachine(configuration, (system) => deedsOf(system, path));
