import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { BreadthFirst } from "../check/breadth-first.ts";
import { closedForms, UnitAcceptance } from "../check/unit-acceptance.ts";
import { CheckpointError, readCheckpoint, writeCheckpoint } from "./checkpoint-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-checkpoint-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const half = (partialOrder: boolean) => {
  const search = new BreadthFirst(new UnitAcceptance({ units: 5, vcpus: 3 }), { partialOrder });
  search.begin();
  search.run({ states: 5000 });
  return search;
};

it.each([true, false])("what is read is what was written, with partial order: %s", (partialOrder) => {
  const path = join(folder, "whole");
  const search = half(partialOrder);
  const checkpoint = search.capture();
  writeCheckpoint(path, "this one", checkpoint, "a note");
  const { table, levels, note, ...rest } = readCheckpoint(path, "this one");
  expect(note).toBe("a note");
  const { table: tableBefore, levels: levelsBefore, ...restBefore } = checkpoint;
  expect(Buffer.compare(new Uint8Array(table.buffer), new Uint8Array(tableBefore.buffer))).toBe(0);
  expect(levels?.length).toBe(partialOrder ? tableBefore.length / 2 : undefined);
  expect(levels?.reduce((sum, level) => sum + level, 0)).toBe(
    levelsBefore?.reduce((sum, level) => sum + level, 0),
  );
  expect(rest).toEqual(restBefore);
  expect(readdirSync(folder)).toEqual(["whole"]);

  const other = new BreadthFirst(new UnitAcceptance({ units: 5, vcpus: 3 }), { partialOrder });
  other.resume(readCheckpoint(path, "this one"));
  const { bytes, ...ended } = other.run({});
  expect(ended).toEqual({ ...search.run({}), bytes: undefined });
  expect(bytes).toBeGreaterThan(0);
  if (!partialOrder) expect(ended).toMatchObject({ end: "complete", states: closedForms(5, 3).states });
});

it("whatever is damaged is refused with one line", () => {
  const path = join(folder, "damaged");
  writeCheckpoint(path, "this one", half(false).capture());
  const whole = readFileSync(path);
  const read = () => readCheckpoint(path, "this one");
  fc.assert(
    fc.property(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (at, flip, cuts) => {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= flip;
        writeFileSync(path, cuts ? whole.subarray(0, at) : damaged);
        expect(read).toThrow(CheckpointError);
        expect(read).toThrow(/^[^\n]*$/);
      },
    ),
    { numRuns: 100 },
  );
  for (const start of [0, 10, 17, 20, 60, 200])
    for (const byte of [0, 0x30, 0xff]) {
      writeFileSync(path, Buffer.from(whole).fill(byte, start, start + 8));
      expect(read).toThrow(CheckpointError);
    }
});

it("a file that is not there, or cannot be made, is named", () => {
  expect(() => readCheckpoint(join(folder, "none"), "")).toThrow(/none: the checkpoint cannot be read/);
  const nowhere = join(folder, "no", "folder");
  expect(() => writeCheckpoint(nowhere, "", half(false).capture())).toThrow(
    /the checkpoint cannot be written/,
  );
});
