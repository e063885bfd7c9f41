import { walkersOf } from "../campaign/walkers.ts";
import { walkRandomly } from "../random-walks.ts";
import { tokensOf } from "../replay.ts";
import { shrinking } from "../shrink.ts";
import { confirmedStory, type Story } from "../story/story.ts";
import type { System } from "../system.ts";
import type { MachineConfiguration } from "./configuration.ts";
import type { Knowledge } from "./footprint.ts";
import { smallerConfigurations } from "./smaller.ts";
import { MachineSystem } from "./system.ts";
import { FootprintError } from "./untouched.ts";
import { numberOfText, VIOLATION } from "./violations.ts";

/** States that a search for a smaller configuration may meet. */
const MOST_STATES = 20_000;
const MOST_BYTES = 2 ** 28;

/** Stories that are tried in each machine. */
const MOST_STORIES = 200;
/** Walks of each kind through a smaller machine. */
const WALKS = 3;
/** Smaller machines that are tried, unless told otherwise. */
const MOST_MACHINES = 100;
/** How often more is found out of the memory that changes before a story is left as it is. */
const MOST_TRIES = 20;

/** Opens machines, with all that was found out of each so far. */
class Machines {
  private readonly known = new Map<string, Knowledge>();
  private last = "";

  open(configuration: MachineConfiguration): MachineSystem {
    this.last = JSON.stringify(configuration);
    const system = new MachineSystem(configuration, this.known.get(this.last));
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
      limits: { states: MOST_STATES, bytes: MOST_BYTES },
      ...{ tries: MOST_STORIES, shortest },
      ...(walks && { find: walking(walks) }),
    },
  );
  for (let tried = 0; ; tried++) {
    const { done, value: best } = stories.next();
    if (done !== true && tried < most && (await between(tried))) continue;
    return confirmedStory(machines.open(best.configuration), {
      path: best.path,
      atRest: best.atRest,
      violation,
    });
  }
};

/**
 * The story of a rule's violation with the fewest steps, then the fewest switches of actor, then in the smallest machine,
 * as far as a bounded number of attempts finds them; the same each time, unless it is stopped. A story of something that
 * never comes about is left as it is: no step of it is wrong.
 *
 * @missing a promise that no smaller machine has it, and that no story is shorter, once a bound was met
 */
export const shrinkStory = async (story: Story, options: ShrinkStoryOptions): Promise<Story> => {
  const machines = new Machines();
  const violation = numberOfText(story.violation);
  if (violation === VIOLATION.ENDLESS || violation === VIOLATION.UNMET) return story;
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
