import { expect, it } from "vitest";
import { LEAF_STATUSES, leafStatus } from "./leaf-statuses.ts";
import { TDG, TDH } from "./leaves.ts";
import { statusWord } from "./status.ts";

it("names only leaves that there are", () => {
  const leaves = [...Object.keys(TDG), ...Object.keys(TDH)];
  expect(Object.keys(LEAF_STATUSES).filter((leaf) => !leaves.includes(leaf))).toEqual([]);
});

// Worked out by hand from the encoding: error bits 63:60, class and code 47:32, operand id or level below.
it.each([
  ["TDG.MEM.PAGE.ACCEPT", "OPERAND_BUSY", 0x8000_0200_0000_0001n],
  ["TDG.MEM.PAGE.ACCEPT", "PAGE_ALREADY_ACCEPTED", 0x0000_0b0a_0000_0000n],
  ["TDG.MEM.PAGE.ACCEPT", "PAGE_SIZE_MISMATCH", 0xc000_0b0b_0000_0001n],
  ["TDH.MEM.TRACK", "OPERAND_BUSY", 0x8000_0200_0000_00a9n],
  ["TDH.MEM.PAGE.AUG", "PAGE_METADATA_INCORRECT", 0xc000_0300_0000_0008n],
] as const)("%s answers %s with the details it has as a rule", (leaf, name, word) => {
  const found = leafStatus(leaf, name);
  expect(found === undefined ? undefined : statusWord(found)).toBe(word);
});

it("a leaf does not answer with the status of another", () => {
  expect(leafStatus("TDG.MEM.PAGE.ACCEPT", "EPT_ENTRY_FREE")).toBeUndefined();
  expect(leafStatus("TDG.VP.INFO", "OPERAND_BUSY")).toBeUndefined();
});
