import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";
import { describe, oneLine, type Path, type Place, pathText, ScenarioError } from "./scenario-error.ts";

/** Plain data read from YAML, with the place of every key and value. */
export interface Source {
  readonly data: unknown;
  /** Place of the value at `path`; of the nearest value around it if there is none. */
  placeOf(path: Path): Place;
  /** Place of the key at `path`; for list entries, of the value. */
  placeOfKey(path: Path): Place;
}

export class PlacedData implements Source {
  data: unknown = null;
  private readonly values = new Map<string, Place>();
  private readonly keys = new Map<string, Place>();
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  note(path: Path, value: Place, key?: Place): void {
    this.values.set(JSON.stringify(path), value);
    if (key !== undefined) this.keys.set(JSON.stringify(path), key);
  }

  placeOf(path: Path): Place {
    for (let length = path.length; length >= 0; length--) {
      const place = this.values.get(JSON.stringify(path.slice(0, length)));
      if (place !== undefined) return place;
    }
    return { file: this.file, line: 1, column: 1 };
  }

  placeOfKey(path: Path): Place {
    return this.keys.get(JSON.stringify(path)) ?? this.placeOf(path);
  }
}

/** Longest document read: the largest bundled scenario has a few kilobytes. */
const LONGEST_TEXT = 2 ** 18;
const MOST_NODES = 100_000;
/** Resolving one alias walks the document, so many of them in a long document would take for ever. */
const MOST_ALIASES = 100;
const DEEPEST = 64;

interface Reading {
  readonly document: Document;
  readonly out: PlacedData;
  readonly placeAt: (offset: number) => Place;
  nodes: number;
  aliases: number;
}

/**
 * Reads one YAML 1.2 document.
 *
 * @throws ScenarioError for anything that is not a tree of maps with text keys, lists, text, finite numbers
 *   below 2^53, booleans and nulls
 */
export const readYaml = (text: string, file: string): PlacedData => {
  const start = { file, line: 1, column: 1 };
  if (text.length > LONGEST_TEXT) {
    const found = `${text.length} characters`;
    throw new ScenarioError(start, "", { expected: "a scenario of at most 256 KiB", found, advice: "" });
  }
  const lineCounter = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lineCounter.linePos(Math.min(offset, text.length));
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const document = parse(text, lineCounter, start);
  refuseUnprintable(text, placeAt);
  refuseMistakes(document, placeAt);
  const out = new PlacedData(file);
  const reading: Reading = { document, out, placeAt, nodes: 0, aliases: 0 };
  out.data = document.contents === null ? null : convert(reading, document.contents as Node, []);
  return out;
};

/** Characters that no YAML has, and the one that stands for bytes that are no UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/;

const refuseUnprintable = (text: string, placeAt: (offset: number) => Place): void => {
  const offset = text.search(UNPRINTABLE);
  if (offset < 0) return;
  const code = text.charCodeAt(offset);
  const found = code === 0xfffd ? "bytes that are none" : `the control character ${hexCode(code)}`;
  throw new ScenarioError(placeAt(offset), "", {
    expected: "text in UTF-8",
    found,
    advice: 'save the file as UTF-8; in quotes "\\0" and "\\e" stand for control characters',
  });
};

const hexCode = (code: number): string => `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;

const tooDeep = (place: Place): ScenarioError =>
  new ScenarioError(place, "", {
    expected: `at most ${DEEPEST} levels of nesting`,
    found: "more",
    advice: "close the brackets or write the list flat",
  });

const parse = (text: string, lineCounter: LineCounter, start: Place): Document => {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, intAsBigInt: true, version: "1.2" });
  } catch (cause) {
    // The parser reports mistakes in the document; it throws when its stack ends, or for a defect of its own.
    const found = oneLine(cause instanceof Error ? cause.message : String(cause));
    if (STACK_END.test(found)) throw tooDeep(start);
    throw new ScenarioError(start, "", { expected: "YAML", found, advice: "" }, { cause });
  }
};

const STACK_END = /call stack/;

const refuseMistakes = (document: Document, placeAt: (offset: number) => Place): void => {
  const mistake = document.errors[0] ?? document.warnings[0];
  if (mistake === undefined) return;
  const place = placeAt(mistake.pos[0]);
  const reason = mistake.code === "MULTIPLE_DOCS" ? "a second document" : oneLine(mistake.message).trim();
  if (STACK_END.test(reason)) throw tooDeep(place);
  throw new ScenarioError(place, "", {
    expected: "YAML",
    found: `a mistake (${reason === "" ? mistake.code : reason})`,
    advice: adviceFor(mistake.code),
  });
};

const adviceFor = (code: string): string => {
  if (code === "TAB_AS_INDENT") return "indent with spaces";
  if (code === "DUPLICATE_KEY") return "write the key once";
  if (code === "MULTIPLE_DOCS") return "keep one document per file";
  if (code === "BAD_INDENT") return "align it with its neighbours";
  if (code === "TAG_RESOLVE_FAILED") return "remove the tag";
  return "";
};

const convert = (reading: Reading, node: Node, path: Path): unknown => {
  const place = reading.placeAt(node.range?.[0] ?? 0);
  reading.out.note(path, place);
  reading.nodes++;
  if (path.length > DEEPEST) throw tooDeep(place);
  if (reading.nodes > MOST_NODES) throw refuse(place, path, `at most ${MOST_NODES} values`, "more");
  if (isAlias(node)) return convertAlias(reading, node, place, path);
  if (isSeq(node))
    return node.items.map((item, i) => convertItem(reading, item as Node | null, [...path, i]));
  if (isMap(node)) return convertMap(reading, node.items as readonly MapItem[], path);
  if (isScalar(node)) return convertScalar(node.value, place, path);
  throw refuse(place, path, "a map, a list or a plain value", "something else");
};

const convertAlias = (reading: Reading, alias: Alias, place: Place, path: Path): unknown => {
  reading.aliases++;
  if (reading.aliases > MOST_ALIASES) throw refuse(place, path, `at most ${MOST_ALIASES} aliases`, "more");
  const target = alias.resolve(reading.document);
  if (target === undefined) throw refuse(place, path, "an anchor of this document", "an unknown alias");
  return convert(reading, target, path);
};

const convertItem = (reading: Reading, item: Node | null, path: Path): unknown =>
  item === null ? null : convert(reading, item, path);

interface MapItem {
  readonly key: unknown;
  readonly value: Node | null;
}

/**
 * Whether a map can have the key. Assigning __proto__ would change the map's nature instead of adding a key, and a map
 * with a toString of its own cannot be compared with a number, as the schema does with whatever is called `length`.
 */
export const isPlainKey = (key: string): boolean => key !== "__proto__" && key !== "toString";

const convertMap = (reading: Reading, items: readonly MapItem[], path: Path): Record<string, unknown> => {
  const map: Record<string, unknown> = {};
  for (const item of items) {
    const keyNode = item.key as Node | null;
    const place = reading.placeAt(keyNode?.range?.[0] ?? 0);
    const raw = isScalar(keyNode) ? keyNode.value : keyNode;
    const key = typeof raw === "number" || typeof raw === "bigint" ? String(raw) : raw;
    if (typeof key !== "string" || !isPlainKey(key)) {
      throw refuse(place, path, "a key of plain text", keyNode === null ? "no key" : describeKey(key));
    }
    const inner = [...path, key];
    if (Object.hasOwn(map, key)) throw refuse(place, inner, "each key once", "it again");
    map[key] = item.value === null ? null : convert(reading, item.value, inner);
    reading.out.note(inner, item.value === null ? place : reading.out.placeOf(inner), place);
  }
  return map;
};

const describeKey = (key: unknown): string =>
  key === null || typeof key !== "object" ? describe(key) : "a map or a list as a key";

const convertScalar = (value: unknown, place: Place, path: Path): unknown => {
  if (typeof value === "bigint") {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw refuse(place, path, "an integer below 2^53", `${value}`);
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw refuse(place, path, "a finite number", String(value));
  }
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return value;
  throw refuse(place, path, "a plain value", describe(value));
};

const refuse = (place: Place, path: Path, expected: string, found: string): ScenarioError =>
  new ScenarioError(place, pathText(path), { expected, found, advice: "" });
