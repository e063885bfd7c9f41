import { RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { TDMR_INIT_FRAMES, TDMR_INIT_FRAMES_DYNAMIC } from "../../abi/tdx/sys-config.ts";
import type { TdxModule } from "../module.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const DONE = status("TDMR_ALREADY_INITIALIZED");
const GIB = 2 ** 30;
const STEP = TDMR_INIT_FRAMES * 4096;
const STEP_DYNAMIC = TDMR_INIT_FRAMES_DYNAMIC * 4096;

/**
 * TDH.SYS.TDMR.INIT: makes the metadata of the next part of a TDMR: 4 MiB of memory a call, 16 MiB with dynamic PAMT. A GiB is
 * usable once its metadata is whole.
 *
 * @param regs RCX: base of a TDMR
 * @returns SUCCESS: RDX the address up to which memory is usable, a multiple of 1 GiB; TDMR_ALREADY_INITIALIZED, which is
 *   information, and OPERAND_INVALID(RCX): RDX zero, nothing else changed
 * @source TDX module 1.5.01 and 2.0, TDH.SYS.TDMR.INIT
 */
export const tdhSysTdmrInit = (m: TdxModule, regs: Regs): Status => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  setHalves(regs, RDX, 0, 0);
  const { sys } = m;
  const base = hi * 2 ** 32 + lo;
  const index = sys.tdmrAt(base);
  if (index < 0) return INVALID;
  const end = sys.endOf(index);
  if (sys.nextOf(index) >= end) return DONE;
  const next = sys.nextOf(index) + (sys.dynamicPamt ? STEP_DYNAMIC : STEP);
  sys.setNext(index, next);
  const usable = next - (next % GIB);
  if (usable === next) m.pamt.tdmrs.setReady({ base, size: end - base }, usable);
  regs[2 * RDX] = usable;
  regs[2 * RDX + 1] = usable / 2 ** 32;
  return SUCCESS;
};
