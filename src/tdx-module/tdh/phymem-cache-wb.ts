import { RCX, type Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const NONE_READY = status("NO_HKID_READY_TO_WBCACHE");
const NOTHING_TO_RESUME = status("WBCACHE_RESUME_ERROR");

/**
 * TDH.PHYMEM.CACHE.WB: writes caches back so that flushed key ids can be freed.
 *
 * @param regs RCX: 0 starts, 1 resumes an interrupted call
 * @returns SUCCESS; OPERAND_INVALID(RCX); NO_HKID_READY_TO_WBCACHE, which is information, if no key id is flushed;
 *   WBCACHE_RESUME_ERROR for a resumption, because calls are never interrupted here
 * @changes which key ids are written back
 * @source TDX module 1.5.25, TDH.PHYMEM.CACHE.WB
 * @missing INTERRUPTED_RESUMABLE other than by injection, several packages
 */
export const tdhPhymemCacheWb = (m: TdxModule, regs: Regs): Status => {
  if (regs[2 * RCX + 1] !== 0 || regs[2 * RCX]! > 1) return INVALID;
  if (regs[2 * RCX] === 1) return NOTHING_TO_RESUME;
  return m.keys.writeBackFlushed() ? SUCCESS : NONE_READY;
};
