import { TDH } from "../abi/tdx/leaves.ts";
import { SEPT_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { SUCCESS } from "../abi/tdx/status.ts";
import type { TdxModule } from "./module.ts";
import { checkTdState, TAKE_SHARED } from "./operands.ts";
import { TD_WORD, type Td } from "./td.ts";

const LEAVES = [
  TDH["TDH.MEM.RANGE.BLOCK"],
  TDH["TDH.MEM.TRACK"],
  TDH["TDH.MEM.PAGE.REMOVE"],
  TDH["TDH.PHYMEM.PAGE.WBINVD"],
] as const;

/** The SEAMCALLs by which a host takes one page from a TD, in their order. */
export const REMOVAL: readonly number[] = LEAVES;

/** Whether a call could find that somebody is in its way, or be refused for the state of the TD. */
const isAlone = (m: TdxModule, td: Td): boolean =>
  m.ready &&
  !m.faults.any &&
  !m.frameLocks.any &&
  !td.locks.any &&
  m.pairs === undefined &&
  m.td === td &&
  td.vcpusInside === 0 &&
  LEAVES.slice(0, 3).every((leaf) => checkTdState(m, leaf, TAKE_SHARED) === SUCCESS);

/**
 * What TDH.MEM.RANGE.BLOCK, TDH.MEM.TRACK, TDH.MEM.PAGE.REMOVE and TDH.PHYMEM.PAGE.WBINVD of one page of 4 KiB after the other do to the
 * module, all at once: a kernel that shares its bounce buffers has a host make a quarter of a million of these calls.
 *
 * @param frame first guest frame @param count pages, fewer than the 2 MiB of host memory that they lie in have in use
 * @returns how many pages are gone, the first ones; 0 if a call would find somebody in its way, or not succeed
 * @changes as these leaves do, the registers aside, which are nobody's here
 */
export const removePages = (m: TdxModule, td: Td, frame: number, count: number): number => {
  if (!isAlone(m, td)) return 0;
  const { sept } = td;
  sept.walk((frame << 12) >>> 0, Math.floor(frame / 2 ** 20), 0);
  const { stateHere: state, payloadHere: host } = sept;
  const isPage = sept.level === 0 && (state === SEPT_MAPPED || state === SEPT_PENDING);
  const isPinned =
    state === SEPT_MAPPED && td.hasConfigFlag("PAGE_RELEASE") && m.behaviour.blockUnreleased === "refuse";
  if (!isPage || isPinned) return 0;
  const pages = Math.min(count, sept.runHere(), m.pamt.usedIn(host) - 1, 512 - (host & 511));
  if (pages <= 0) return 0;
  sept.freeRun(pages);
  m.pamt.freeRun(host, pages);
  td.words[TD_WORD.TD_EPOCH]! += pages;
  td.words[TD_WORD.CHILD_COUNT]! -= pages;
  return pages;
};
