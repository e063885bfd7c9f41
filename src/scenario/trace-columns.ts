import type { TraceEvent } from "./world.ts";

/** What happened at one place of a trace, in words. */
export interface Deed {
  readonly line: number;
  readonly step: number;
  readonly text: string;
}

const MOST_EVENTS = 2 ** 22;

/** Numbers for texts, so that equal texts compare as numbers. One table for all traces that are compared. */
export class TextNumbers {
  readonly texts: string[] = [];
  private readonly numbers = new Map<string, number>();

  of(text: string): number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    this.numbers.set(text, this.texts.length);
    return this.texts.push(text) - 1;
  }
}

const COLUMNS = 5;
const [TEXT, START, END, LINE, STEP] = [0, 1, 2, 3, 4] as const;

/** A trace in numbers, to hold another against it. It keeps the first four million events. */
export class TraceColumns {
  private cells = new Float64Array(1024 * COLUMNS);
  private length = 0;
  private readonly numbers: TextNumbers;

  constructor(numbers: TextNumbers) {
    this.numbers = numbers;
  }

  /** Events kept. */
  get events(): number {
    return this.length;
  }

  /** Keeps an event; time and step numbers do not make two events differ. */
  add(event: TraceEvent, line: number): void {
    if (this.length === MOST_EVENTS) return;
    const at = this.length++ * COLUMNS;
    if (at === this.cells.length) {
      const wider = new Float64Array(2 * this.cells.length);
      wider.set(this.cells);
      this.cells = wider;
    }
    this.cells[at + TEXT] = this.numbers.of(`${event.actor}  ${event.what}  ${event.status}`);
    this.cells[at + START] = event.start ?? -1;
    this.cells[at + END] = event.end ?? -1;
    this.cells[at + LINE] = line;
    this.cells[at + STEP] = event.step;
  }

  /** Number of the first event in which two traces differ; undefined if neither goes on behind the other. */
  static firstDifference(a: TraceColumns, b: TraceColumns): number | undefined {
    const shared = Math.min(a.length, b.length);
    for (let event = 0; event < shared; event++) {
      const at = event * COLUMNS;
      for (const column of [TEXT, START, END])
        if (a.cells[at + column] !== b.cells[at + column]) return event;
    }
    return a.length === b.length ? undefined : shared;
  }

  /** The event of that number, or undefined behind the end. */
  deed(event: number, place: (start: number, end: number) => string): Deed | undefined {
    if (event >= this.length) return undefined;
    const at = event * COLUMNS;
    const [start, end] = [this.cells[at + START]!, this.cells[at + END]!];
    const text = this.numbers.texts[this.cells[at + TEXT]!]!;
    return {
      line: this.cells[at + LINE]!,
      step: this.cells[at + STEP]!,
      text: start < 0 ? text : `${text}  ${place(start, end)}`,
    };
  }
}
