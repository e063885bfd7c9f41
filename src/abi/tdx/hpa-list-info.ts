import { assert } from "../../assert.ts";
import type { Hfn } from "../../units.ts";
import { word } from "../word.ts";

/**
 * HPA_LIST_INFO: names a page that lists host-physical addresses, and the part of it still to do.
 *
 * Bits 2:0 and 54:52 are zero. After INTERRUPTED_RESUMABLE the caller repeats the call with the word it got
 * back, which carries the progress.
 *
 * @source Linux patch series "TDX Module Extensions", v2, 2026-06-18
 */
export const HPA_LIST_INFO = word({
  firstEntry: [11, 3], // index of the first entry still to process
  pfn: [51, 12], // frame that holds the list
  lastEntry: [63, 55], // index of the last valid entry: count - 1, never the count
});

/** Host-physical addresses that one list page holds, 8 bytes each. */
export const HPA_LIST_ENTRIES = 512;

/** The word for a fresh list of `count` entries, 1 to 512. */
export const hpaListInfo = (list: Hfn, count: number): bigint => {
  assert(1 <= count && count <= HPA_LIST_ENTRIES, "a list page holds 1 to 512 entries");
  return HPA_LIST_INFO.encode({ firstEntry: 0n, pfn: BigInt(list), lastEntry: BigInt(count - 1) });
};
