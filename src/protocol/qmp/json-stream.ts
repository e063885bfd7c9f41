import { assert } from "../../assert.ts";
import { QmpFormatError, shownText } from "./qmp-error.ts";

/** Longest message taken, in UTF-16 units. The longest that QEMU 7.2 sends is its schema, 380 KB. */
export const LONGEST_MESSAGE = 16 << 20;
/** Deepest nesting of a message. @source QEMU, qobject/json-parser-int.h */
const DEEPEST = 1024;

const SPACE = /^[ \t\r\n]*$/;

/** One thing that came: the text of a JSON object, or why what came was none. */
export type JsonPiece =
  | { readonly kind: "object"; readonly text: string }
  | { readonly kind: "malformed"; readonly error: QmpFormatError };

/**
 * Takes the JSON objects out of a stream, wherever its chunks are cut. It finds where objects end and leaves the
 * rest to the parser.
 *
 * QEMU ends each message with CR LF, clients need not: objects may follow each other without anything between.
 * After something that is no object it goes on behind the next line end, as a server must.
 *
 * @source QEMU docs/interop/qmp-spec
 * @missing strings in single quotes, which QEMU takes from its clients
 */
export class JsonStream {
  private readonly longest: number;
  private text = "";
  private scanned = 0;
  private depth = 0;
  private inString = false;
  private escaped = false;
  private skipping = false;

  constructor(longest: number = LONGEST_MESSAGE) {
    assert(longest > 0, "a message has room");
    this.longest = longest;
  }

  /** Whether an object has begun and not ended. */
  get midway(): boolean {
    return this.depth > 0;
  }

  /** The objects that `chunk` completes, in order, with what was no object in its place. */
  push(chunk: string): JsonPiece[] {
    const pieces: JsonPiece[] = [];
    this.text += chunk;
    while (this.scanned < this.text.length) {
      if (this.skipping) this.skipLine();
      else if (this.depth === 0) this.findStart(pieces);
      else this.findEnd(pieces);
    }
    return pieces;
  }

  private cut(to: number): string {
    const taken = this.text.slice(0, to);
    this.text = this.text.slice(to);
    this.scanned = 0;
    return taken;
  }

  private skipLine(): void {
    const end = this.text.indexOf("\n", this.scanned);
    this.skipping = end < 0;
    this.cut(end < 0 ? this.text.length : end + 1);
  }

  private refuse(expected: string, found: string, pieces: JsonPiece[]): void {
    pieces.push({ kind: "malformed", error: new QmpFormatError("QMP stream", expected, found) });
    this.depth = 0;
    this.inString = false;
    this.escaped = false;
    this.skipping = true;
  }

  private findStart(pieces: JsonPiece[]): void {
    const start = this.text.indexOf("{");
    const before = this.text.slice(0, start < 0 ? this.text.length : start);
    if (!SPACE.test(before)) {
      this.refuse("an object", shownText(before.trim()), pieces);
      return;
    }
    this.cut(before.length);
    if (start < 0) return;
    this.depth = 1;
    this.scanned = 1;
  }

  private findEnd(pieces: JsonPiece[]): void {
    const { text } = this;
    let at = this.scanned;
    for (; at < text.length && this.depth > 0; at++) {
      const code = text.charCodeAt(at);
      if (this.inString) this.takeInString(code);
      else if (code === 0x22) this.inString = true;
      else if (code === 0x7b || code === 0x5b) this.depth++;
      else if (code === 0x7d || code === 0x5d) this.depth--;
      if (at >= this.longest || this.depth > DEEPEST) {
        this.scanned = at + 1;
        this.refuse(`an object of at most ${this.longest} characters, ${DEEPEST} deep`, "more", pieces);
        return;
      }
    }
    this.scanned = at;
    if (this.depth === 0) pieces.push({ kind: "object", text: this.cut(at) });
  }

  private takeInString(code: number): void {
    if (this.escaped) this.escaped = false;
    else if (code === 0x5c) this.escaped = true;
    else if (code === 0x22) this.inString = false;
  }
}
