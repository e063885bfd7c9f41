import { assert } from "../../assert.ts";
import { type FairCycle, fairCycles, type Lasso, lassoOf } from "../fair-cycles.ts";
import { StateGraph } from "../state-graph.ts";
import { type Story, storyOf } from "../story/story.ts";
import { TAKEN } from "../system.ts";
import type { MachineConfiguration } from "./configuration.ts";
import { isMet } from "./progress.ts";
import { NO_REDUCTIONS } from "./reductions.ts";
import { searchMachine } from "./search-machine.ts";
import { MachineSystem } from "./system.ts";
import { VIOLATION, violationId, violationText } from "./violations.ts";

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
  /** Step after which the story goes round for ever; null if it ends. */
  readonly roundFrom: number | null;
}

export interface LivenessOptions {
  /** States after which it ends. */
  readonly states: number;
  /** Called after some states. @returns false to end here */
  readonly between?: (states: number) => boolean | Promise<boolean>;
}

/** States between two looks at what happens outside. */
const TURN = 500;

/**
 * Whether going round is wrong: tasks keep each other busy, or a device is asked again and again. A driver whose memory is in use,
 * and that looks again whenever its timer expires, asks nobody.
 */
const isWrong = ({ machine: { tasks }, programs }: MachineSystem, { actors }: FairCycle): boolean =>
  tasks.deviceLoops.some(({ index }) => actors.includes(index)) ||
  actors.every((actor) => actor < tasks.actors.length + programs.all.length);

/** Tasks and timers are given turns. People act if they like. */
const isFair =
  ({ machine: { tasks }, programs }: MachineSystem) =>
  (actor: number): boolean =>
    actor < tasks.actors.length || actor >= tasks.actors.length + programs.all.length;

/** The end of all that people do has to be the one that the operator asked for, unless something failed on the way. */
const judge = (system: MachineSystem): number => {
  const result = system.atRest();
  if (result !== TAKEN || !system.programs.done || system.configuration.fault !== null) return result;
  const { vmm, halted } = system.machine;
  // _OST: a DIMM that cannot leave is told so, and that is an answer.
  const refused = vmm.dimms.count > 0 && vmm.dimms.isPlugged(0) && vmm.dimms.ostStatus(0) !== 0;
  return halted || refused || isMet(system) ? TAKEN : VIOLATION.UNMET;
};

const fingerprintAfter = (system: MachineSystem, path: readonly number[]): string => {
  const halves = new Uint32Array(2);
  system.reset();
  for (const choice of path) {
    system.choices();
    system.choose(choice);
  }
  system.fingerprint(halves);
  return halves.join();
};

/** The run as it comes out in a machine of its own, where its end has to be where it began to go round. */
const lassoStory = (searched: MachineSystem, { stem, loop }: Lasso): Story => {
  const { configuration, knowledge } = searched;
  const path = [...stem, ...loop];
  const system = new MachineSystem(configuration, knowledge);
  assert(
    fingerprintAfter(system, stem) === fingerprintAfter(system, path),
    () => `${configuration.name}: a run that goes round comes back in a machine of its own`,
  );
  const why = `steps ${stem.length + 1} to ${path.length} happen again and again, for ever`;
  return { ...storyOf(system, path, false), broken: true, violation: violationText(VIOLATION.ENDLESS), why };
};

const whole = async (graph: StateGraph, { states, between }: LivenessOptions): Promise<void> => {
  while (!graph.complete && graph.states < states && graph.wrong.size === 0) {
    graph.expand(TURN);
    if ((await between?.(graph.states)) === false) return;
  }
};

const look = async (system: MachineSystem, options: LivenessOptions): Promise<LiveMachine> => {
  const { configuration } = system;
  system.reduce(NO_REDUCTIONS);
  const graph = new StateGraph(system, () => judge(system));
  await whole(graph, options);
  const counts = { configuration, states: graph.states, steps: graph.targets.length, waits: 0 };
  const [wrong] = graph.wrong.values();
  if (wrong !== undefined) {
    const { violation, path } = wrong;
    const own = new MachineSystem(configuration, system.knowledge);
    const story = { ...storyOf(own, path, false), broken: true, violation: violationText(violation) };
    return { ...counts, verdict: "broken", broken: [violationId(violation)], story, roundFrom: null };
  }
  const nothing = { broken: [], story: null, roundFrom: null };
  if (!graph.complete) return { ...counts, verdict: "partial", ...nothing };
  const cycles = fairCycles(graph, isFair(system));
  const endless = cycles.find((cycle) => isWrong(system, cycle));
  if (endless === undefined) return { ...counts, waits: cycles.length, verdict: "ends", ...nothing };
  const lasso = lassoOf(graph, endless);
  const broken = [violationId(VIOLATION.ENDLESS)];
  const story = lassoStory(system, lasso);
  return { ...counts, verdict: "broken", broken, story, roundFrom: lasso.stem.length };
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
  searchMachine({ ...configuration, rules: ["end"] }, (system) => look(system, options));
