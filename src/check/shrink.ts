import { assert } from "../assert.ts";
import { BreadthFirst } from "./breadth-first.ts";
import { type Replayed, replay, type Tokens, tokensOf } from "./replay.ts";
import type { Limits } from "./result.ts";
import type { OpenSystem, System } from "./system.ts";

/** A story of a violation, in the configuration in which it happens. */
export interface Story<Configuration> {
  readonly configuration: Configuration;
  readonly tokens: Tokens;
  readonly path: readonly number[];
  readonly violation: number;
  readonly atRest: boolean;
}

export interface ShrinkOptions<Configuration> {
  readonly open: OpenSystem<Configuration>;
  /** Configurations that are next smaller (one unit, vCPU or fault less), those to be preferred first. */
  readonly smaller: (configuration: Configuration) => readonly Configuration[];
  /** How far a smaller configuration, or a shorter story, is searched for. */
  readonly limits?: Limits;
  /** Stories that are tried to make one of a configuration shorter; without bound if absent. */
  readonly tries?: number;
  /** It is known that no story of the configuration has fewer steps. */
  readonly shortest?: boolean;
}

const USUAL_LIMITS: Limits = { states: 200_000, bytes: 2 ** 28 };

/** How often the actor changes from one step to the next. */
export const switchesOf = (actors: readonly number[]): number =>
  actors.reduce((count, actor, step) => (step > 0 && actor !== actors[step - 1] ? count + 1 : count), 0);

/** Tries stories against one system and keeps the best: fewest steps, then fewest switches. */
class Shortening {
  best: Replayed;
  private readonly system: System;
  private left: number;

  constructor(system: System, tokens: Tokens, violation: number, tries: number) {
    this.system = system;
    this.left = tries;
    this.best = replay(system, tokens);
    assert(this.best.violation === violation, "a story that is shrunk ends in its violation");
  }

  /** @returns whether it is better, and is now the best */
  try(tokens: Tokens): boolean {
    const { best } = this;
    if (this.left-- <= 0) return false;
    const other = replay(this.system, tokens);
    if (other.violation !== best.violation || other.taken.length > best.taken.length) return false;
    const fewer = other.taken.length < best.taken.length;
    if (!fewer && switchesOf(other.actors) >= switchesOf(best.actors)) return false;
    this.best = other;
    return true;
  }

  /** Leaves out stretches, long ones first, until no single step can go. */
  dropSteps(): void {
    for (let length = this.best.taken.length >> 1; length >= 1; length = Math.min(length >> 1, length - 1)) {
      for (let at = 0; at < this.best.taken.length; ) {
        const { taken } = this.best;
        if (!this.try([...taken.slice(0, at), ...taken.slice(at + length)])) at += length;
      }
    }
  }

  /** All steps of one actor go, where the story does without it. */
  dropActors(): void {
    for (const actor of new Set(this.best.actors)) {
      const { taken, actors } = this.best;
      this.try(taken.filter((_, step) => actors[step] !== actor));
    }
  }

  /** Moves the run of steps that begins at `step` next to others of its actor. @returns whether one was better */
  private moveRun(step: number): boolean {
    const { taken, actors } = this.best;
    const actor = actors[step];
    let end = step + 1;
    while (end < taken.length && actors[end] === actor) end++;
    const others = (all: readonly number[], end: number) => [...all.slice(0, step), ...all.slice(end)];
    for (; end > step; end--) {
      const [steps, who] = [others(taken, end), others(actors, end)];
      for (let to = 0; to <= steps.length; to++) {
        if (to === step || (who[to - 1] !== actor && who[to] !== actor)) continue;
        if (this.try([...steps.slice(0, to), ...taken.slice(step, end), ...steps.slice(to)])) return true;
      }
    }
    return false;
  }

  /** Brings steps of one actor together until no move of a run makes for fewer switches. */
  joinRuns(): void {
    for (let step = 0; step < this.best.taken.length; ) step = this.moveRun(step) ? 0 : step + 1;
  }

  shorten(): void {
    for (let before = -1; before !== this.best.taken.length; ) {
      before = this.best.taken.length;
      this.dropActors();
      this.dropSteps();
      this.joinRuns();
    }
  }
}

/** The shortest story of a violation within limits, or undefined. */
const shortest = (system: System, violation: number, limits: Limits & { readonly depth: number }) => {
  const search = new BreadthFirst(system, { after: "prune", limits });
  search.begin();
  const path = search.untilViolation(violation);
  return path === undefined || path.length > limits.depth ? undefined : path;
};

/** A story, and how often its actor changes. */
type Shortened<C> = Story<C> & { readonly switches: number };

const shorten = <C>(
  configuration: C,
  system: System,
  { tokens, violation }: Pick<Story<C>, "tokens" | "violation">,
  tries: number,
): Shortened<C> => {
  const shortening = new Shortening(system, tokens, violation, tries);
  shortening.shorten();
  const { taken, path, atRest, actors } = shortening.best;
  return { configuration, tokens: taken, path, violation, atRest, switches: switchesOf(actors) };
};

/**
 * Shrinks a story: first to the fewest steps, then to the fewest switches from one actor to another; then the configuration,
 * as far as a smaller one has the violation in no more of either. The same story comes out every time.
 *
 * What has fewer steps is searched for breadth first within `limits`: only if that search is cut short may there be a
 * story with fewer. A smaller configuration is tried with the story as it is, and searched if that comes to nothing.
 */
export const shrink = <C>(story: Story<C>, options: ShrinkOptions<C>): Story<C> => {
  const { open, smaller, limits = USUAL_LIMITS, shortest: isShortest = false } = options;
  const { tries = Number.POSITIVE_INFINITY } = options;
  const { violation } = story;
  const searched = (configuration: C, system: System, depth: number): Shortened<C> | undefined => {
    const path = shortest(system, violation, { ...limits, depth });
    return path && shorten(configuration, system, { tokens: tokensOf(system, path), violation }, tries);
  };
  let best = shorten(story.configuration, open(story.configuration), story, tries);
  if (!isShortest)
    best = searched(best.configuration, open(best.configuration), best.tokens.length - 1) ?? best;
  const tryIn = (configuration: C): boolean => {
    const system = open(configuration);
    const same = replay(system, best.tokens).violation === violation;
    const other = same
      ? shorten(configuration, system, best, tries)
      : searched(configuration, system, best.tokens.length);
    const [steps, most] = [other?.tokens.length ?? Number.POSITIVE_INFINITY, best.tokens.length];
    if (other === undefined || steps > most || (steps === most && other.switches > best.switches))
      return false;
    best = other;
    return true;
  };
  while (smaller(best.configuration).some(tryIn));
  const { switches, ...shrunk } = best;
  return shrunk;
};
