import { walkersOf } from "../../campaign/walkers.ts";
import { walkRandomly } from "../../random-walks.ts";
import { tokensOf } from "../../replay.ts";
import { shrinking } from "../../shrink.ts";
import { confirmedStory, type Story } from "../../story/story.ts";
import type { System } from "../../system.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import type { Knowledge } from "../memory/footprint.ts";
import { FootprintError } from "../reductions/untouched.ts";
import { MachineSystem } from "../system.ts";
import { numberOfText, VIOLATION } from "../violations.ts";
import { RoundSystem, shrinkingRounds, UnmetSystem } from "./shrink-ends.ts";
import { smallerConfigurations } from "./smaller.ts";

/** How far a smaller configuration is searched. */
const LIMITS = { states: 20_000, bytes: 2 ** 28 };

/** Stories that are tried in each machine. */
const MOST_STORIES = 200;
/** The same of stories that go round: no search says what is shortest. */
const MOST_ROUNDS = 2000;
/** Walks of each kind through a smaller machine. */
const WALKS = 3;
/** Smaller machines that are tried, unless told otherwise. */
const MOST_MACHINES = 100;
/** How often more is found out of the memory that changes before a story is left as it is. */
const MOST_TRIES = 20;

/** How a machine is opened in which a violation is looked for. */
const KINDS: ReadonlyMap<number, typeof MachineSystem> = new Map([
  [VIOLATION.UNMET, UnmetSystem],
  [VIOLATION.ENDLESS, RoundSystem],
]);

/** Opens machines, with all that was found out of each so far. */
class Machines {
  private readonly known = new Map<string, Knowledge>();
  private readonly Kind: typeof MachineSystem;
  private last = "";

  constructor(violation: number) {
    this.Kind = KINDS.get(violation) ?? MachineSystem;
  }

  open(configuration: MachineConfiguration): MachineSystem {
    this.last = JSON.stringify(configuration);
    const system = new this.Kind(configuration, this.known.get(this.last));
    this.known.set(this.last, system.knowledge);
    return system;
  }

  learn({ knowledge }: FootprintError): void {
    this.known.set(this.last, knowledge);
  }
}

export interface ShrinkStoryOptions {
  /** It is known that no story of its machine has fewer steps. */
  readonly shortest: boolean;
  /** Smaller machines are walked through, as a campaign does, where the story comes to nothing; absent: searched breadth first. */
  readonly walks?: { readonly seed: number; readonly steps: number };
  /** Smaller machines that are tried at most. */
  readonly machines?: number;
  /** Called before each of them. @returns false to be content with what there is */
  readonly between?: (tried: number) => Promise<boolean>;
}

/** Looks for a violation in some walks by chance and by priorities. */
const walking =
  ({ seed, steps }: { readonly seed: number; readonly steps: number }) =>
  (system: System, violation: number): readonly number[] | undefined => {
    for (const walker of walkersOf(seed)) {
      const { violations } = walkRandomly(system, { walker, firstSeed: seed, walks: WALKS, steps });
      const found = violations.find((other) => other.violation === violation);
      if (found !== undefined) return found.path;
    }
    return undefined;
  };

const shrinkIn = async (
  machines: Machines,
  { configuration, path, atRest, violation: text }: Story,
  { shortest, walks, machines: most = MOST_MACHINES, between = async () => true }: ShrinkStoryOptions,
): Promise<Story> => {
  const violation = numberOfText(text);
  const system = machines.open(configuration);
  const tokens = tokensOf(system, path);
  system.verify();
  const stories = shrinking<MachineConfiguration>(
    { configuration, tokens, path, violation, atRest },
    {
      open: (smaller) => machines.open(smaller),
      smaller: smallerConfigurations,
      limits: LIMITS,
      ...{ tries: MOST_STORIES, shortest },
      ...(walks && { find: walking(walks) }),
      ...(violation === VIOLATION.ENDLESS && { ...shrinkingRounds(LIMITS), tries: MOST_ROUNDS }),
    },
  );
  for (let tried = 0; ; tried++) {
    const { done, value: best } = stories.next();
    if (done !== true && tried < most && (await between(tried))) continue;
    return confirmedStory(machines.open(best.configuration), {
      ...{ path: best.path, atRest: best.atRest, violation },
      ...(best.roundFrom !== undefined && { roundFrom: best.roundFrom }),
    });
  }
};

/**
 * The story of a rule's violation with the fewest steps, then the fewest switches of actor, then in the smallest machine,
 * as far as a bounded number of attempts finds them; the same each time, unless it is stopped. A story of something that
 * never comes about is shrunk to a shorter one of the same: a run that goes round for ever although everybody is given turns, or one
 * after which nobody has anything left to do.
 *
 * @missing a promise that no smaller machine has it, and that no story is shorter, once a bound was met
 */
export const shrinkStory = async (story: Story, options: ShrinkStoryOptions): Promise<Story> => {
  const machines = new Machines(numberOfText(story.violation));
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    try {
      return await shrinkIn(machines, story, options);
    } catch (error) {
      if (!(error instanceof FootprintError)) throw error;
      machines.learn(error);
    }
  }
  return story;
};
