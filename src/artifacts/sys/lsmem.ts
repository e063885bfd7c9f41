import { kept } from "../fact-sink.ts";
import type { Place } from "../facts.ts";
import { type FactBody, inclusiveRange } from "../facts.ts";
import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";
import { type LsmemCells, LsmemHeading, type LsmemRowCells, pairedCells } from "./lsmem-table.ts";

const RANGE = /^\s*0x([0-9a-f]{8,16})-0x([0-9a-f]{8,16})(?:\s|$)/;
/** A row that stands alone: only lsmem prints a range, a size and a state. */
const BARE_ROW = /^\s*0x[0-9a-f]{16}-0x[0-9a-f]{16}\s+[\d.]+[BKMGTP]?\s+(?:online|offline|on->off)\b/;
const PAIRS = /^\s*RANGE="0x([0-9a-f]{8,16})-0x([0-9a-f]{8,16})"/;
const TOTAL = /Total (online|offline) memory: +(\d+(?:\.\d+)?)([BKMGTP]?)\b/;
const BLOCK = /Memory block size: +(\d+(?:\.\d+)?)([BKMGTP]?)\s*$/;
const FACTORS: { readonly [suffix: string]: number } = {
  "": 1,
  B: 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
  P: 2 ** 50,
};

/** Bytes of a size as lsmem rounds it: one digit behind the point. */
export const lsmemBytes = (amount: string, suffix: string): number =>
  Math.round(Number(amount) * (FACTORS[suffix] ?? 1));

const isTrue = (text: string | undefined): boolean | undefined =>
  text === "yes" ? true : text === "no" ? false : undefined;

const isNode = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined;

/** A row as lsmem gives it, by column. */
export const lsmemFact = (first: string, last: string, cell: LsmemCells): FactBody | undefined => {
  const range = inclusiveRange(first, last);
  if (range === undefined) return undefined;
  const text = (column: Parameters<LsmemCells>[0]): string | undefined => {
    const said = cell(column);
    return said === undefined ? undefined : kept(said);
  };
  return {
    kind: "lsmem",
    ...range,
    state: text("STATE"),
    removable: isTrue(cell("REMOVABLE")),
    node: isNode(cell("NODE")),
    zones: text("ZONES"),
  };
};

/**
 * What lsmem prints: the table with whichever columns were asked for, also without a heading, wrapped by a mailer or with empty cells;
 * raw and as pairs. What someone wrote behind a row is left alone.
 */
export class Lsmem implements LineReader {
  readonly kind = "lsmem";
  readonly absent = "no heading RANGE SIZE of lsmem";
  readonly literals = [
    ...["RANGE ", 'RANGE="0x', "-0x00000"],
    ...["Total online memory:", "Total offline memory:", "Memory block size: "],
  ];
  private heading: LsmemHeading | undefined;
  /** The line before was the heading, whose rest may follow. */
  private isHeadingLine = false;
  /** A row whose last cells may stand on the next line. */
  private row: { readonly range: string; readonly cells: LsmemRowCells; readonly at: Place } | undefined;
  private count = 0;

  line(text: string, context: LineContext): void {
    const body = unquoted(text);
    if (this.heading === undefined && BARE_ROW.test(body)) this.heading = LsmemHeading.usual();
    const isRow = this.heading !== undefined && RANGE.test(body);
    if (!isRow && this.continues(body)) return;
    this.flush(context);
    if (isRow) this.begin(body, context);
    else this.around(body, context);
  }

  isOpen(): boolean {
    return this.heading !== undefined;
  }

  end(context: LineContext): void {
    this.flush(context);
  }

  found(): number {
    return this.count;
  }

  private begin(text: string, context: LineContext): void {
    this.isHeadingLine = false;
    this.row = { range: text, cells: this.heading!.cells(text), at: placeOf(context) };
  }

  /** Whether a line is what a mailer cut off the one before. */
  private continues(text: string): boolean {
    const { row, heading } = this;
    if (this.isHeadingLine && LsmemHeading.isRest(text)) {
      this.heading = heading!.with(text);
      return true;
    }
    const words = text.trim().split(/\s+/);
    if (row === undefined || words[0] === "") return false;
    const kept = row.cells.slice(0, -words.length);
    const isRest = row.cells.length > words.length && kept.every((cell) => cell !== "");
    if (!isRest || row.cells.slice(-words.length).some((cell) => cell !== "")) return false;
    this.row = { ...row, cells: [...kept, ...words] };
    return true;
  }

  private flush(context: LineContext): void {
    const { row, heading } = this;
    if (row === undefined) return;
    this.row = undefined;
    const [, first, last] = RANGE.exec(row.range)!;
    this.tell(first!, last!, heading!.named(row.cells), row.at, context);
  }

  private tell(first: string, last: string, cell: LsmemCells, at: Place, { sink }: LineContext): void {
    const fact = lsmemFact(first, last, cell);
    if (fact === undefined) {
      sink.trouble("warning", at, "a range up to 2^52", `0x${first}-0x${last}`);
      return;
    }
    this.count++;
    sink.fact(fact, at);
  }

  private around(text: string, context: LineContext): void {
    this.heading = undefined;
    this.isHeadingLine = /^\s*RANGE\s+\S/.test(text);
    if (this.isHeadingLine) {
      this.heading = LsmemHeading.of(text);
      return;
    }
    const paired = PAIRS.exec(text);
    if (paired !== null) {
      this.tell(paired[1]!, paired[2]!, pairedCells(text), placeOf(context), context);
      return;
    }
    const total = TOTAL.exec(text);
    const block = BLOCK.exec(text.replace(/<--.*$/, ""));
    if (total !== null) {
      const bytes = lsmemBytes(total[2]!, total[3]!);
      context.sink.fact(
        { kind: "lsmem-total", what: total[1] === "online" ? "online" : "offline", bytes },
        placeOf(context),
      );
    } else if (block !== null) {
      context.sink.fact({ kind: "block-size", bytes: lsmemBytes(block[1]!, block[2]!) }, placeOf(context));
    } else return;
    this.count++;
  }
}
