import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { LabError } from "../lab-error.ts";
import { withProcessLock } from "./process-lock.ts";

const scratch = mkdtempSync(join(tmpdir(), "tidemark-lock-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const lock = join(scratch, "lock");

it("one at a time has the lock", async () => {
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 4 }, () => withProcessLock(lock, work)));
  expect(most).toBe(1);
});

it("the lock is free after its work failed, and gives what the work gives", async () => {
  await expect(withProcessLock(lock, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withProcessLock(lock, () => Promise.resolve(7))).toBe(7);
});

it("a lock that cannot be had is told in one line", async () => {
  const path = join(scratch, "none", "lock");
  await expect(withProcessLock(path, () => Promise.resolve())).rejects.toThrow(LabError);
  await expect(withProcessLock(path, () => Promise.resolve())).rejects.toThrow(
    `cannot lock ${path}: flock ended`,
  );
});
