import { RESULT_PENDING_HI } from "../../abi/tdx/gpa-mapping.ts";
import { RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { SEPT_MAPPED, SEPT_PENDING } from "../../abi/tdx/sept-entry.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import type { TdxModule } from "../module.ts";
import type { Outcome } from "../outcome.ts";
import { isPrivateGpa, pfnOf } from "../page-info.ts";
import type { Td } from "../td.ts";
import { exitEptViolation } from "../td-exit.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RCX");
const BUSY = status("OPERAND_BUSY", "RCX");

/**
 * TDG.MEM.PAGE.ATTR.RD: where a page is mapped, and whether it is PENDING. The only way to ask "is it
 * accepted?" that leaves the page alone.
 *
 * @param regs RCX: a private GPA; bits 11:0 do not matter
 * @returns SUCCESS: RCX is level, aligned GPA and bit 62 for PENDING; RDX the attributes, zero without L2 VMs;
 *   OPERAND_INVALID(RCX) if the GPA is shared or too large; OPERAND_BUSY(RCX) if somebody holds the entry;
 *   both with RCX and RDX zero. TD_EXIT with no extended qualification where nothing usable is mapped.
 * @source TDX module 1.5.25, TDG.MEM.PAGE.ATTR.RD
 * @missing attributes of L2 VMs
 */
export const tdgMemPageAttrRd = (_m: TdxModule, td: Td, vcpu: number, regs: Regs): Outcome => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  if (!isPrivateGpa(td, hi)) return refuse(regs, INVALID);
  const sept = td.sept;
  sept.walk(lo, hi, 0);
  if (td.locks.any && td.locks.isEntryBusy(pfnOf(lo, hi), sept.level)) return refuse(regs, BUSY);
  const state = sept.stateHere;
  if (state !== SEPT_MAPPED && state !== SEPT_PENDING) return exitEptViolation(td, vcpu, 0, 0, 0, lo, hi);
  mappingResult(regs, sept.level, lo, hi, state === SEPT_PENDING);
  return SUCCESS;
};

const refuse = (regs: Regs, answer: Status): Status => {
  setHalves(regs, RCX, 0, 0);
  setHalves(regs, RDX, 0, 0);
  return answer;
};

const BELOW_LO = [0x0000_0fff, 0x001f_ffff, 0x3fff_ffff] as const;

/** RCX and RDX of a success: level, the GPA aligned to it, the PENDING bit; no attributes. */
export const mappingResult = (regs: Regs, level: number, lo: number, hi: number, pending: boolean): void => {
  setHalves(regs, RCX, ((lo & ~BELOW_LO[level]!) | level) >>> 0, hi | (pending ? RESULT_PENDING_HI : 0));
  setHalves(regs, RDX, 0, 0);
};
