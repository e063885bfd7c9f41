import { expect, it } from "vitest";
import { coverageDocument, gapsIn, missingTags } from "../../scripts/coverage.mjs";

it("a tag ends at the next tag, at a blank line or at the end of its docstring", () => {
  const docstring = `/**
 * What it does, not what the word @missing inside a line says.
 *
 * @missing levels 1 and 2,
 *   and PAGE_SIZE_MISMATCH
 * @source the ABI
 * @missing a second thing
 *
 * Not part of it.
 */`;
  expect(missingTags(docstring)).toEqual(["levels 1 and 2, and PAGE_SIZE_MISMATCH", "a second thing"]);
  expect(missingTags("/** @missing all of it */")).toEqual(["all of it"]);
});

const SOURCE = `/**
 * A file's own comment.
 * @missing the whole file's gap
 */
import { NotModelled } from "./not-modelled.ts";

/** @missing large pages */
export const release = (level: number): void => {
  if (level !== 0) throw new NotModelled("release of a large page");
  if (level > 3) throw new NotModelled(\`level \${level}\`);
  throw new NotModelled(
    reasonFor(level),
  );
};

/** A table. */
export class Table {
  /** @missing shrinking */
  private readonly rows = 1;

  grow(): void {
    throw new NotModelled("a (large) table");
    // throw new NotModelled("a comment");
  }
}
`;

it("every tag and every throw is listed with what it belongs to", () => {
  expect(gapsIn(SOURCE)).toEqual([
    { kind: "missing", symbol: "(file)", text: "the whole file's gap" },
    { kind: "missing", symbol: "release", text: "large pages" },
    { kind: "missing", symbol: "Table.rows", text: "shrinking" },
    { kind: "throws", symbol: "release", text: "release of a large page" },
    { kind: "throws", symbol: "release", text: "level <level>" },
    { kind: "throws", symbol: "release", text: "`reasonFor(level)`" },
    { kind: "throws", symbol: "Table.grow", text: "a (large) table" },
  ]);
});

it("the document does not depend on the order of the files", () => {
  const files = [
    ["src/vmm/b.ts", "/** @missing b */\nexport const b = 1;\n"],
    ["src/abi/a.ts", "/** @missing a < b */\nexport const a = 1;\n"],
    ["src/abi/a-first.ts", "/** @missing c */\nexport const c = 1;\n"],
    ["src/abi/none.ts", "export const c = 1;\n"],
  ] as const;
  const document = coverageDocument(files);
  expect(coverageDocument([...files].reverse())).toBe(document);
  expect(document.split("\n").filter((line) => /^[#0-9-]/.test(line))).toEqual([
    "# What is not modelled",
    "3 tags and 0 throws in 3 files.",
    "## src/abi",
    "### a-first.ts",
    "- `c`: c",
    "### a.ts",
    "- `a`: a \\< b",
    "## src/vmm",
    "### b.ts",
    "- `b`: b",
  ]);
});
