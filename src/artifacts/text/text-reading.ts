import type { FactSink } from "../fact-sink.ts";
import type { LineContext, LineReader } from "./line-reader.ts";
import { plain } from "./line-reader.ts";

/** Characters of a line that are looked at; the rest of a longer one is skipped. */
const LONGEST_LINE = 2 ** 16;

const escaped = (literal: string): string => literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Finds any of these literals, the longest where several begin. */
const anyOf = (literals: readonly string[]): RegExp =>
  new RegExp(
    literals
      .toSorted((a, b) => b.length - a.length)
      .map(escaped)
      .join("|"),
    "g",
  );

/** How lines find their readers: a pattern of all literals, and for each one who wants it, by position. */
interface Interests {
  readonly pattern: RegExp;
  readonly byLiteral: ReadonlyMap<string, readonly number[]>;
}

/** The readers are the same for every text, so this is made once. */
const known = new Map<string, Interests>();

const interestsOf = (readers: readonly LineReader[]): Interests => {
  const key = readers.map(({ kind }) => kind).join("\n");
  const before = known.get(key);
  if (before !== undefined) return before;
  const all = [...new Set(readers.flatMap(({ literals }) => literals))];
  // One literal may begin or be part of another, which is the one that is found.
  const wanting = (literal: string): number[] =>
    readers.flatMap(({ literals }, i) => (literals.some((part) => literal.includes(part)) ? [i] : []));
  const made = { pattern: anyOf(all), byLiteral: new Map(all.map((one) => [one, wanting(one)])) };
  known.set(key, made);
  return made;
};

/**
 * Reads a text as it comes, in pieces of any size. Every reader sees every line that may be its own; a session that
 * holds a log, a table and a transcript is read by three of them.
 */
export class TextReading {
  private readonly context: LineContext;
  private readonly readers: readonly LineReader[];
  private readonly interests: Interests;
  private tail = "";
  private skipping = false;
  /** Readers that want the next line. */
  private open: LineReader[] = [];

  constructor(source: string, readers: readonly LineReader[], sink: FactSink) {
    this.readers = readers;
    this.context = { sink, source, line: 0, standing: { boot: 0, time: undefined } };
    this.interests = interestsOf(readers);
  }

  feed(text: string): void {
    const lines = (this.tail + text).split("\n");
    this.tail = lines.pop()!;
    for (const line of lines) {
      if (this.skipping) this.skipping = false;
      else this.line(line);
    }
    if (this.tail.length <= LONGEST_LINE) return;
    if (!this.skipping) this.line(this.tail);
    this.skipping = true;
    this.tail = "";
  }

  end(): void {
    if (this.tail !== "" && !this.skipping) this.line(this.tail);
    this.tail = "";
    for (const reader of this.readers) reader.end(this.context);
  }

  /** Lines seen. */
  get lines(): number {
    return this.context.line;
  }

  private line(whole: string): void {
    this.context.line++;
    const { interests, open, readers } = this;
    const { pattern } = interests;
    const line = plain(whole);
    pattern.lastIndex = 0;
    let match = pattern.exec(line);
    if (match === null && open.length === 0) return;
    const text = line.length > LONGEST_LINE ? line.slice(0, LONGEST_LINE) : line;
    const wanted = new Set(open);
    while (match !== null) {
      for (const index of interests.byLiteral.get(match[0])!) wanted.add(readers[index]!);
      match = pattern.exec(line);
    }
    for (const reader of wanted) reader.line(text, this.context);
    this.open = this.readers.filter((reader) => reader.isOpen());
  }
}
