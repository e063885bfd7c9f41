import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import { fieldsOf, stateOf } from "../../../machine/snapshot.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import type { Programs } from "../configurations/programs.ts";
import type { Arena } from "../memory/arena.ts";
import type { Knowledge } from "../memory/footprint.ts";
import { historyOf } from "../memory/key.ts";
import { LINE_WORDS } from "../memory/line.ts";
import { MachineMoves } from "../moves.ts";
import { type Accesses, AccessTrace } from "./access-trace.ts";
import { isRow, type Row, traced } from "./traced-view.ts";

/** What a choice came to, as System.choose answers, and what it touched on the way. */
export interface TracedChoice extends Accesses {
  readonly result: number;
}

/** Memory of who has work, and in which order: stacks say the former, and the latter only decides names. */
const listsOf = ({ scheduler }: Machine): readonly ArrayBufferView[] => [
  scheduler.active,
  scheduler.activeCount,
  scheduler.timers,
];

/** Memory that decides whether work is due. */
const dueOf = ({ kernel, interrupts }: Machine): readonly ArrayBufferView[] =>
  [...kernel.virtioMem, interrupts, ...(kernel.acpiMemory === undefined ? [] : [kernel.acpiMemory])].flatMap(
    (part) => fieldsOf(part).flatMap(([, value]) => (ArrayBuffer.isView(value) ? [value] : [])),
  );

/**
 * A second machine of the same configuration, in which steps are tried out: each array notes what is read of it and what is
 * written. It is slow, some hundred times so.
 */
export class TracedMachine {
  /** Words of the arena that a trace tells of; their places are their numbers. Marks follow, one an actor: whether it is idle. */
  readonly words: readonly number[];
  /** Words and marks. */
  readonly count: number;
  private readonly moves: MachineMoves;
  private readonly trace: AccessTrace;
  private readonly lines: readonly number[];
  private readonly rows: readonly (readonly [part: object, field: string, row: Row])[];

  /** @param lines those that steps change */
  constructor(configuration: MachineConfiguration, knowledge: Knowledge, lines: readonly number[]) {
    this.moves = new MachineMoves(configuration, knowledge);
    this.moves.looksAtRest = false;
    this.lines = lines;
    const { machine, arena, programs } = this.moves;
    const { actors } = machine.tasks;
    const left = piecesOf(arena, [...historyOf(machine), ...listsOf(machine)]);
    const due = piecesOf(arena, dueOf(machine));
    const words = lines
      .filter((line) => !left.has(arena.pieceOfLine(line)))
      .flatMap((line) => Array.from({ length: LINE_WORDS }, (_, word) => line * LINE_WORDS + word));
    const tops = actors.map((task) => new Float64Array(arena.buffer, task.words.byteOffset, 1));
    const isIdle = (actor: number): boolean => tops[actor]![0] === 0;
    this.trace = new AccessTrace({
      ...{ memory: arena.words, words, actors: actors.length, isIdle },
      settled: new Set(words.filter((word) => due.has(arena.pieceOfLine(Math.floor(word / LINE_WORDS))))),
    });
    this.words = words;
    this.count = this.trace.count;
    this.rows = replaceRows(machine, [programs], this.trace);
    this.tellMarks(isIdle);
    const { interrupts } = machine;
    const startWork = interrupts.startWork.bind(interrupts);
    interrupts.startWork = () => this.trace.runSettled(startWork);
  }

  /** Whether a task has work is asked often, and where in its work it is seldom. */
  private tellMarks(isIdle: (actor: number) => boolean): void {
    const { trace } = this;
    for (const { frame, index } of this.moves.machine.tasks.actors) {
      const get = (): boolean => {
        trace.readMark(index);
        return isIdle(index);
      };
      Object.defineProperty(frame, "idle", { get });
    }
  }

  /** Makes it the machine that another one's memory is of. */
  become(words: Uint32Array): void {
    const own = this.moves.arena.words;
    for (const line of this.lines) {
      const from = line * LINE_WORDS;
      for (let word = from; word < from + LINE_WORDS; word++) own[word] = words[word]!;
    }
    this.moves.moved();
    // What a step touches follows from the memory that it touches, and from no cursor.
    this.moves.machine.vmm.map.forgetLast();
  }

  /**
   * Takes a choice, by its number among all there ever are, of an actor or a program. Whether that is ready is part of it.
   *
   * @returns undefined if that throws
   */
  take(choice: number): TracedChoice | undefined {
    const { moves, trace } = this;
    const { machine, programs } = moves;
    const count = moves.choices();
    const index = moves.list.subarray(0, count).indexOf(choice);
    assert(index >= 0, "a choice that is tried is one of those there are");
    const actor = choice >> 1;
    const { actors } = machine.tasks;
    trace.begin();
    try {
      if (actor < actors.length) actors[actor]!.ready();
      else programs.isReady(actor - actors.length);
      const result = moves.take(index);
      return { ...trace.end(), result };
    } catch {
      // A mistake of the machine: whoever takes the choice sees to that.
      return undefined;
    } finally {
      trace.on = false;
    }
  }

  /** Its machine, as it is after a choice. */
  get machine(): Machine {
    return this.moves.machine;
  }

  get programs(): Programs {
    return this.moves.programs;
  }

  /** Whether all arrays are still those that are traced: none grew. */
  get isWhole(): boolean {
    return this.rows.every(([part, field, row]) => Reflect.get(part, field) === row);
  }
}

const piecesOf = (arena: Arena, views: readonly ArrayBufferView[]): ReadonlySet<number> =>
  new Set(views.map((view) => arena.pieceOf(view)));

/** Puts traced arrays in place of a machine's own. @returns where they are */
const replaceRows = (
  machine: Machine,
  others: readonly object[],
  trace: AccessTrace,
): readonly (readonly [part: object, field: string, row: Row])[] => {
  const { objects, maps } = stateOf(machine);
  const known = new Map<Row, Row>();
  const inTrace = (row: Row): Row => {
    const there = known.get(row) ?? traced(row, trace);
    known.set(row, there);
    return there;
  };
  for (const map of maps) for (const [key, value] of map) if (isRow(value)) map.set(key, inTrace(value));
  return [...objects, ...others].flatMap((part) =>
    fieldsOf(part).flatMap(([field, value]) => {
      if (!isRow(value)) return [];
      const row = inTrace(value);
      Reflect.set(part, field, row);
      return [[part, field, row] as const];
    }),
  );
};
