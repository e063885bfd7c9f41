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
  /** Steps after which it goes round for ever; absent: it ends. */
  readonly roundFrom?: number;
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
  /** Takes the steps of a story and judges it, where its violation is not one of a state; as the system says if absent. */
  readonly replay?: (system: System, tokens: Tokens) => Replayed;
  /** Looks for a shorter story in another way, once no step can be left out. */
  readonly again?: (system: System, best: Replayed) => Tokens | undefined;
  /** Looks for a path to a violation in a smaller configuration, where the story as it is comes to nothing; breadth first if absent. */
  readonly find?: (system: System, violation: number) => readonly number[] | undefined;
}

const USUAL_LIMITS: Limits = { states: 200_000, bytes: 2 ** 28 };

/** How often the actor changes from one step to the next. */
export const switchesOf = (actors: readonly number[]): number =>
  actors.reduce((count, actor, step) => (step > 0 && actor !== actors[step - 1] ? count + 1 : count), 0);

/** How a story is judged, and looked for anew. */
type Judge = Pick<ShrinkOptions<never>, "again"> & Required<Pick<ShrinkOptions<never>, "replay">>;

/** Tries stories against one system and keeps the best: fewest steps, then fewest switches. */
class Shortening {
  best: Replayed;
  private readonly system: System;
  private readonly judge: Judge;
  private left: number;

  constructor(system: System, tokens: Tokens, violation: number, tries: number, judge: Judge) {
    this.system = system;
    this.left = tries;
    this.judge = judge;
    this.best = judge.replay(system, tokens);
    assert(this.best.violation === violation, "a story that is shrunk ends in its violation");
  }

  /** @returns whether it is better, and is now the best */
  try(tokens: Tokens): boolean {
    const { best } = this;
    if (this.left-- <= 0) return false;
    const other = this.judge.replay(this.system, tokens);
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
      const other = this.judge.again?.(this.system, this.best);
      if (other !== undefined) this.try(other);
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
  judge: Judge,
): Shortened<C> => {
  const shortening = new Shortening(system, tokens, violation, tries, judge);
  shortening.shorten();
  const { taken, path, atRest, actors, roundFrom } = shortening.best;
  const round = roundFrom === undefined ? {} : { roundFrom };
  return { configuration, tokens: taken, path, violation, atRest, ...round, switches: switchesOf(actors) };
};

/** A story as it becomes smaller. */
class Shrinking<C> {
  best: Shortened<C>;
  private readonly options: ShrinkOptions<C>;
  private readonly tries: number;
  private readonly limits: Limits;
  private readonly judge: Judge;

  constructor(story: Story<C>, options: ShrinkOptions<C>) {
    this.options = options;
    this.tries = options.tries ?? Number.POSITIVE_INFINITY;
    this.limits = options.limits ?? USUAL_LIMITS;
    this.judge = { replay, ...options };
    const { configuration, violation } = story;
    this.best = shorten(configuration, options.open(configuration), story, this.tries, this.judge);
    if (options.shortest === true) return;
    const system = options.open(configuration);
    const path = shortest(system, violation, { ...this.limits, depth: this.best.tokens.length - 1 });
    this.best = this.found(configuration, system, path) ?? this.best;
  }

  get story(): Story<C> {
    const { switches, ...story } = this.best;
    return story;
  }

  private found(
    configuration: C,
    system: System,
    path: readonly number[] | undefined,
  ): Shortened<C> | undefined {
    const { violation } = this.best;
    if (path === undefined) return undefined;
    const tokens = tokensOf(system, path);
    return shorten(configuration, system, { tokens, violation }, this.tries, this.judge);
  }

  /** @returns whether the violation is met in another configuration in no more steps and switches: that is the best now */
  tryIn(configuration: C): boolean {
    const { best, limits, tries, options, judge } = this;
    const { violation, tokens } = best;
    const system = options.open(configuration);
    const find = options.find ?? (() => shortest(system, violation, { ...limits, depth: tokens.length }));
    const other =
      judge.replay(system, tokens).violation === violation
        ? shorten(configuration, system, best, tries, judge)
        : this.found(configuration, system, find(system, violation));
    const [steps, most] = [other?.tokens.length ?? Number.POSITIVE_INFINITY, tokens.length];
    if (other === undefined || steps > most || (steps === most && other.switches > best.switches))
      return false;
    this.best = other;
    return true;
  }
}

/**
 * Shrinks a story: first to the fewest steps, then to the fewest switches from one actor to another; then the configuration,
 * as far as a smaller one has the violation in no more of either. The same story comes out every time.
 *
 * What has fewer steps is searched for breadth first within `limits`: only if that search is cut short may there be a
 * story with fewer. A smaller configuration is tried with the story as it is, and searched if that comes to nothing.
 *
 * Before each configuration that it tries it yields the best story so far, for whoever is content with it.
 */
export function* shrinking<C>(
  story: Story<C>,
  options: ShrinkOptions<C>,
): Generator<Story<C>, Story<C>, undefined> {
  const shrinks = new Shrinking(story, options);
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const configuration of options.smaller(shrinks.best.configuration)) {
      yield shrinks.story;
      isSmaller = shrinks.tryIn(configuration);
      if (isSmaller) break;
    }
  }
  return shrinks.story;
}

/** Shrinks a story to the end. */
export const shrink = <C>(story: Story<C>, options: ShrinkOptions<C>): Story<C> => {
  const stories = shrinking(story, options);
  for (;;) {
    const { done, value } = stories.next();
    if (done === true) return value;
  }
};
