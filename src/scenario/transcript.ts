import {
  adjoins,
  foldEnd,
  type Item,
  type Row,
  rowOf,
  rowsOf,
  sameDeed,
  stepsOf,
  type TranscriptItem,
} from "./fold.ts";
import { PatternTurn } from "./pattern-turn.ts";
import type { TraceEvent } from "./world.ts";

/** What happened during one step of the scenario. Rows in the middle of a long one are counted, not kept. */
export interface TranscriptSection {
  readonly line: number;
  /** Position of that step among the steps played; -1 before the first. */
  readonly played: number;
  readonly head: readonly TranscriptItem[];
  /** Rows and machine steps between head and tail that were not kept. */
  readonly leftOut: { readonly rows: number; readonly steps: number };
  readonly tail: readonly TranscriptItem[];
}

const KEPT_HEAD = 400;
const KEPT_TAIL = 100;

/** Folds the rows of one section as they come, in memory that does not grow with their number. */
class SectionFold {
  readonly line: number;
  private readonly played: number;
  private readonly head: Item[] = [];
  private tail: Item[] = [];
  private leftOutRows = 0;
  private leftOutSteps = 0;
  /** The row that the next event may belong to. */
  private open: Row | undefined;
  private readonly turn = new PatternTurn();

  constructor(line: number, played: number) {
    this.line = line;
    this.played = played;
  }

  private get list(): Item[] {
    return this.tail.length === 0 && this.head.length < KEPT_HEAD ? this.head : this.tail;
  }

  add(event: TraceEvent): void {
    if (this.turn.begun) {
      if (this.turn.take(this.list, event, this.line)) return;
      this.endTurn();
    }
    const { open } = this;
    if (open !== undefined && sameDeed(open, event, this.line) && adjoins(open, event)) {
      if (event.start !== null && event.start < open.start!) open.start = event.start;
      if (event.end !== null && event.end > open.end!) open.end = event.end;
      open.endNs = event.ns;
      open.count += event.count ?? 1;
      return;
    }
    this.close();
    if (!this.turn.take(this.list, event, this.line)) this.open = rowOf(event, this.line);
  }

  finish(): TranscriptSection {
    this.endTurn();
    this.close();
    const leftOut = { rows: this.leftOutRows, steps: this.leftOutSteps };
    return {
      line: this.line,
      played: this.played,
      head: this.head.map(plain),
      leftOut,
      tail: this.tail.map(plain),
    };
  }

  private endTurn(): void {
    for (const row of this.turn.giveUp()) {
      this.close();
      this.open = row;
    }
  }

  private close(): void {
    if (this.open === undefined) return;
    const { list } = this;
    list.push(this.open);
    this.open = undefined;
    foldEnd(list);
    if (list === this.tail && list.length > 2 * KEPT_TAIL) this.dropOldTail();
  }

  private dropOldTail(): void {
    for (const item of this.tail.slice(0, -KEPT_TAIL)) {
      this.leftOutRows += rowsOf(item);
      this.leftOutSteps += stepsOf(item);
    }
    this.tail = this.tail.slice(-KEPT_TAIL);
  }
}

/** A pattern without what only its growth needed. */
const plain = (item: Item): TranscriptItem =>
  "items" in item ? { times: item.times, items: item.items.map(plain) } : item;

/** Builds the transcript of a play: one section for each step of the scenario. */
export class TranscriptFold {
  private readonly sections: TranscriptSection[] = [];
  private begun = 0;
  private current = new SectionFold(0, -1);

  /** Starts the section of the next step, which stands at `line`. */
  begin(line: number): void {
    this.finishSection();
    this.current = new SectionFold(line, this.begun);
    this.begun++;
  }

  add(event: TraceEvent): void {
    this.current.add(event);
  }

  finish(): readonly TranscriptSection[] {
    this.finishSection();
    return this.sections;
  }

  private finishSection(): void {
    const section = this.current.finish();
    if (section.line > 0 || section.head.length > 0) this.sections.push(section);
    this.current = new SectionFold(0, -1);
  }
}
