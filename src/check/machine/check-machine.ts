import { BreadthFirst } from "../breadth-first.ts";
import type { Limits, SearchResult, Violation } from "../result.ts";
import { confirmedStory, type Run, type Story, storyOf } from "../story/story.ts";
import { TAKEN } from "../system.ts";
import type { MachineConfiguration } from "./configurations/configuration.ts";
import { goalsMet } from "./goals.ts";
import type { Knowledge } from "./memory/footprint.ts";
import { runFairly } from "./progress.ts";
import { NO_REDUCTIONS, type Reductions } from "./reductions/reductions.ts";
import { searchMachine } from "./search-machine.ts";
import type { MachineSystem } from "./system.ts";
import { VIOLATION, violationId } from "./violations.ts";

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
  /** States of tables and refusals that some run saw, as goals.ts names them. */
  readonly seen: readonly string[];
  readonly story: Story | null;
  /** Whether no story of what is told broken has fewer steps. */
  readonly shortest: boolean;
  /** Which the counts are made with. */
  readonly reductions: Reductions;
}

/** What a search of a machine found. */
export interface MachineResult extends SearchResult {
  /** Absent: none. */
  readonly reductions?: Reductions;
  /** Absent: they are the shortest. */
  readonly shortest?: boolean;
}

/** Searches the states of a machine. It is called anew when it turns out that too little of the state was saved. */
export type MachineSearch = (system: MachineSystem) => MachineResult | Promise<MachineResult>;

export interface CheckOptions {
  /** Of the usual search. */
  readonly limits?: Limits;
  /** In place of the usual search, which is breadth first on this thread. */
  readonly search?: MachineSearch;
  /** What an earlier search found out of the memory that changes. */
  readonly knowledge?: Knowledge | undefined;
}

const breadthFirst =
  (limits: Limits): MachineSearch =>
  (system) => {
    const search = new BreadthFirst(system, { limits });
    search.begin();
    return search.run();
  };

/** The violations of a search by their ids, and the story of the first: it breaks once more, in a machine of its own. */
export const toldOf = (
  system: MachineSystem,
  violations: readonly (Violation & Run)[],
): { readonly broken: readonly string[]; readonly story: Story | null } => {
  const [first] = violations;
  return {
    broken: violations.map(({ violation }) => violationId(violation)),
    story: first === undefined ? null : confirmedStory(system, first),
  };
};

/** What is left to break where nothing does: that all comes to an end, and to the one that the operator asked for. */
const stuck = (system: MachineSystem): readonly (Violation & Run)[] => {
  system.reduce(NO_REDUCTIONS);
  system.reset();
  const { path, violation, atRest, roundFrom } = runFairly(system);
  if (violation <= TAKEN || violation === VIOLATION.NOT_MODELLED) return [];
  const goesRound = violation === VIOLATION.ENDLESS;
  return [{ path, violation, atRest: atRest && !goesRound, ...(goesRound && { roundFrom }) }];
};

/**
 * Explores a configuration until something breaks or every state was met. Something is said to be broken only if its story
 * breaks it once more, in a machine of its own.
 */
export const checkMachine = (
  configuration: MachineConfiguration,
  { limits = {}, search = breadthFirst(limits), knowledge }: CheckOptions = {},
): Promise<CheckedMachine> =>
  searchMachine(
    configuration,
    async (system) => {
      const result = await search(system);
      const { violations, end, states, transitions, depth, bytes, omission } = result;
      const { reductions = NO_REDUCTIONS } = result;
      const { broken, story } = toldOf(system, violations.length > 0 ? violations : stuck(system));
      const verdict = story !== null ? "broken" : end === "complete" ? "held" : "partial";
      const shortest = story === null || (violations.length > 0 && result.shortest !== false);
      const counts = { states, transitions, depth, bytes, omission, seen: goalsMet(result.goals) };
      return { configuration, verdict, end, ...counts, broken, story, shortest, reductions };
    },
    knowledge,
  );

/** Replays a run on its machine. */
export const replayMachine = ({
  configuration,
  ...run
}: Run & { readonly configuration: MachineConfiguration }): Promise<Story> =>
  searchMachine(configuration, (system: MachineSystem) => storyOf(system, run));
