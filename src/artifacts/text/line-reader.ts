import type { FactSink, Standing } from "../fact-sink.ts";
import type { FactBody, Place } from "../facts.ts";

/** What a reader of lines is given with each line. */
export interface LineContext {
  readonly sink: FactSink;
  readonly source: string;
  /** Number of the line that the reader is given, from 1. */
  line: number;
  standing: Standing;
}

/** Place of the line being read. */
export const placeOf = ({ source, line }: LineContext): Place => ({ source, line });

/**
 * Reads one kind of text line by line, wherever in a file it stands. It is given the lines that match `hint`, and all
 * lines as long as it is open: within a table or a document that it has begun.
 */
export interface LineReader {
  /** What it reads, for a user. */
  readonly kind: string;
  /** Why a text has nothing of this kind, as the end of a sentence: "no line of ...". */
  readonly absent: string;
  /** Literals one of which each line has that may begin something. */
  readonly literals: readonly string[];
  /** Takes a line without its end; prefixes such as quote marks and time stamps are still there. */
  line(text: string, context: LineContext): void;
  /** Whether it wants the next line whatever it is. */
  isOpen(): boolean;
  /** The text is over. */
  end(context: LineContext): void;
  /** How many things it has read. */
  found(): number;
}

/** One line that says one thing. Rules are tables; the reader of logs applies them. */
export interface LineRule {
  /** Text that each line of this rule has. */
  readonly literal: string;
  readonly pattern: RegExp;
  /** A line that matches this and not `pattern` is damaged. */
  readonly begun?: RegExp;
  /** It takes the line to its end, so what stands on the next one is no part of it. */
  readonly wholeLine?: true;
  /** The facts of a match; text says what was expected instead. */
  read(match: RegExpExecArray): readonly FactBody[] | string;
}

const ESCAPE = String.fromCharCode(27);
const BELL = String.fromCharCode(7);
/** Colours and cursor moves; titles; character sets. */
const ESCAPES = new RegExp(
  `${ESCAPE}(?:\\[[0-9;?]*[ -/]*[@-~]|\\][^${BELL}${ESCAPE}]*(?:${BELL}|${ESCAPE}\\\\)|[ -/]+[0-~]|[=>])`,
  "g",
);
const PREFIX = /^\s*(?:(?:>|\||#|\*|->|<-)\s?)+/;

/** A space that does not break, which mailers and web pages put for one that does. */
const NO_BREAK = "\u00a0";

/** A line without terminal escapes, carriage returns and spaces that do not break. */
export const plain = (line: string): string => {
  const ended = line.includes("\r") ? line.replace(/^\r+|\r+$/g, "") : line;
  const text = ended.includes(NO_BREAK) ? ended.replaceAll(NO_BREAK, " ") : ended;
  return text.includes(ESCAPE) ? text.replace(ESCAPES, "") : text;
};

/** A line without the marks of a quotation, a comment or a transcript in front of it. */
export const unquoted = (line: string): string => line.replace(PREFIX, "");
