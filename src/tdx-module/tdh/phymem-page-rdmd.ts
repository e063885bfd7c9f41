import { R8, R9, R10, R11, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { TdxModule } from "../module.ts";
import { EXT_POOL, NO_OWNER, SIZE_1G, SIZE_2M, SIZE_4K } from "../pamt.ts";
import { isMarked } from "../pamt-pair-operands.ts";
import type { PamtPairs } from "../pamt-pairs.ts";
import { TD_WORD } from "../td.ts";
import { OUTSIDE } from "../tdmr.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const OUT_OF_RANGE = status("OPERAND_ADDR_RANGE_ERROR", "RCX");
const BUSY = status("OPERAND_BUSY", "RCX");
/** RCX: the entry is no page but the pair of a block. */
const NON_LEAF_HI = 0x8000_0000;

/**
 * TDH.PHYMEM.PAGE.RDMD: reads the metadata of a host page.
 *
 * With dynamic PAMT a page that holds metadata and one that is reserved are of type PAMT and have no owner, and a free page whose block
 * has no pair is described by the block's entry. Level 1 and 2 then ask for the entry of a block or of a GiB.
 *
 * @param regs RCX: host address of a page, and with dynamic PAMT in bits 2:0 the smallest entry to look at, 0 to 2
 * @returns SUCCESS: RCX page type, bit 63 if the entry holds a pair, RDX address of the owner's TDR (zero for a TDR itself and for a
 *   free page), R8 size class of the entry, R9 BEPOCH of a REG or EPT page, R10 and R11 the pages of the pair; OPERAND_INVALID(RCX),
 *   OPERAND_ADDR_RANGE_ERROR(RCX), OPERAND_BUSY(RCX) with these registers zero
 * @source TDX module 1.5.25, TDH.PHYMEM.PAGE.RDMD
 * @missing the owner that a freed page's metadata still names; the type of the extensions' pages
 */
export const tdhPhymemPageRdmd = (m: TdxModule, regs: Regs): Status => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  for (const register of [RCX, RDX, R8, R9, R10, R11]) setHalves(regs, register, 0, 0);
  const level = lo & 7;
  const highest = m.pairs === undefined ? SIZE_4K : SIZE_1G;
  if (level > highest || (lo & 0xff8) !== 0 || hi >>> m.hpaShift !== 0) return INVALID;
  const frame = (lo >>> 12) + hi * 2 ** 20;
  if (frame % 512 ** level !== 0) return INVALID;
  if (m.pamt.kindOf(frame) === OUTSIDE) return OUT_OF_RANGE;
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return BUSY;
  const size = m.pairs === undefined ? m.pamt.sizeAt(frame) : entrySize(m, m.pairs, frame, level);
  if (m.pairs !== undefined && readNode(m, m.pairs, regs, { frame, level, size })) return SUCCESS;
  const type = m.pamt.typeAt(frame, size);
  if (type === EXT_POOL) throw new NotModelled("the page type of the extensions' pages");
  setHalves(regs, RCX, type, 0);
  setHalves(regs, R8, size, 0);
  const tdr = ownerTdr(m, frame, size, type);
  setHalves(regs, RDX, tdr << 12, tdr >>> 20);
  if (type === PAGE_TYPE.REG || type === PAGE_TYPE.EPT) setHalves(regs, R9, m.pamt.bepochAt(frame, size), 0);
  return SUCCESS;
};

/** Size class of the entry at which a walk with dynamic PAMT ends: below a block's entry it goes through a pair only. */
const entrySize = (m: TdxModule, pairs: PamtPairs, frame: number, level: number): number => {
  const size = m.pamt.sizeAt(frame);
  if (size === SIZE_1G || level === SIZE_1G) return SIZE_1G;
  return pairs.has(frame) && level === SIZE_4K ? SIZE_4K : SIZE_2M;
};

/** An entry that a walk came to. */
interface Entry {
  readonly frame: number;
  /** Smallest entry that was asked for. */
  readonly level: number;
  readonly size: number;
}

/** Answers for what only dynamic PAMT has: a page that the bitmap marks, and the pair of a block. @returns whether it was one */
const readNode = (m: TdxModule, pairs: PamtPairs, regs: Regs, { frame, level, size }: Entry): boolean => {
  const isPair = size === SIZE_2M && pairs.has(frame);
  if (isPair) {
    const [first, second] = pairs.pairOf(frame);
    setHalves(regs, RCX, PAGE_TYPE.PAMT, NON_LEAF_HI);
    setHalves(regs, R8, SIZE_2M, 0);
    setHalves(regs, R10, first << 12, first >>> 20);
    setHalves(regs, R11, second << 12, second >>> 20);
    return true;
  }
  // A marked page belongs to nobody, so its entry, of whatever size, says that it is free.
  if (level !== SIZE_4K || !isMarked(m, pairs, frame)) return false;
  setHalves(regs, RCX, PAGE_TYPE.PAMT, 0);
  return true;
};

/** Frame of the TDR of the TD that owns a page; zero for a TDR, which has no owner, and for a free page. */
export const ownerTdr = (m: TdxModule, frame: number, size: number, type: number): number => {
  const owner = m.pamt.ownerAt(frame, size);
  if (owner === NO_OWNER || type === PAGE_TYPE.TDR) return 0;
  return m.tds[owner - 1]!.words[TD_WORD.TDR_FRAME]!;
};
