import { expect, it } from "vitest";
import { forbidden, importsNoTest, keepsToItsLayer, LAYERS } from "./layers.ts";
import { hasNoNotes, printsNothing, runsEveryTest, trustsTheCompiler } from "./leftovers.ts";
import { hasTellingName, importsExist } from "./names.ts";
import { namesNoMachinePath, namesNoRegistry } from "./places.ts";
import { isPure, PURE } from "./purity.ts";
import { FILE_LINES, FUNCTION_LINES, functionBodies, hasShortFunctions, isShort } from "./size.ts";
import { importsOf, type Rule, resolved } from "./source-file.ts";

/** A sample that breaks a rule must not break it in this file: a bar stands where it is cut. */
const sample = (text: string): string => text.replaceAll("|", "");

const found = (rule: Rule, path: string, text: string): string[] => rule({ path, text: sample(text) });
const breaks = (rule: Rule, path: string, text: string): boolean => found(rule, path, text).length > 0;

it("every form of import is seen, and nothing else", () => {
  const text = `import { a } from "./a.ts";
import type { B } from "./b.ts";
import * as c from "./c.ts";
import d, { type D } from "./d.ts";
import {
  e,
  f as g,
} from "./e.ts";
import "./f.ts";
export * from "./g.ts";
export { h as default } from "./h.ts";
const i = await import("./i.ts");
// import { x } from "./comment.ts";
const text = 'import { x } from "./string.ts"';
const template = \`import { x } from "./template.ts"\`;
export const from = "./constant.ts";`;
  const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
  expect(importsOf(text).map(({ specifier }) => specifier)).toEqual(names.map((name) => `./${name}.ts`));
});

it("a specifier is resolved from the folder of its file", () => {
  expect(resolved("src/abi/tdx/regs.ts", "../word.ts")).toBe("src/abi/word.ts");
  expect(resolved("src/abi/tdx/regs.ts", "./status.ts")).toBe("src/abi/tdx/status.ts");
  expect(resolved("src/a.ts", "../../b.ts")).toBeUndefined();
});

it("a layer imports itself, the root and what is below it, and nothing else", () => {
  const folders = LAYERS.flat();
  const allowed = (from: string) => folders.filter((to) => forbidden(from, to) === undefined);
  expect(allowed("flat")).toEqual(["flat"]);
  expect(allowed("root")).toEqual([]);
  expect(allowed("abi")).toEqual(["flat", "abi"]);
  expect(allowed("tdx-module")).toEqual(["flat", "abi", "tdx-module"]);
  expect(allowed("snp")).toEqual(["flat", "abi", "snp"]);
  expect(allowed("vmm")).toEqual(["flat", "abi", "tdx-module", "snp", "vmm"]);
  expect(allowed("linux")).toEqual(["flat", "abi", "linux"]);
  expect(allowed("designs")).toEqual(["flat", "abi", "linux", "designs"]);
  expect(allowed("scenario")).not.toContain("check");
  expect(allowed("check")).toContain("scenario");
  expect(allowed("cli")).toEqual(folders.filter((folder) => folder !== "web"));
  expect(folders.every((folder) => forbidden(folder, "root") === undefined)).toBe(true);
});

it("an import against the layers is found, with its line", () => {
  const text = 'import { a } from "../units.ts";\nimport { b } from "../vmm/b.ts";\n';
  expect(found(keepsToItsLayer, "src/linux/a.ts", text)).toEqual([
    "src/linux/a.ts:2: linux/ reaches vmm/ only through the boundary",
  ]);
  expect(found(keepsToItsLayer, "src/abi/a.ts", 'export * from "../linux/b.ts";')).toEqual([
    "src/abi/a.ts:1: abi/ is not above linux/ in the layers",
  ]);
  expect(breaks(keepsToItsLayer, "src/units.ts", 'import { a } from "./abi/a.ts";')).toBe(true);
  expect(breaks(keepsToItsLayer, "src/linux/a.test.ts", 'import { a } from "../vmm/a.ts";')).toBe(true);
  expect(breaks(keepsToItsLayer, "src/abi/a.ts", 'import { a } from "../../scripts/a.mjs";')).toBe(true);
  expect(breaks(keepsToItsLayer, "src/attic/a.ts", "")).toBe(true);
  expect(breaks(keepsToItsLayer, "src/vmm/deep/a.ts", 'import { a } from "../../tdx-module/a.ts";')).toBe(
    false,
  );
});

it("a program that imports what was made for tests is found", () => {
  const text = 'import { a } from "./testing/a.ts";';
  expect(breaks(importsNoTest, "src/vmm/a.ts", text)).toBe(true);
  expect(breaks(importsNoTest, "src/vmm/a.ts", 'import { a } from "./b.test.ts";')).toBe(true);
  expect(breaks(importsNoTest, "src/vmm/a.test.ts", text)).toBe(false);
});

it.each([
  'import { readFileSync } from "node:fs";',
  'import * as z from "zod";',
  "const t = Date.now();",
  "const t = new Date();",
  "const t = performance.now();",
  "const t = Math.random();",
  "setTimeout(() => 1);",
  "const e = process.env.HOME;",
  "const e = process?.env;",
  "const b = Buffer.alloc(1);",
  "const u = import.meta.url;",
  "const m = await import(`./x.ts`);",
  "const g = globalThis;",
  'import { a } from "../lab/a.ts";',
])("pure code that does %s is found", (text) => {
  expect(breaks(isPure, "src/vmm/a.ts", text)).toBe(true);
});

it("purity minds neither comments, nor names that only look alike, nor tests, nor folders with IO", () => {
  const harmless = [
    "// Date.now() would make runs differ",
    'const s = "process.env";',
    "task.process.start();",
    "const updateDate = new Dated();",
    "const d = new TextDecoder();",
    'import { assert } from "../assert.ts";',
  ].join("\n");
  for (const folder of PURE.filter((name) => name !== "root")) {
    expect(found(isPure, `src/${folder}/a.ts`, harmless)).toEqual([]);
    expect(breaks(isPure, `src/${folder}/a.ts`, "Date.now()")).toBe(true);
  }
  expect(breaks(isPure, "src/assert.ts", "Date.now()")).toBe(true);
  for (const path of ["src/vmm/a.test.ts", "src/vmm/testing/a.ts", "src/cli/a.ts", "bench/a.bench.ts"]) {
    expect(breaks(isPure, path, "Date.now()")).toBe(false);
  }
});

it.each([
  [hasNoNotes, "// TO|DO: later"],
  [hasNoNotes, "const a = 1; // FIX|ME"],
  [hasNoNotes, "/* XX|X */"],
  [runsEveryTest, 'it.on|ly("a", () => {});'],
  [runsEveryTest, 'describe.sk|ip("a", () => {});'],
  [runsEveryTest, 'it.concurrent.on|ly("a", () => {});'],
  [trustsTheCompiler, "const a = b as an|y;"],
  [trustsTheCompiler, "const a = <an|y>b;"],
  [trustsTheCompiler, "// @ts-ign|ore"],
  [printsNothing, "console|.log(1);"],
])("%o finds %s", (rule, text) => {
  expect(breaks(rule, "src/cli/a.ts", text)).toBe(true);
});

it("what only looks like a leftover is none", () => {
  const text = 'it.skipIf(path === undefined)("a"); const XXXL = 1; const many = "as an|y other";';
  for (const rule of [hasNoNotes, runsEveryTest, trustsTheCompiler, printsNothing]) {
    expect(found(rule, "src/cli/a.ts", text)).toEqual([]);
  }
});

it("a file one line too long is found", () => {
  const lines = (n: number) => "const a = 1;\n".repeat(n);
  expect(found(isShort, "src/a.ts", lines(FILE_LINES))).toEqual([]);
  expect(found(isShort, "src/a.ts", lines(FILE_LINES + 1))).toEqual(["src/a.ts:1: 301 lines, more than 300"]);
  expect(found(isShort, "src/a.test.ts", lines(FILE_LINES + 1))).toEqual([]);
});

const HEADS = [
  "const f = (a: number): number => {",
  "const f = async <T>(a: T): Promise<Map<string, T>> => {",
  "export function f(a = (1 + 2)) {",
  "function f(): { readonly a: { b: 1 } } {",
  "function f(a: unknown): a is { b: 1 } | undefined {",
  "class A {\n  private async f<T>(a: T): Promise<T> {",
  "class A {\n  constructor(a: number) {",
  "class A {\n  get a(): number {",
  "const o = {\n  f(a) {",
  "call(1, (a) => {",
];

it.each(HEADS)("a function that begins %s and is one line too long is found", (head) => {
  const text = (body: number) => `${head}\n${"  if (a) { b(); }\n".repeat(body)}}\n`;
  expect(found(hasShortFunctions, "src/a.ts", text(FUNCTION_LINES - 2))).toEqual([]);
  expect(found(hasShortFunctions, "src/a.ts", text(FUNCTION_LINES - 1))).toHaveLength(1);
});

it("tables, classes, types and control flow are no functions", () => {
  const text = `const TABLE = { a: 1 };
class A extends B(c) {
}
interface C { d(): { e: number }; }
const g = h ? i(j) : { k: 1 };
if (a) { b(); } else if (c) { d(); }
for (const a of b) { c(); }
while (a) { b(); }
switch (a) { case 1: { b(); } }
`;
  expect(functionBodies(text)).toEqual([]);
});

it.each(["see /wor|k/main/src", '"/tm|p/x.sock"', "file:///roo|t/a", "`/hom|e/me/a`", "cd /tm|p"])(
  "%s is a path of one machine",
  (text) => {
    expect(breaks(namesNoMachinePath, "docs/a.md", text)).toBe(true);
  },
);

it("other paths are of no machine", () => {
  const text =
    "src/work/a.ts ./tm|p/a $" + "{folder}/tm|p/a /workspace/a /sys/firmware https://a.example/hom|e";
  expect(found(namesNoMachinePath, "docs/a.md", text)).toEqual([]);
  expect(found(namesNoMachinePath, "data/dmesg/a.log", "/hom|e/me")).toEqual([]);
  expect(breaks(namesNoMachinePath, "data/PROVENANCE.md", "/hom|e/me")).toBe(true);
});

it("a registry is found anywhere, and in package-lock.json as a resolved address", () => {
  const address = "https|://registry.example.org/vitest/-/vitest-4.1.12.tgz";
  expect(breaks(namesNoRegistry, "README.md", `from ${address}`)).toBe(true);
  expect(breaks(namesNoRegistry, "package-lock.json", `"resolved": "${address}"`)).toBe(true);
  expect(breaks(namesNoRegistry, "package-lock.json", '"url": "https|://opencollective.com/registry"')).toBe(
    false,
  );
});

it("an import of a file that is not there, or without its ending, is found", () => {
  const there = new Set(["src/a.ts", "src/abi/index.ts", "src/abi", "scripts/a.mjs", "src/web/a.css"]);
  const rule = importsExist((path) => there.has(path));
  expect(found(rule, "src/b.ts", 'import "./a.ts"; import "node:fs"; import * as z from "zod";')).toEqual([]);
  expect(breaks(rule, "src/b.ts", 'import "./gone.ts";')).toBe(true);
  expect(breaks(rule, "src/b.ts", 'import "./a";')).toBe(true);
  expect(breaks(rule, "src/b.ts", 'import "./abi";')).toBe(true);
  expect(breaks(rule, "src/b.ts", 'import "../scripts/a.mjs";')).toBe(true);
  expect(breaks(rule, "test/b.test.ts", 'import "../scripts/a.mjs";')).toBe(false);
  expect(breaks(rule, "src/web/b.ts", 'import "./a.css";')).toBe(false);
});

it.each([
  "src/utils.ts",
  "src/abi/helpers/a.ts",
  "src/vmm/memory-manager.ts",
  "src/data.ts",
  "test/common/a.test.ts",
])("%s has a name that says nothing", (path) => {
  expect(breaks(hasTellingName, path, "")).toBe(true);
});

it.each(["test/shared-data.ts", "src/abi/word.ts", "src/linux/common-pages.ts", "data/acpi/a.md"])(
  "%s has a telling name",
  (path) => {
    expect(breaks(hasTellingName, path, "")).toBe(false);
  },
);
