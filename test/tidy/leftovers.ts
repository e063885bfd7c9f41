import { codeOnly, without } from "../../scripts/source-text.mjs";
import { type Rule, violations } from "./source-file.ts";

/** Bracketed letters keep these patterns from finding themselves. */
const NOTES = /\b(?:TO[D]O|FIX[M]E|X[X]X)\b/g;
const SILENCED = /@ts-(?:ig[n]ore|noch[e]ck)\b/g;
const FOCUSED = /\b(?:it|test|describe|suite|bench)(?:\s*\.\s*\w+)*\s*\.\s*(?:only|skip)\b(?!\w)/g;
const CAST = /\bas\s+an[y]\b|<\s*an[y]\s*>/g;
const PRINTED = /\bconsole\s*\./g;

const isProgram = (path: string): boolean => /\.(ts|mts|mjs|svelte)$/.test(path);

/** Nothing is left for later in the code: it is done, or it throws NotModelled and says `@missing`. */
export const hasNoNotes: Rule = (file) =>
  isProgram(file.path) ? violations(file, file.text, NOTES, "left for later") : [];

/** Every test runs, every time. `skipIf` with its reason in the name is for what a machine does not have. */
export const runsEveryTest: Rule = (file) =>
  isProgram(file.path) ? violations(file, codeOnly(file.text), FOCUSED, "test left out") : [];

/** The compiler is listened to. */
export const trustsTheCompiler: Rule = (file) => {
  if (!isProgram(file.path)) return [];
  const casts = violations(file, codeOnly(file.text), CAST, "type thrown away");
  return [
    ...casts,
    ...violations(file, without(file.text, ["string", "template"]), SILENCED, "compiler silenced"),
  ];
};

/** Output has one way out, which is the command line's. */
export const printsNothing: Rule = (file) =>
  file.path.startsWith("src/") ? violations(file, codeOnly(file.text), PRINTED, "prints") : [];
