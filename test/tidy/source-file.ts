import { codeOnly, without } from "../../scripts/source-text.mjs";

/** One file of the repository: its path from the root with slashes, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** What a rule found, as "PATH:LINE: what is wrong". */
export type Violation = string;

/** A rule about one file. It reads nothing else, so that its own test can show it a file that breaks it. */
export type Rule = (file: SourceFile) => Violation[];

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;

/** Words a violation, with the line that `offset` is in. */
export const violation = (file: SourceFile, offset: number, what: string): Violation =>
  `${file.path}:${lineAt(file.text, offset)}: ${what}`;

/** Every match of `pattern` in `text`, a version of the file's text with the same positions. */
export const violations = (file: SourceFile, text: string, pattern: RegExp, what: string): Violation[] =>
  [...text.matchAll(pattern)].map((match) => violation(file, match.index, `${what}: ${match[0].trim()}`));

/** Tests, and the folders named testing/ that hold what only tests use. */
export const isTest = (path: string): boolean => /\.test\.ts$|^test\/|\/testing\//.test(path);

/** True for the TypeScript that the program is made of. */
export const isModelSource = (path: string): boolean => /^src\/.*\.ts$/.test(path) && !isTest(path);

export interface Import {
  readonly specifier: string;
  readonly offset: number;
}

const IMPORT =
  /\b(?:import|export)\s+(?:type\s+)?(?:[\w*{}\s,$]*?\bfrom\s*|[\w*{}\s,$]*?\}\s*from\s*)?["']([^"'\n]+)["']|\bimport\s*\(\s*["']([^"'\n]+)["']/g;

/** Every module that a file names: import, export from, import(). Types count, comments and strings do not. */
export const importsOf = (text: string): Import[] => {
  const code = codeOnly(text);
  const matches = [...without(text, ["comment", "template"]).matchAll(IMPORT)];
  const real = matches.filter((match) => code.startsWith(match[0].slice(0, 6), match.index));
  return real.map((match) => ({ specifier: match[1] ?? match[2]!, offset: match.index }));
};

/** The path a relative specifier names, seen from the file that has it; undefined if it leaves the repository. */
export const resolved = (from: string, specifier: string): string | undefined => {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
};
