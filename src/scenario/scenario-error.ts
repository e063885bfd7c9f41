/** Where something was written. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wrong with one value, in the words a user needs to mend it. */
export interface Refusal {
  readonly expected: string;
  readonly found: string;
  /** What to do about it, as an imperative; empty if `expected` already says it. */
  readonly advice: string;
}

const LONGEST_FOUND = 60;

/** Shows a value inside a message: on one line, quoted where it is text, never long. */
export const describe = (value: unknown): string => {
  if (value === undefined) return "nothing";
  if (value === null) return "an empty value";
  if (typeof value === "bigint") return `${value}`;
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") {
    const keys = Object.keys(value).slice(0, 4).join(", ");
    return keys === "" ? "an empty map" : `a map with ${shorten(keys)}`;
  }
  if (typeof value === "string") return JSON.stringify(shorten(value));
  return String(value);
};

const shorten = (text: string): string =>
  text.length <= LONGEST_FOUND ? text : `${text.slice(0, LONGEST_FOUND - 1)}…`;

/** Makes text safe for one line of a terminal: control characters and line ends become spaces. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");

/**
 * The scenario (or an option that overrides it) says something that cannot be played.
 *
 * `message` is one line: place, path, what was expected, what was found, what to do.
 */
export class ScenarioError extends Error {
  override name = "ScenarioError";
  readonly place: Place;
  /** Path of the value in the document, such as `machine.virtioMem[0].size`; empty for the document. */
  readonly path: string;
  readonly refusal: Refusal;

  constructor(place: Place, path: string, refusal: Refusal, options?: ErrorOptions) {
    const { file, line, column } = place;
    const subject = path === "" ? "" : `${path}: `;
    const advice = refusal.advice === "" ? "" : `; ${refusal.advice}`;
    const said = `${subject}expected ${refusal.expected}, found ${refusal.found}${advice}`;
    super(oneLine(`${file}:${line}:${column}: ${said}`), options);
    this.place = place;
    this.path = path;
    this.refusal = refusal;
  }
}

export type Path = readonly (string | number)[];

/** Writes a path the way a reader would look it up: `steps[3].plug.size`. */
export const pathText = (path: Path): string => {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
};
