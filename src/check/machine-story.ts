import type { TraceEvent } from "../machine/trace.ts";
import type { MachineSystem } from "./machine-system.ts";
import { violationText } from "./machine-violations.ts";
import { TAKEN } from "./system.ts";

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
}

/** A run of a machine that ends in a broken rule. */
export interface Story {
  readonly path: readonly number[];
  readonly atRest: boolean;
  /** Rule, and which of its terms is false. */
  readonly violation: string;
  readonly why: string;
  /** False for a saved story that does not come out as it did. */
  readonly broken: boolean;
  readonly rows: readonly StoryRow[];
}

const hex = (address: number): string => `0x${address.toString(16)}`;

const effectOf = ({ what, start, end, status, after }: TraceEvent): string => {
  const place = start === end ? "" : ` ${hex(start)}-${hex(end - 1)}`;
  return `${what}${place} ${status}${after === "" ? "" : `, now ${after}`}`;
};

/** Takes the choices of a path and tells what happens. Steps that others cannot see fold into the next one that they can. */
export const storyOf = (system: MachineSystem, path: readonly number[], atRest: boolean): Story => {
  const { machine } = system;
  const rows: StoryRow[] = [];
  let result: number = TAKEN;
  let effects: string[] = [];
  machine.trace.raw = (event) => effects.push(effectOf(event));
  system.reset();
  for (const [index, choice] of path.entries()) {
    // A saved story may be of an older program, in which it went another way.
    if (result !== TAKEN || choice >= system.choices()) break;
    effects = [];
    const label = system.label(choice);
    result = system.choose(choice);
    addRow(rows, index + 1, label, effects);
  }
  if (atRest) result = system.atRest();
  machine.trace.raw = undefined;
  const { start = 0, end = 0, why = machine.whyHalted } = machine.watch?.violations.all[0] ?? {};
  const place = start === end ? "" : `${hex(start)}-${hex(end - 1)}: `;
  return {
    path,
    atRest,
    broken: result !== TAKEN,
    violation: result === TAKEN ? "nothing that is wrong" : violationText(result),
    why: `${place}${why}`,
    rows,
  };
};

const addRow = (rows: StoryRow[], step: number, label: string, effects: readonly string[]): void => {
  const colon = label.indexOf(": ");
  const actor = label.slice(0, colon);
  const what = label.slice(colon + 2);
  const last = rows.at(-1);
  const folds = last !== undefined && last.actor === actor && last.effects.length === 0;
  if (folds) rows.pop();
  rows.push({ step, steps: folds ? last.steps + 1 : 1, actor, what, effects });
};
