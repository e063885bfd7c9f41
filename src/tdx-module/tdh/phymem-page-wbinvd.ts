import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import type { TdxModule } from "../module.ts";
import { OUTSIDE } from "../tdmr.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const OUT_OF_RANGE = status("OPERAND_ADDR_RANGE_ERROR", "RCX");
const BUSY = status("OPERAND_BUSY", "RCX");
const BAD_METADATA = status("PAGE_METADATA_INCORRECT", "RCX");

/**
 * TDH.PHYMEM.PAGE.WBINVD: writes back and drops the cache lines of a free page. Caches are not modelled, so
 * only the checks show.
 *
 * @param regs RCX: host address of a 4 KiB page, with the key id whose lines are meant
 * @returns SUCCESS; OPERAND_INVALID(RCX), OPERAND_ADDR_RANGE_ERROR(RCX), OPERAND_BUSY(RCX);
 *   PAGE_METADATA_INCORRECT(RCX) unless the page is free
 * @source TDX module 1.5.25, TDH.PHYMEM.PAGE.WBINVD
 */
export const tdhPhymemPageWbinvd = (m: TdxModule, regs: Regs): Status => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  const keyMask = (1 << (m.platform.maxPa - 32)) - (1 << m.hpaShift);
  const bare = (hi & ~keyMask) >>> 0;
  if ((lo & 0xfff) !== 0 || bare >>> m.hpaShift !== 0) return INVALID;
  const frame = (lo >>> 12) + bare * 2 ** 20;
  if (m.pamt.kindOf(frame) === OUTSIDE) return OUT_OF_RANGE;
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return BUSY;
  const free = m.pamt.typeAt(frame, m.pamt.sizeAt(frame)) === PAGE_TYPE.NDA;
  return free ? SUCCESS : BAD_METADATA;
};
