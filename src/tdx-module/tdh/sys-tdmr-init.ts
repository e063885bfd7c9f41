import { RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { TDMR_INIT_FRAMES, TDMR_INIT_FRAMES_DYNAMIC } from "../../abi/tdx/sys-config.ts";
import type { TdxModule } from "../module.ts";
import { GIB_UNITS, SYS_WORD, TDMR_UNIT } from "../sys-state.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const DONE = status("TDMR_ALREADY_INITIALIZED");
/** Units of 4 MiB that one call does. */
const STEP = (TDMR_INIT_FRAMES * 4096) / TDMR_UNIT;
const STEP_DYNAMIC = (TDMR_INIT_FRAMES_DYNAMIC * 4096) / TDMR_UNIT;

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
  if ((lo & 0x3fff_ffff) !== 0 || hi >= 2 ** 20) return refuse(regs, INVALID);
  const { sys } = m;
  const index = sys.tdmrAt(((lo >>> 22) | (hi << 10)) >>> 0);
  if (index < 0) return refuse(regs, INVALID);
  const start = sys.nextOf(index);
  if (start >= sys.endOf(index)) return refuse(regs, DONE);
  const next = start + (sys.words[SYS_WORD.DYNAMIC_PAMT] === 0 ? STEP : STEP_DYNAMIC);
  sys.setNext(index, next);
  const usable = next & -GIB_UNITS;
  if (usable === next)
    m.pamt.tdmrs.setReady(hi * 2 ** 32 + lo, sys.endOf(index) * TDMR_UNIT, usable * TDMR_UNIT);
  setHalves(regs, RDX, usable << 22, usable >>> 10);
  return SUCCESS;
};

const refuse = (regs: Regs, result: Status): Status => {
  setHalves(regs, RDX, 0, 0);
  return result;
};
