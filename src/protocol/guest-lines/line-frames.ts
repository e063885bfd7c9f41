import { assert } from "../../assert.ts";

/**
 * Lines between the lab and a program in the guest, over a serial port that others write to as well.
 *
 *     @td>5:hello;   from the lab to the guest
 *     @td<5:world;   from the guest to the lab
 *
 * The number counts the characters between the colon and the semicolon. What the guest's terminal echoes bears the
 * wrong mark, what the kernel prints bears none, and what it prints into the middle of a line breaks the count. In a
 * shell: `printf '@td<%d:%s;\n' ${#text} "$text"`. Text is printable ASCII, so that no encoding changes a count.
 */
const MARKS = { toGuest: "@td>", fromGuest: "@td<" } as const;
export type LineDirection = keyof typeof MARKS;

/** Characters of a whole line that a terminal in canonical mode takes, its end aside. @source Linux n_tty, 4096 */
export const LONGEST_FRAME = 4094;

const PRINTABLE = /^[\x20-\x7e]*$/;
const HEAD = /([0-9]{1,5}):/y;

/** Most characters of text that one line carries. */
export const LONGEST_TEXT = LONGEST_FRAME - "@td>4094:;".length;

/** Whether a text can be sent. */
export const fitsLine = (text: string): boolean => text.length <= LONGEST_TEXT && PRINTABLE.test(text);

/** The whole line, with its end. */
export const encodeLine = (direction: LineDirection, text: string): string => {
  assert(fitsLine(text), () => `a line has at most ${LONGEST_TEXT} printable ASCII characters`);
  return `${MARKS[direction]}${text.length}:${text};\n`;
};

/** What one line was. */
export type GuestLine =
  | { readonly kind: "text"; readonly text: string }
  /** Our own line, come back. */
  | { readonly kind: "echo"; readonly text: string }
  /** Something with a mark whose count does not hold: a text was lost. */
  | { readonly kind: "damaged"; readonly line: string }
  /** What somebody else wrote. */
  | { readonly kind: "noise"; readonly line: string };

/** The text behind a mark at `at`, if the count holds there. */
const textAt = (line: string, at: number): string | undefined => {
  HEAD.lastIndex = at;
  const head = HEAD.exec(line);
  if (head === null) return undefined;
  const start = at + head[0].length;
  const end = start + Number(head[1]);
  const text = line.slice(start, end);
  return end < line.length && line[end] === ";" && PRINTABLE.test(text) ? text : undefined;
};

/** Where the first sound frame of a direction is, and its text. */
const findFrame = (line: string, mark: string): string | undefined => {
  for (let at = line.indexOf(mark); at >= 0; at = line.indexOf(mark, at + 1)) {
    const text = textAt(line, at + mark.length);
    if (text !== undefined) return text;
  }
  return undefined;
};

const judged = (line: string, receives: LineDirection): GuestLine => {
  const sends = receives === "fromGuest" ? "toGuest" : "fromGuest";
  // A frame of ours may quote one of theirs, so what begins as an echo is one.
  const echo = line.startsWith(MARKS[sends]) ? findFrame(line, MARKS[sends]) : undefined;
  if (echo !== undefined) return { kind: "echo", text: echo };
  const text = findFrame(line, MARKS[receives]);
  if (text !== undefined) return { kind: "text", text };
  const behind = findFrame(line, MARKS[sends]);
  if (behind !== undefined) return { kind: "echo", text: behind };
  return { kind: line.includes(MARKS[receives]) ? "damaged" : "noise", line };
};

/** Characters of a line kept while its end has not come. */
export const LONGEST_LINE = 1 << 16;

const LINE_END = /[\r\n]+/;

/** Takes the lines out of a stream, wherever its chunks are cut. CR, LF and any run of them end a line. */
export class LineDecoder {
  private readonly receives: LineDirection;
  private rest = "";

  constructor(receives: LineDirection) {
    this.receives = receives;
  }

  /** The lines that `chunk` completes, in order; empty ones are left out. A line without end is cut at its bound. */
  push(chunk: string): GuestLine[] {
    const lines = (this.rest + chunk).split(LINE_END);
    this.rest = lines.pop() ?? "";
    if (this.rest.length > LONGEST_LINE) {
      lines.push(this.rest);
      this.rest = "";
    }
    return lines.filter((line) => line !== "").map((line) => judged(line, this.receives));
  }
}
