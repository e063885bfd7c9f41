import { kept } from "../fact-sink.ts";
import { type FactBody, inclusiveRange } from "../facts.ts";
import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";

const ROW = /^\s*0x([0-9a-f]{16})-0x([0-9a-f]{16})\s+(.*?)\s*$/;
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

const COLUMNS = ["RANGE", "SIZE", "STATE", "REMOVABLE", "BLOCK", "NODE", "ZONES"] as const;
type Column = (typeof COLUMNS)[number];

/** Bytes of a size as lsmem rounds it: one digit behind the point. */
export const lsmemBytes = (amount: string, suffix: string): number =>
  Math.round(Number(amount) * (FACTORS[suffix] ?? 1));

const isTrue = (text: string | undefined): boolean | undefined =>
  text === undefined ? undefined : text === "yes" || text === "1";

const isNode = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined;

/** A row as lsmem gives it, by column. */
export const lsmemFact = (
  first: string,
  last: string,
  cell: (column: Column) => string | undefined,
): FactBody | undefined => {
  const range = inclusiveRange(first, last);
  if (range === undefined) return undefined;
  const text = (column: Column): string | undefined => {
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

/** The table that lsmem prints, whichever columns were asked for. What someone wrote behind a row is left alone. */
export class Lsmem implements LineReader {
  readonly kind = "lsmem";
  readonly absent = "no heading RANGE SIZE of lsmem";
  readonly literals = ["RANGE ", "Total online memory:", "Total offline memory:", "Memory block size: "];
  private columns: readonly Column[] | undefined;
  private count = 0;

  line(text: string, context: LineContext): void {
    const body = unquoted(text);
    const row = this.columns === undefined ? undefined : ROW.exec(body);
    if (row !== undefined && row !== null) this.row(row, context);
    else this.around(body, context);
  }

  isOpen(): boolean {
    return this.columns !== undefined;
  }

  end(): void {}

  found(): number {
    return this.count;
  }

  private row([, first, last, rest]: RegExpExecArray, context: LineContext): void {
    const cells = rest!.split(/\s+/);
    const columns = this.columns!.slice(1);
    const cell = (column: Column): string | undefined => {
      const at = columns.indexOf(column);
      return at < 0 ? undefined : cells[at];
    };
    const fact = lsmemFact(first!, last!, cell);
    if (fact === undefined) {
      context.sink.trouble("warning", placeOf(context), "a range up to 2^52", `0x${first}-0x${last}`);
      return;
    }
    this.count++;
    context.sink.fact(fact, placeOf(context));
  }

  private around(text: string, context: LineContext): void {
    if (/^\s*RANGE\s+\S/.test(text)) {
      const names = text.trim().split(/\s+/);
      this.columns = names.flatMap((name) => COLUMNS.filter((column) => column === name));
      return;
    }
    this.columns = undefined;
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
