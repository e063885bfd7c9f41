import { assert } from "../../assert.ts";
import type { TraceEvent } from "../../machine/trace.ts";
import { MIB } from "../../units.ts";
import type { MachineConfiguration } from "../machine/configurations/configuration.ts";
import { isEndless, runFairly, unmetSlots } from "../machine/progress.ts";
import { MachineSystem } from "../machine/system.ts";
import { numberOf, VIOLATION, violationText } from "../machine/violations.ts";
import type { Violation } from "../result.ts";
import { TAKEN } from "../system.ts";
import { StoryFileError } from "./story-file.ts";

/** What one or more steps in a row of one actor did. */
export interface StoryRow {
  /** Number of the last of its steps, from 1. */
  readonly step: number;
  readonly steps: number;
  readonly actor: string;
  /** The last step: procedure and label, or what somebody did. */
  readonly what: string;
  /** What others can see of it: call, place, status, state after. */
  readonly effects: readonly string[];
  /** The places of these effects, and the states after. */
  readonly shown: readonly StoryEffect[];
}

/** What an effect shows of a stretch of memory. */
export interface StoryEffect {
  /** First and last byte; empty if it has no place. */
  readonly place: string;
  /** Its state after it; empty if nothing changed. */
  readonly after: string;
}

/** A run of a machine that ends in a broken rule. */
export interface Story {
  /** The machine in which it happens. */
  readonly configuration: MachineConfiguration;
  readonly path: readonly number[];
  readonly atRest: boolean;
  /** Steps after which it goes round for ever; absent: it ends. */
  readonly roundFrom?: number | undefined;
  /** Rule, and which of its terms is false. */
  readonly violation: string;
  readonly why: string;
  /** False for a saved story that does not come out as it did. */
  readonly broken: boolean;
  readonly rows: readonly StoryRow[];
}

const hex = (address: number): string => `0x${address.toString(16)}`;

const placeOf = (start: number, end: number): string =>
  start === end ? "" : `${hex(start)}-${hex(end - 1)}`;

const effectOf = ({ what, start, end, status, after }: TraceEvent): string => {
  const place = placeOf(start, end);
  return `${what}${place === "" ? "" : ` ${place}`} ${status}${after === "" ? "" : `, now ${after}`}`;
};

/** A way through a machine. */
export type Run = Pick<Story, "path" | "atRest" | "roundFrom">;

/** Watches a run come back to where it begins to go round. */
class Round {
  private readonly from: number | undefined;
  private before = "";
  private readonly actors: number[] = [];

  constructor({ roundFrom }: Run) {
    this.from = roundFrom;
  }

  /** So many steps were taken, the last by an actor. */
  taken(system: MachineSystem, steps: number, actor: number): void {
    if (this.from === undefined || steps < this.from) return;
    if (steps === this.from) this.before = keyOf(system);
    else this.actors.push(actor);
  }

  /** Whether all that happened since happens again and again, and should not. */
  isClosed(system: MachineSystem): boolean {
    return this.actors.length > 0 && this.before === keyOf(system) && isEndless(system, this.actors);
  }
}

const keyOf = (system: MachineSystem): string => {
  const key = new Uint8Array(system.keyBytes);
  return key.subarray(0, system.key(key, 0)).join();
};

/** A saved story may be of another version of the program, in which it went another way. What it would show says nothing then. */
const refuseStray = (index: number, choice: number, choices: number): void => {
  if (choice < choices) return;
  const expected = choices === 0 ? "no more steps" : `a choice below ${choices}`;
  throw new StoryFileError(
    `step ${index + 1} of the story: expected ${expected}, found ${choice}; another version of the program saved it, or it was changed: save it anew with tidemark check --save`,
  );
};

/**
 * Takes the choices of a path and tells what happens. Steps that others cannot see fold into the next one that they can.
 *
 * @throws FootprintError when a step changed what the search does not save: it is looked at after each;
 *   StoryFileError for a path with a choice that there is not
 */
export const storyOf = (system: MachineSystem, run: Run): Story => {
  const { machine } = system;
  const { path, atRest, roundFrom } = run;
  const round = new Round(run);
  const rows: StoryRow[] = [];
  let result: number = TAKEN;
  let events: TraceEvent[] = [];
  let last = -1;
  machine.trace.raw = (event) => events.push({ ...event });
  system.reset();
  round.taken(system, 0, last);
  for (const [index, choice] of path.entries()) {
    if (result !== TAKEN) break;
    refuseStray(index, choice, system.choices());
    events = [];
    const label = system.label(choice);
    last = system.actor(choice);
    result = system.choose(choice);
    system.verify();
    addRow(rows, index + 1, label, events, roundFrom);
    round.taken(system, index + 1, last);
  }
  if (result === TAKEN && round.isClosed(system)) result = VIOLATION.ENDLESS;
  if (atRest && result === TAKEN) result = runFairly(system, last).violation;
  machine.trace.raw = undefined;
  const broken = result > TAKEN;
  return {
    configuration: system.configuration,
    path,
    atRest,
    ...(roundFrom !== undefined && { roundFrom }),
    broken,
    violation: broken ? violationText(result) : "nothing that is wrong",
    why: whyOf(system, result, run),
    rows,
  };
};

/** What the operator asked for, and what there is. */
const unmet = (system: MachineSystem): string => {
  const { vmm } = system.machine;
  const device = vmm.devices.find(({ requestedSize, pluggedSize }) => requestedSize !== pluggedSize);
  const [slot = 0] = unmetSlots(system);
  if (device === undefined) return `dimm${slot} is ${vmm.dimms.isPlugged(slot) ? "still" : "not"} there`;
  return `${device.id} was asked for ${device.requestedSize / MIB}M and has ${device.pluggedSize / MIB}M`;
};

/** Place and term of the broken rule; without one, why the machine halted. */
const whyOf = (system: MachineSystem, result: number, { path, roundFrom }: Run): string => {
  const { watch, whyHalted } = system.machine;
  if (result === VIOLATION.ENDLESS)
    return roundFrom === undefined
      ? "from here on all that happened before happens again, for ever"
      : `steps ${roundFrom + 1} to ${path.length} happen again and again, for ever`;
  if (result === VIOLATION.UNMET) return unmet(system);
  const seen = watch?.violations.all.find(({ invariant }) => numberOf(invariant) === result);
  if (seen === undefined) return whyHalted;
  const { start, end, why } = seen;
  return start === end ? why : `${placeOf(start, end)}: ${why}`;
};

/**
 * The story of a violation that a search found, as it comes out in a machine of its own that nobody ever put back to
 * another state. What does not break the same rule there, at the same step, is no story but a mistake of the search.
 *
 * @throws FootprintError when a step changed what the search did not save: it has to be made again
 */
export const confirmedStory = (searched: MachineSystem, found: Run & Pick<Violation, "violation">): Story => {
  const { configuration, knowledge } = searched;
  const { path, violation } = found;
  const story = storyOf(new MachineSystem(configuration, knowledge), found);
  const steps = story.rows.at(-1)?.step ?? 0;
  assert(
    story.violation === violationText(violation) && steps === path.length,
    () =>
      `${configuration.name}: a search's story of ${path.length} steps to "${violationText(violation)}" comes out alike in a machine of its own, which came to "${story.violation}" in ${steps}`,
  );
  return story;
};

const addRow = (
  rows: StoryRow[],
  step: number,
  label: string,
  events: readonly TraceEvent[],
  roundFrom: number | undefined,
): void => {
  const colon = label.indexOf(": ");
  const actor = label.slice(0, colon);
  const what = label.slice(colon + 2);
  const last = rows.at(-1);
  const effects = events.map(effectOf);
  const shown = events.map(({ start, end, after }) => ({ place: placeOf(start, end), after }));
  const folds =
    last !== undefined && last.actor === actor && last.effects.length === 0 && last.step !== roundFrom;
  if (folds) rows.pop();
  rows.push({ step, steps: folds ? last.steps + 1 : 1, actor, what, effects, shown });
};
