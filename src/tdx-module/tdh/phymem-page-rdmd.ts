import { R8, R9, R10, R11, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { TdxModule } from "../module.ts";
import { EXT_POOL, NO_OWNER, SIZE_2M, SIZE_4K } from "../pamt.ts";
import { TD_WORD } from "../td.ts";
import { OUTSIDE } from "../tdmr.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const OUT_OF_RANGE = status("OPERAND_ADDR_RANGE_ERROR", "RCX");
/** Highest level that bits 2:0 of RCX may name on a module with dynamic PAMT. */
const LEVEL_1G = 2;
const BUSY = status("OPERAND_BUSY", "RCX");

/**
 * TDH.PHYMEM.PAGE.RDMD: reads the metadata of a host page.
 *
 * With dynamic PAMT a page that holds metadata is of type PAMT and has no owner, and a free page whose block has no pair is described by
 * the block's entry.
 *
 * @param regs RCX: host address of a 4 KiB page
 * @returns SUCCESS: RCX page type, RDX address of the owner's TDR (zero for a TDR itself and for a free page), R8
 *   size class of the entry, R9 BEPOCH of a REG or EPT page, R10 and R11 zero; OPERAND_INVALID(RCX),
 *   OPERAND_ADDR_RANGE_ERROR(RCX), OPERAND_BUSY(RCX) with these registers zero
 * @source TDX module 1.5.25, TDH.PHYMEM.PAGE.RDMD
 * @missing levels 1 and 2 with dynamic PAMT (the block's pair in R10 and R11); the owner that a freed page's metadata still names; the type of the extensions' pages
 */
export const tdhPhymemPageRdmd = (m: TdxModule, regs: Regs): Status => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  for (const register of [RCX, RDX, R8, R9, R10, R11]) setHalves(regs, register, 0, 0);
  if (m.pairs !== undefined && (lo & 0xfff) <= LEVEL_1G && (lo & 0xfff) !== 0)
    throw new NotModelled("TDH.PHYMEM.PAGE.RDMD of a block");
  if ((lo & 0xfff) !== 0 || hi >>> m.hpaShift !== 0) return INVALID;
  const frame = (lo >>> 12) + hi * 2 ** 20;
  if (m.pamt.kindOf(frame) === OUTSIDE) return OUT_OF_RANGE;
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return BUSY;
  if (m.pairs?.isPamtPage(frame) === true) {
    setHalves(regs, RCX, PAGE_TYPE.PAMT, 0);
    return SUCCESS;
  }
  // Without a pair the entry that describes a free page is that of its block.
  const isOfBlock = m.pairs?.has(frame) === false && m.pamt.sizeAt(frame) === SIZE_4K;
  const size = isOfBlock ? SIZE_2M : m.pamt.sizeAt(frame);
  const type = m.pamt.typeAt(frame, size);
  if (type === EXT_POOL) throw new NotModelled("the page type of the extensions' pages");
  setHalves(regs, RCX, type, 0);
  setHalves(regs, R8, size, 0);
  const tdr = ownerTdr(m, frame, size, type);
  setHalves(regs, RDX, tdr << 12, tdr >>> 20);
  if (type === PAGE_TYPE.REG || type === PAGE_TYPE.EPT) setHalves(regs, R9, m.pamt.bepochAt(frame, size), 0);
  return SUCCESS;
};

/** Frame of the TDR of the TD that owns a page; zero for a TDR, which has no owner, and for a free page. */
export const ownerTdr = (m: TdxModule, frame: number, size: number, type: number): number => {
  const owner = m.pamt.ownerAt(frame, size);
  if (owner === NO_OWNER || type === PAGE_TYPE.TDR) return 0;
  return m.tds[owner - 1]!.words[TD_WORD.TDR_FRAME]!;
};
