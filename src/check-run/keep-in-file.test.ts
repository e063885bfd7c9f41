import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { keepInFile } from "./keep-in-file.ts";

it("what a process that is no more left of a checkpoint is taken away, and nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-keep-"));
  // A process that was there and has ended.
  const gone = spawnSync(process.execPath, ["--version"]).pid;
  const stay = [`kept.${process.pid}.new`, `kept.other.${gone}.new`, `kept.${gone}.new.old`, "kept.x.new"];
  for (const name of [...stay, `kept.${gone}.new`]) writeFileSync(join(folder, name), "half of it");
  expect(keepInFile(join(folder, "kept"), "a search", 0).resume).toBeUndefined();
  expect(readdirSync(folder).sort()).toEqual([...stay].sort());
  rmSync(folder, { recursive: true });
});
