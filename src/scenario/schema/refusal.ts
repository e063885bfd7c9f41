import type * as z from "zod";
import { listOf, suggest } from "../nearest-name.ts";
import { describe, type Path, type Refusal } from "../scenario-error.ts";

/**
 * Zod carries one string per issue. Ours is a Refusal as JSON, so that the three parts of a message reach
 * the user apart and every rule, ours or zod's, speaks the same way.
 */
const encode = (refusal: Refusal): string => JSON.stringify(refusal);

type RawIssue = z.core.$ZodRawIssue;
type ErrorMap = (issue: RawIssue) => string;

/** Error of a schema: what it takes, whatever was found. */
export const expecting =
  (expected: string, advice = ""): ErrorMap =>
  (issue) =>
    encode({ expected, found: describe(issue.input), advice: absent(issue, advice) });

/** Error of a schema that takes one of some names. */
export const expectingName =
  (expected: string, names: readonly string[]): ErrorMap =>
  (issue) => {
    const advice = typeof issue.input === "string" ? suggest(issue.input, names) : "";
    return encode({ expected, found: describe(issue.input), advice: absent(issue, advice) });
  };

const absent = (issue: RawIssue, advice: string): string =>
  issue.input === undefined && advice === "" ? "add it" : advice;

/** Refuses a value inside a transform. */
export const refuse = (
  context: z.core.$RefinementCtx,
  input: unknown,
  expected: string,
  advice = "",
): z.core.util.Primitive => {
  context.issues.push({
    code: "custom",
    input,
    message: encode({ expected, found: describe(input), advice }),
  });
  return undefined;
};

/** Words for zod's own issues, where a schema says nothing itself. */
export const wordIssue: ErrorMap = (issue) => {
  const found = describe(issue.input);
  switch (issue.code) {
    case "unrecognized_keys":
      return wordUnknownKeys(issue);
    case "invalid_value": {
      const values = issue.values.map(String);
      const typed = typeof issue.input === "string" ? issue.input : "";
      const advice = issue.input === undefined ? "add it" : typed === "" ? "" : suggest(typed, values);
      return encode({ expected: listOf(values), found, advice });
    }
    case "invalid_type":
      return encode({
        expected: TYPE_WORDS[issue.expected] ?? `a ${issue.expected}`,
        found,
        advice: absent(issue, issue.expected === "boolean" ? truthAdvice(issue.input) : ""),
      });
    case "too_small":
    case "too_big":
      return encode({ expected: limitWords(issue), found, advice: "" });
    default:
      return encode({ expected: "a value this field takes", found, advice: "see docs/scenarios.md" });
  }
};

/** YAML 1.1 read these words as truth values; YAML 1.2 reads them as text. */
const truthAdvice = (input: unknown): string => {
  if (typeof input !== "string") return "";
  if (/^(on|yes|y)$/i.test(input)) return "write true";
  return /^(off|no|n)$/i.test(input) ? "write false" : "";
};

const TYPE_WORDS: { readonly [type: string]: string } = {
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  string: "text",
  object: "a map",
  record: "a map",
  array: "a list",
};

const limitWords = (
  issue: z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig>,
): string => {
  const limit = issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (issue.origin === "string") return `${limit} characters`;
  if (issue.origin === "array") return `a list of ${limit}`;
  return limit;
};

const wordUnknownKeys = (issue: z.core.$ZodRawIssue<z.core.$ZodIssueUnrecognizedKeys>): string => {
  const key = issue.keys[0] ?? "";
  const known = keysOf(issue.inst?._zod.def as KeyedDef | undefined);
  const expected = known.length === 0 ? "nothing here yet" : "a key known here";
  return encode({ expected, found: `\`${key}\``, advice: suggest(key, known) });
};

/** The definition of a schema with known keys: an object, or a record over an enumeration. */
interface KeyedDef {
  readonly shape?: object;
  readonly keyType?: z.core.$ZodType;
}

const keysOf = (def: KeyedDef | undefined): string[] =>
  def?.keyType === undefined
    ? Object.keys(def?.shape ?? {})
    : [...(def.keyType._zod.values ?? [])].map(String);

/** An issue that says what to mend, with the path of the value (or of the unknown key) it is about. */
export interface PlacedRefusal {
  readonly path: Path;
  readonly aboutKey: boolean;
  readonly refusal: Refusal;
}

type Issue = z.core.$ZodIssue;

/** All refusals behind zod's issues; a union answers with the branch that came closest. */
export const refusalsOf = (issues: readonly Issue[], outer: Path = []): PlacedRefusal[] =>
  issues.flatMap((issue) => {
    const path = [...outer, ...(issue.path as Path)];
    if (issue.code === "invalid_union") {
      const closest = issue.errors.find((branch) => branch.some((inner) => !isAboutKind(inner)));
      if (closest !== undefined) return refusalsOf(closest, path);
    }
    if (issue.code === "invalid_key") {
      const refusal = JSON.parse(issue.issues[0]?.message ?? issue.message) as Refusal;
      return [{ path, aboutKey: true, refusal }];
    }
    const refusal = JSON.parse(issue.message) as Refusal;
    if (issue.code !== "unrecognized_keys") return [{ path, aboutKey: false, refusal }];
    return [{ path: [...path, issue.keys[0] ?? ""], aboutKey: true, refusal }];
  });

/** True if the whole value is of another kind, so that the branch was not the one meant. */
const isAboutKind = (issue: Issue): boolean =>
  issue.path.length === 0 &&
  (issue.code === "invalid_type" || issue.code === "invalid_value" || issue.code === "invalid_union");
