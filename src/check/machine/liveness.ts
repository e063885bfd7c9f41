import { fairCycles, lassoOf } from "../fair-cycles.ts";
import { StateGraph } from "../state-graph.ts";
import { confirmedStory, type Story } from "../story/story.ts";
import type { MachineConfiguration } from "./configurations/configuration.ts";
import { endOf, isEndless, isFair, PROGRESS } from "./progress.ts";
import { NO_REDUCTIONS } from "./reductions/reductions.ts";
import { searchMachine } from "./search-machine.ts";
import type { MachineSystem } from "./system.ts";
import { VIOLATION, violationId } from "./violations.ts";

/** Whether all that is begun in a configuration ends. */
export interface LiveMachine {
  readonly configuration: MachineConfiguration;
  /** `ends`: in every run; `broken`: with its story; `partial`: there are more states than were asked for. */
  readonly verdict: "ends" | "broken" | "partial";
  readonly states: number;
  readonly steps: number;
  /** Where states come back for ever with everybody given turns, and rightly so: a driver waits for memory that is in use. */
  readonly waits: number;
  readonly broken: readonly string[];
  readonly story: Story | null;
}

export interface LivenessOptions {
  /** States after which it ends. */
  readonly states: number;
  /** Called after some states. @returns false to end here */
  readonly between?: (states: number) => boolean | Promise<boolean>;
}

/** States between two looks at what happens outside. */
const TURN = 500;

const whole = async (graph: StateGraph, { states, between }: LivenessOptions): Promise<void> => {
  while (!graph.complete && graph.states < states && graph.wrong.size === 0) {
    graph.expand(TURN);
    if ((await between?.(graph.states)) === false) return;
  }
};

const goTo = (system: MachineSystem, path: readonly number[]): void => {
  system.reset();
  for (const choice of path) {
    system.choices();
    system.choose(choice);
  }
};

const look = async (system: MachineSystem, options: LivenessOptions): Promise<LiveMachine> => {
  const { configuration } = system;
  system.reduce(NO_REDUCTIONS);
  const graph = new StateGraph(system, () => endOf(system));
  await whole(graph, options);
  const counts = { configuration, states: graph.states, steps: graph.targets.length, waits: 0 };
  const [wrong] = graph.wrong.values();
  if (wrong !== undefined)
    return {
      ...{ ...counts, verdict: "broken", broken: [violationId(wrong.violation)] },
      story: confirmedStory(system, wrong),
    };
  const nothing = { broken: [], story: null };
  if (!graph.complete) return { ...counts, verdict: "partial", ...nothing };
  const cycles = fairCycles(graph, isFair(system));
  const endless = cycles.find(({ states: [state], actors }) => {
    goTo(system, graph.pathTo(state!));
    return isEndless(system, actors);
  });
  if (endless === undefined) return { ...counts, waits: cycles.length, verdict: "ends", ...nothing };
  const { stem, loop } = lassoOf(graph, endless);
  const violation = VIOLATION.ENDLESS;
  const run = { path: [...stem, ...loop], violation, atRest: false, roundFrom: stem.length };
  return {
    ...counts,
    verdict: "broken",
    broken: [violationId(violation)],
    story: confirmedStory(system, run),
  };
};

/**
 * Looks at all states of a configuration at once, and at all steps between them: whether what was begun ends, if whoever can go
 * on is given a turn some time. Invariants are not looked at; a panic, the end of the VM and a deadlock are.
 *
 * No reduction is sound here, so none is used.
 */
export const livenessOf = (
  configuration: MachineConfiguration,
  options: LivenessOptions,
): Promise<LiveMachine> =>
  searchMachine({ ...configuration, rules: [PROGRESS] }, (system) => look(system, options));
