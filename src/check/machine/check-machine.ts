import { BreadthFirst } from "../breadth-first.ts";
import type { Counts, Limits } from "../result.ts";
import { confirmedStory, type Story, storyOf } from "../story/story.ts";
import type { MachineConfiguration } from "./configuration.ts";
import { searchMachine } from "./search-machine.ts";
import type { MachineSystem } from "./system.ts";
import { violationId } from "./violations.ts";

/** What a search of one configuration came to. */
export interface CheckedMachine {
  readonly configuration: MachineConfiguration;
  /** `held`: in every state; `broken`: with its shortest story; `partial`: in the states that were met. */
  readonly verdict: "held" | "broken" | "partial";
  readonly end: string;
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly bytes: number;
  /** Upper bound of the probability that a state was left out. */
  readonly omission: number;
  readonly broken: readonly string[];
  readonly story: Story | null;
}

export interface CheckOptions {
  readonly limits: Limits;
  /** Called now and then; the search waits for the answer. @returns false to end it */
  readonly between?: (counts: Counts) => Promise<boolean>;
}

/**
 * Explores a configuration breadth first, until something breaks or every state was met. Something is said to be broken
 * only if its story breaks it once more, in a machine of its own.
 */
export const checkMachine = (
  configuration: MachineConfiguration,
  { limits, between }: CheckOptions,
): Promise<CheckedMachine> =>
  searchMachine(configuration, async (system) => {
    const search = new BreadthFirst(system, { limits, between: () => between === undefined });
    search.begin();
    let result = search.run();
    while (result.end === "interrupted" && (await between?.(result)) === true) result = search.run();
    const { violations, end, states, transitions, depth, bytes, omission } = result;
    const [first] = violations;
    return {
      configuration,
      verdict: first !== undefined ? "broken" : end === "complete" ? "held" : "partial",
      ...{ end, states, transitions, depth, bytes, omission },
      broken: violations.map(({ violation }) => violationId(violation)),
      story: first === undefined ? null : confirmedStory(system, first),
    };
  });

/** Replays choices on a configuration's machine. */
export const replayMachine = (
  configuration: MachineConfiguration,
  path: readonly number[],
  atRest: boolean,
): Promise<Story> => searchMachine(configuration, (system: MachineSystem) => storyOf(system, path, atRest));
