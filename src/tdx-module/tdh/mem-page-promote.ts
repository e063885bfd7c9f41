import { TDH } from "../../abi/tdx/leaves.ts";
import { R12, R13, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { SEPT_MAPPED, SEPT_PENDING } from "../../abi/tdx/sept-entry.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { type MemoryLeaf, refuse } from "../host-walk.ts";
import type { TdxModule } from "../module.ts";
import type { PamtPairs } from "../pamt-pairs.ts";
import { leafFrame, type Sept } from "../sept.ts";
import { septAllowed } from "../sept-rules.ts";
import { giveTableBack, openTableBelow } from "../table-below.ts";

const SUCCESS = status("SUCCESS");
const BUSY_PAGE = status("OPERAND_BUSY", "RCX");
const BAD_CHILDREN = status("EPT_INVALID_PROMOTE_CONDITIONS", "RCX");
const LEAF: MemoryLeaf = {
  leaf: TDH["TDH.MEM.PAGE.PROMOTE"],
  minLevel: 1,
  maxLevel: 2,
  exclusive: true,
  flags: false,
  states: septAllowed("TDH.MEM.PAGE.PROMOTE"),
};

/**
 * TDH.MEM.PAGE.PROMOTE: merges 512 pages into one of the next larger size.
 *
 * @param regs RCX: GPA and level (1 or 2) of the entry above the pages; RDX: TDR
 * @param version 1 reports tables of L2 VMs in R9 to R11; without L2 VMs they are all ones
 * @returns SUCCESS, the entry a leaf in the pages' state, RCX the host address of the table's page, with dynamic PAMT bit 62 set
 *   as by TDH.MEM.PAGE.REMOVE, R12 and R13 the addresses of the pair that held the metadata; the refusals
 *   of `openTableBelow`; OPERAND_BUSY(RCX) while a page below is in use;
 *   EPT_INVALID_PROMOTE_CONDITIONS(RCX) unless all 512 are MAPPED, or all PENDING, and one aligned run of host
 *   pages. A refusal changes nothing but RCX and RDX.
 * @changes the entry, the metadata of the pages and of the table, the TD's child count; an accept in progress of a
 *   2 MiB page that is merged starts afresh
 * @source TDX module 1.5.25, TDH.MEM.PAGE.PROMOTE
 * @missing L2 VMs; INTERRUPTED_RESTARTABLE comes by injection
 */
export const tdhMemPagePromote = (m: TdxModule, regs: Regs, version: number): Status => {
  const refused = openTableBelow(m, regs, version, LEAF);
  if (refused !== SUCCESS) return refused;
  const td = m.td;
  const sept = td.sept;
  const table = sept.tableFrameHere;
  if (!areMergeable(sept)) return refuse(td, regs, BAD_CHILDREN);
  const level = sept.level;
  const first = sept.tableHere << 9;
  const pages = leafFrame(sept.payload[first]!, level - 1);
  if (m.frameLocks.any && m.frameLocks.isBusy(pages)) return BUSY_PAGE;
  sept.merge(sept.state[first]!, pages);
  m.pamt.merge(pages, level);
  if (m.pairs !== undefined && level === 1) givePairBack(m.pairs, regs, pages);
  giveTableBack(m, regs, table);
  return SUCCESS;
};

/** A page of 2 MiB needs no pair. */
const givePairBack = (pairs: PamtPairs, regs: Regs, pages: number): void => {
  const [first, second] = pairs.pairOf(pages);
  pairs.remove(pages);
  setHalves(regs, R12, first << 12, first >>> 20);
  setHalves(regs, R13, second << 12, second >>> 20);
};

/** Whether the table below the cursor holds 512 leaves of one state over one aligned run of host pages. */
const areMergeable = (sept: Sept): boolean => {
  const first = sept.tableHere << 9;
  const state = sept.state[first]!;
  if (state !== SEPT_MAPPED && state !== SEPT_PENDING) return false;
  const childLevel = sept.level - 1;
  const stride = 512 ** childLevel;
  const pages = leafFrame(sept.payload[first]!, childLevel);
  if (pages % (512 * stride) !== 0) return false;
  for (let i = 1; i < 512; i++) {
    if (sept.state[first + i] !== state) return false;
    if (leafFrame(sept.payload[first + i]!, childLevel) !== pages + i * stride) return false;
  }
  return true;
};
