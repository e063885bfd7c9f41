/** Characters of one document that are kept; a longer one is given up. */
const LONGEST = 2 ** 18;

/** What a cut piece of text may be: JSON without its types. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export const isRecord = (value: Json | undefined): value is { readonly [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A member of a JSON object; undefined of anything else. */
export const member = (value: Json | undefined, name: string): Json | undefined =>
  isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;

/** How an object goes on behind its brace. Anything else is no JSON. */
const BEGINS = /\{\s*(?:["}]|$)/y;

const parsed = (text: string): Json | undefined => {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
};

/**
 * Puts together JSON documents that are spread over lines, and takes apart lines that hold several. It counts brackets
 * outside strings, so what stands around documents does not matter.
 */
export class JsonDocuments {
  private pieces: string[] = [];
  private length = 0;
  private depth = 0;
  private inString = false;
  private escape = false;
  /** Line on which the open document began. */
  startLine = 0;

  isOpen(): boolean {
    return this.depth > 0;
  }

  /** Documents that were given up because they grew too long. */
  givenUp = 0;

  /** Takes a line and answers the documents that end on it, each with the line it began on. */
  line(text: string, line: number): { readonly document: Json; readonly line: number }[] {
    const documents: { document: Json; line: number }[] = [];
    let start = this.depth > 0 ? 0 : -1;
    for (let at = 0; at < text.length; at++) {
      const char = text[at]!;
      if (this.depth === 0) {
        BEGINS.lastIndex = at;
        if (char !== "{" || !BEGINS.test(text)) continue;
        start = at;
        this.startLine = line;
      }
      if (this.step(char) && this.depth === 0) {
        const document = parsed([...this.pieces, text.slice(start, at + 1)].join("\n"));
        if (document !== undefined) documents.push({ document, line: this.startLine });
        this.reset();
        start = -1;
      }
    }
    if (this.depth > 0 && start >= 0) this.keep(text.slice(start));
    return documents;
  }

  reset(): void {
    this.pieces = [];
    this.length = 0;
    this.depth = 0;
    this.inString = false;
    this.escape = false;
  }

  private keep(piece: string): void {
    this.pieces.push(piece);
    this.length += piece.length;
    // A string cannot go over a line's end: the document is broken, or was no document.
    if (this.length <= LONGEST && !this.inString) return;
    if (this.length > LONGEST) this.givenUp++;
    this.reset();
  }

  /** True if a bracket closed. */
  private step(char: string): boolean {
    if (this.escape) this.escape = false;
    else if (this.inString) {
      if (char === "\\") this.escape = true;
      else if (char === '"') this.inString = false;
    } else if (char === '"') this.inString = true;
    else if (char === "{" || char === "[") this.depth++;
    else if (char === "}" || char === "]") {
      this.depth--;
      return true;
    }
    return false;
  }
}
