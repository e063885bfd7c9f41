import { R8, RCX, RDX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { SEPT_FREE, SEPT_MAPPED, SEPT_PENDING } from "../../abi/tdx/sept-entry.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { EEQ_TYPE } from "../../abi/tdx/td-exit.ts";
import type { TdxModule } from "../module.ts";
import type { Outcome } from "../outcome.ts";
import { isPrivateMapping, pfnOf } from "../page-info.ts";
import { isTable } from "../sept.ts";
import type { Td } from "../td.ts";
import { exitAccept } from "../td-exit.ts";
import { mappingResult } from "./mem-page-attr-rd.ts";

const SUCCESS = status("SUCCESS");
const INVALID_RCX = status("OPERAND_INVALID", "RCX");
const INVALID_RDX = status("OPERAND_INVALID", "RDX");
const INVALID_R8 = status("OPERAND_INVALID", "R8");
const BUSY = status("OPERAND_BUSY", "RCX");
const SIZE_MISMATCH = [0, 1, 2].map((level) => status("PAGE_SIZE_MISMATCH", level));

/**
 * TDG.MEM.PAGE.ATTR.WR in a TD without L2 VMs: there are no attributes to write, so it only looks at the page.
 *
 * @param regs RCX: GPA_MAPPING of a page of 4 KiB to 1 GiB; RDX: attributes, R8: mask, both zero
 * @returns SUCCESS with RCX and RDX as ATTR.RD; OPERAND_INVALID(RDX, R8 or RCX); OPERAND_BUSY(RCX);
 *   PAGE_SIZE_MISMATCH(level) if a table hangs there; TD_EXIT, type ATTR_WR, for other entries that are
 *   neither MAPPED nor PENDING. On an error RCX and RDX are zero.
 * @source TDX module 1.5.25, TDG.MEM.PAGE.ATTR.WR
 * @missing L2 VMs
 */
export const tdgMemPageAttrWr = (_m: TdxModule, td: Td, vcpu: number, regs: Regs): Outcome => {
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  const attributes = badAttributes(regs);
  if (attributes !== SUCCESS) return refuse(regs, attributes);
  if (!isPrivateMapping(td, lo, hi, 2)) return refuse(regs, INVALID_RCX);
  const level = lo & 7;
  const sept = td.sept;
  sept.walk(lo, hi, level);
  if (sept.level !== level) return exitAccept(td, vcpu, lo, hi, EEQ_TYPE.ATTR_WR);
  if (td.locks.any && td.locks.isEntryBusy(pfnOf(lo, hi), level)) return refuse(regs, BUSY);
  const state = sept.stateHere;
  if (state !== SEPT_FREE && isTable(state)) return refuse(regs, SIZE_MISMATCH[level]!);
  if (state !== SEPT_MAPPED && state !== SEPT_PENDING) {
    return exitAccept(td, vcpu, lo, hi, EEQ_TYPE.ATTR_WR);
  }
  mappingResult(regs, level, lo, hi, state === SEPT_PENDING);
  return SUCCESS;
};

/** The module checks group by group: attributes of a VM, then its mask, then the next VM. */
const badAttributes = (regs: Regs): Status => {
  for (let vm = 0; vm < 4; vm++) {
    const half = vm >> 1;
    const shift = (vm & 1) * 16;
    if (((regs[2 * RDX + half]! >>> shift) & 0xffff) !== 0) return INVALID_RDX;
    if (((regs[2 * R8 + half]! >>> shift) & 0xffff) !== 0) return INVALID_R8;
  }
  return SUCCESS;
};

const refuse = (regs: Regs, answer: Status): Status => {
  setHalves(regs, RCX, 0, 0);
  setHalves(regs, RDX, 0, 0);
  return answer;
};
