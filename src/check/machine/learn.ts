import { Prng } from "../../machine/prng.ts";
import { DISABLED } from "../system.ts";
import type { MachineConfiguration } from "./configurations/configuration.ts";
import { type Growth, NO_GROWTH } from "./memory/fields.ts";
import { FootprintFinder, grows, growthOf, type Knowledge } from "./memory/footprint.ts";
import { MachineMoves } from "./moves.ts";

/** Steps of a walk that finds which words change. */
const WALK_STEPS = 4000;
/** Percent of a walk's steps that the actor of the step before takes, by walk. */
const STAYS = [0, 50, 90, 98] as const;

/** One walk by chance, the same for the same number, from where the machine stands. */
const walkOnce = (moves: MachineMoves, walk: number, look: () => void): void => {
  const prng = new Prng(walk + 1);
  // Some walks change the actor at every step, others let one run for long.
  const stays = STAYS[walk % STAYS.length]!;
  let last = -1;
  for (let step = 0; step < WALK_STEPS; step++) {
    const choices = moves.choices();
    if (choices === 0) return;
    let same = 0;
    while (same < choices && moves.token(same) !== last) same++;
    const choice = same < choices && prng.below(100) < stays ? same : prng.below(choices);
    last = moves.token(choice);
    if (moves.take(choice) === DISABLED) last = -1;
    look();
    if (moves.machine.halted) return;
  }
};

/** Walks about on machines of a configuration until it is known which words change, and which arrays grow. */
function* learn(configuration: MachineConfiguration): Generator<undefined, Knowledge> {
  let growth: Growth = NO_GROWTH;
  for (;;) {
    const moves = new MachineMoves(configuration, growth);
    const finder = new FootprintFinder(moves.machine, moves.arena);
    const found = yield* finder.walkAbout((walk, look) => {
      moves.moved();
      walkOnce(moves, walk, look);
    });
    if (!grows(found)) return { ...growth, places: found.places };
    growth = growthOf(growth, found);
  }
}

/** What steps change of the memory of a configuration's machine. It takes a second or two. */
export const learnFootprint = (configuration: MachineConfiguration): Knowledge => {
  const walks = learn(configuration);
  for (;;) {
    const { done, value } = walks.next();
    if (done === true) return value;
  }
};

/**
 * The same, a walk at a time.
 *
 * @param goesOn asked after each walk @returns undefined as soon as it says no
 */
export const learnPatiently = async (
  configuration: MachineConfiguration,
  goesOn: () => Promise<boolean>,
): Promise<Knowledge | undefined> => {
  const walks = learn(configuration);
  for (;;) {
    const { done, value } = walks.next();
    if (done === true) return value;
    if (!(await goesOn())) return undefined;
  }
};
