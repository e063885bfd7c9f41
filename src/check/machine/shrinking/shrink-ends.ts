import { BreadthFirst } from "../../breadth-first.ts";
import { type Replayed, replay, type Tokens, tokensOf } from "../../replay.ts";
import type { Limits } from "../../result.ts";
import type { ShrinkOptions } from "../../shrink.ts";
import { DISABLED, type System, TAKEN } from "../../system.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import { endOf, isEndless, isFair, looksAtEnds, runFairly } from "../progress.ts";
import { MachineSystem } from "../system.ts";
import { VIOLATION } from "../violations.ts";

/** A machine in which it is wrong that nobody has anything left to do, and what the operator asked for is not done. */
export class UnmetSystem extends MachineSystem {
  override atRest(): number {
    return endOf(this, super.atRest());
  }
}

/** A machine in which it counts as wrong to come to one of some states. */
export class RoundSystem extends MachineSystem {
  /** Their fingerprints. */
  wanted: ReadonlySet<string> = new Set();
  private readonly halves = new Uint32Array(2);

  /** Of the current state. */
  get state(): string {
    this.fingerprint(this.halves);
    return this.halves.join();
  }

  override choose(index: number): number {
    const result = super.choose(index);
    return result === TAKEN && this.wanted.size > 0 && this.wanted.has(this.state)
      ? VIOLATION.ENDLESS
      : result;
  }
}

/** The states along a path, the first one included. */
const statesOf = (system: RoundSystem, path: readonly number[]): readonly string[] => {
  system.reset();
  const states = [system.state];
  for (const choice of path) {
    system.choices();
    system.choose(choice);
    states.push(system.state);
  }
  return states;
};

/** Who can take a step in the current state, which is left as it is. */
const able = (system: RoundSystem, here: Uint8Array): ReadonlySet<number> => {
  const length = system.save(here, 0);
  const found = new Set<number>();
  const count = system.choices();
  for (let choice = 0; choice < count; choice++) {
    const actor = system.actor(choice);
    if (!found.has(actor) && system.choose(choice) !== DISABLED) found.add(actor);
    system.restore(here, 0, length);
    system.choices();
  }
  return found;
};

/** Whether everybody who is given turns takes a step on the way round, or cannot in one of its states. */
const isFairRound = (system: RoundSystem, { path, actors }: Replayed, from: number): boolean => {
  const here = new Uint8Array(system.stateBytes);
  const fair = isFair(system);
  let left: readonly number[] | undefined;
  system.reset();
  for (const [step, choice] of path.entries()) {
    if (step >= from) {
      const now = able(system, here);
      left = [...(left ?? now)].filter(
        (actor) => now.has(actor) && fair(actor) && !actors.includes(actor, from),
      );
    }
    system.choices();
    system.choose(choice);
  }
  return left?.length === 0;
};

/** Takes the steps, and looks whether they come back to a state in the end, for ever and wrongly so. */
const replayRound = (system: RoundSystem, tokens: Tokens): Replayed => {
  const played = replay(system, tokens);
  if (played.violation !== TAKEN || !looksAtEnds(system) || system.configuration.fault !== null)
    return played;
  const states = statesOf(system, played.path);
  const from = states.lastIndexOf(states.at(-1)!, -2);
  if (from < 0 || !isEndless(system, played.actors.slice(from)) || !isFairRound(system, played, from))
    return played;
  return { ...played, violation: VIOLATION.ENDLESS, roundFrom: from };
};

/** The same round, come to in the fewest steps, wherever on it that is. */
const sooner =
  (limits: Limits) =>
  (system: RoundSystem, { taken, path, roundFrom = 0 }: Replayed): Tokens | undefined => {
    const round = taken.slice(roundFrom);
    const states = statesOf(system, path).slice(roundFrom);
    system.reset();
    const begin = states.indexOf(system.state);
    if (begin >= 0) return [...round.slice(begin), ...round.slice(0, begin)];
    system.wanted = new Set(states);
    const search = new BreadthFirst(system, { after: "prune", limits: { ...limits, depth: roundFrom - 1 } });
    search.begin();
    const stem = search.untilViolation(VIOLATION.ENDLESS);
    system.wanted = new Set();
    if (stem === undefined || stem.length >= roundFrom) return undefined;
    const at = states.indexOf(statesOf(system, stem).at(-1)!);
    return [...tokensOf(system, stem), ...round.slice(at), ...round.slice(0, at)];
  };

const fairRound = (system: RoundSystem): readonly number[] | undefined => {
  system.reset();
  const { path, violation } = runFairly(system);
  return violation === VIOLATION.ENDLESS ? path : undefined;
};

type Wanted = Pick<ShrinkOptions<MachineConfiguration>, "replay" | "again" | "find" | "shortest">;

const ofRounds =
  <A extends readonly unknown[], R>(work: (system: RoundSystem, ...rest: A) => R) =>
  (system: System, ...rest: A): R => {
    if (!(system instanceof RoundSystem)) throw new TypeError("a machine that is opened for rounds");
    return work(system, ...rest);
  };

/** How a story of a run that goes round for ever is shrunk. Its machine is a RoundSystem. */
export const shrinkingRounds = (limits: Limits): Wanted => ({
  replay: ofRounds(replayRound),
  again: ofRounds(sooner(limits)),
  find: ofRounds(fairRound),
  // What is shortest is for `again` to find.
  shortest: true,
});
