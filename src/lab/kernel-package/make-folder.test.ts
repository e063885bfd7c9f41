import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeFolder } from "./make-folder.ts";

const scratch = mkdtempSync(join(tmpdir(), "tidemark-folder-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it("a folder is made with those above it, and one that is there is left alone", () => {
  const path = join(scratch, "a/b/c");
  for (let time = 0; time < 2; time++) {
    makeFolder(path);
    expect(statSync(path).isDirectory()).toBe(true);
  }
});

it("a file in the way is told of", () => {
  writeFileSync(join(scratch, "file"), "");
  expect(() => makeFolder(join(scratch, "file"))).toThrow(/EEXIST/);
  expect(() => makeFolder(join(scratch, "file/below"))).toThrow(/ENOTDIR/);
});

it.skipIf(process.platform !== "linux")(
  "a file system that makes no folders is told of, and not asked for ever (Linux)",
  () => {
    expect(() => makeFolder("/proc/1/tidemark/kernels")).toThrow(/ENOENT|EACCES|EPERM/);
  },
);
