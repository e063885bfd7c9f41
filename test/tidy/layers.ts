import { importsOf, type Rule, resolved, violation } from "./source-file.ts";

/**
 * The folders under src/ from the bottom up. Each may import itself and those above it in this list; folders of
 * one row do not know each other, except as BESIDE says.
 */
export const LAYERS: readonly (readonly string[])[] = [
  ["flat"],
  ["abi"],
  ["tdx-module", "snp"],
  ["vmm", "tdx-host"],
  ["efi-stub"],
  ["linux"],
  ["designs"],
  ["machine"],
  ["scenario", "check"],
  ["check-run"],
  ["protocol"],
  ["lab"],
  ["artifacts", "plan"],
  ["server", "cli", "web"],
];

/** Exploring starts from a scenario, and the command line starts the server. Never the other way round. */
const BESIDE: Readonly<Record<string, readonly string[]>> = { check: ["scenario"], cli: ["server"] };

/** The guest reaches the module, the RMP, the VMM and the firmware through the boundary that hardware has. */
const BEYOND_THE_BOUNDARY = ["tdx-module", "snp", "vmm", "tdx-host", "efi-stub"];
const GUEST = ["linux", "designs"];

const LOWER = "root";

/** Folder below src/ that a path is in; "root" for a file of src/ itself, undefined outside src/. */
export const folderOf = (path: string): string | undefined => {
  const parts = path.split("/");
  if (parts[0] !== "src") return undefined;
  return parts.length === 2 ? LOWER : parts[1];
};

const rank = (folder: string): number => LAYERS.findIndex((row) => row.includes(folder));

/** Why `from` may not import `to`, both folders below src/; undefined if it may. */
export const forbidden = (from: string, to: string): string | undefined => {
  if (from === to || to === LOWER) return undefined;
  if (from === LOWER) return "a file of src/ itself imports no folder";
  if (GUEST.includes(from) && BEYOND_THE_BOUNDARY.includes(to)) {
    return `${from}/ reaches ${to}/ only through the boundary`;
  }
  const known = rank(from) >= 0 && rank(to) >= 0;
  if (known && (rank(to) < rank(from) || BESIDE[from]?.includes(to))) return undefined;
  return `${from}/ is not above ${to}/ in the layers`;
};

/** A file below src/ imports only what its folder may. Tests too: one that needs more belongs into test/. */
export const keepsToItsLayer: Rule = (file) => {
  const from = folderOf(file.path);
  if (from === undefined) return [];
  if (from !== LOWER && rank(from) < 0) return [violation(file, 0, `src/${from}/ is in no layer`)];
  return importsOf(file.text).flatMap(({ specifier, offset }) => {
    if (!specifier.startsWith(".")) return [];
    const target = resolved(file.path, specifier);
    const to = target === undefined ? undefined : folderOf(target);
    if (to === undefined)
      return file.path.endsWith(".test.ts") ? [] : [violation(file, offset, `${specifier} is outside src/`)];
    const reason = forbidden(from, to);
    return reason === undefined ? [] : [violation(file, offset, reason)];
  });
};

/** What the program is made of imports no test, and nothing that was made for tests. */
export const importsNoTest: Rule = (file) => {
  if (/\.test\.ts$|\/testing\/|^test\//.test(file.path)) return [];
  const tests = importsOf(file.text).filter(({ specifier }) => /\.test\.ts$|\/testing\//.test(specifier));
  return tests.map(({ specifier, offset }) =>
    violation(file, offset, `imports ${specifier}, which is for tests`),
  );
};
