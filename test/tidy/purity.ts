import { codeOnly, without } from "../../scripts/source-text.mjs";
import { folderOf } from "./layers.ts";
import { importsOf, isModelSource, type Rule, resolved, violation, violations } from "./source-file.ts";

/** Folders whose code has no IO, no clock, no chance and no packages. "root" is the files of src/ itself. */
export const PURE: readonly string[] = [
  "root",
  "flat",
  "abi",
  "tdx-module",
  "snp",
  "vmm",
  "tdx-host",
  "efi-stub",
  "linux",
  "designs",
  "machine",
  "protocol",
  "artifacts",
];

/** Names of what pure code may not touch, where they are used rather than part of another name. */
const IMPURE = [
  /(?<![\w$.])(?:new\s+Date\b|Date\s*[.(])/g,
  /(?<![\w$.])(?:process|performance|Buffer|console|crypto)\s*(?:\?\.|[.[])/g,
  /(?<![\w$.])(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch|require)\s*\(/g,
  /\bglobalThis\b|\bMath\s*\.\s*random\b|\bimport\s*\.\s*meta\b/g,
];

/** Pure code computes from its arguments alone: the same run gives the same bytes on every machine. */
export const isPure: Rule = (file) => {
  const folder = folderOf(file.path);
  if (folder === undefined || !PURE.includes(folder) || !isModelSource(file.path)) return [];
  const code = codeOnly(file.text);
  const named = IMPURE.flatMap((pattern) => violations(file, code, pattern, "pure code uses"));
  const templates = without(file.text, ["comment"]).matchAll(/\bimport\s*\(\s*`/g);
  const dynamic = [...templates].map((match) =>
    violation(file, match.index, "pure code imports a computed name"),
  );
  const imported = importsOf(file.text).flatMap(({ specifier, offset }) => {
    if (!specifier.startsWith(".")) return [violation(file, offset, `pure code imports ${specifier}`)];
    const to = folderOf(resolved(file.path, specifier) ?? "");
    const pure = to !== undefined && PURE.includes(to);
    return pure ? [] : [violation(file, offset, `pure code imports ${specifier}, which is not pure`)];
  });
  return [...named, ...dynamic, ...imported];
};
