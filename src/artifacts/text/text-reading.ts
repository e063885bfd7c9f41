import type { FactSink } from "../fact-sink.ts";
import type { LineContext, LineReader } from "./line-reader.ts";
import { plain } from "./line-reader.ts";

/** Characters of a line that are looked at; the rest of a longer one is skipped. */
const LONGEST_LINE = 2 ** 16;

const escaped = (literal: string): string => literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The readers are the same for every text, so their pattern is made once. */
const patterns = new Map<string, RegExp>();

/** Finds any of these literals, the longest where several begin. */
const anyOf = (literals: readonly string[]): RegExp => {
  const source = literals
    .toSorted((a, b) => b.length - a.length)
    .map(escaped)
    .join("|");
  const known = patterns.get(source) ?? new RegExp(source, "g");
  patterns.set(source, known);
  return known;
};

/**
 * Reads a text as it comes, in pieces of any size. Every reader sees every line that may be its own; a session that
 * holds a log, a table and a transcript is read by three of them.
 */
export class TextReading {
  private readonly context: LineContext;
  private readonly readers: readonly LineReader[];
  private readonly byLiteral = new Map<string, LineReader[]>();
  private readonly interest: RegExp;
  private tail = "";
  private skipping = false;
  /** Readers that want the next line. */
  private open: LineReader[] = [];

  constructor(source: string, readers: readonly LineReader[], sink: FactSink) {
    this.readers = readers;
    this.context = { sink, source, line: 0, standing: { boot: 0, time: undefined } };
    for (const literal of new Set(readers.flatMap((reader) => reader.literals))) {
      // One literal may begin or be part of another, which is the one that is found.
      const wanting = readers.filter(({ literals }) => literals.some((part) => literal.includes(part)));
      this.byLiteral.set(literal, wanting);
    }
    this.interest = anyOf([...this.byLiteral.keys()]);
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
    const { interest, open } = this;
    const line = plain(whole);
    interest.lastIndex = 0;
    let match = interest.exec(line);
    if (match === null && open.length === 0) return;
    const text = line.length > LONGEST_LINE ? line.slice(0, LONGEST_LINE) : line;
    const wanted = new Set(open);
    while (match !== null) {
      for (const reader of this.byLiteral.get(match[0])!) wanted.add(reader);
      match = interest.exec(line);
    }
    for (const reader of wanted) reader.line(text, this.context);
    this.open = this.readers.filter((reader) => reader.isOpen());
  }
}
