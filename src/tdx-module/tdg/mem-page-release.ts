import { RESULT_PENDING_HI } from "../../abi/tdx/gpa-mapping.ts";
import { RCX, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { SEPT_FREE, SEPT_IS_LEAF, SEPT_MAPPED, SEPT_PENDING } from "../../abi/tdx/sept-entry.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { EEQ_TYPE } from "../../abi/tdx/td-exit.ts";
import type { TdxModule } from "../module.ts";
import type { Outcome } from "../outcome.ts";
import { isPrivateMapping, pfnOf } from "../page-info.ts";
import { isTable } from "../sept.ts";
import type { Td } from "../td.ts";
import { exitAccept } from "../td-exit.ts";

const SUCCESS = status("SUCCESS");
const UNKNOWN_LEAF = status("OPERAND_INVALID", "RAX");
const INVALID = status("OPERAND_INVALID", "RCX");
const BUSY = status("OPERAND_BUSY", "RCX");
const ENTRY_FREE = status("EPT_ENTRY_FREE", "RCX");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT", "RCX");
const SIZE_MISMATCH = [0, 1, 2].map((level) => status("PAGE_SIZE_MISMATCH", level));

/**
 * TDG.MEM.PAGE.RELEASE: the guest gives a private page back. The host may then remove it, and the guest
 * must accept it to use it again. The page stays assigned; no TD exit tells the host.
 *
 * No source of this leaf could be read. Known from its callers: leaf, operand, MAPPED to PENDING, the
 * statuses below and RCX on an error. Inference: the rest, each a switch of `ModuleBehaviour`.
 *
 * @param regs RCX: GPA_MAPPING of a page of 4 KiB or 2 MiB
 * @returns SUCCESS, the page PENDING;
 *   OPERAND_INVALID(RAX) if the TD has no PAGE_RELEASE flag; OPERAND_INVALID(RCX) as ACCEPT;
 *   OPERAND_BUSY(RCX) if somebody holds the entry;
 *   EPT_ENTRY_FREE(RCX) if nothing is assigned there, never a TD exit;
 *   EPT_ENTRY_STATE_INCORRECT(RCX) if the page is PENDING or blocked; RCX bit 62 tells PENDING;
 *   PAGE_SIZE_MISMATCH(level where the walk ended) if a leaf is above or a table below; RCX bits 2:0 are the level
 *   of the leaves. A refusal changes nothing but RCX.
 * @changes the page's secure-EPT entry, and its content if `releasedContent` says so
 * @source Linux TDX hotplug RFC v2, 2026-06-23; OpenVMM tdcall crate
 * @missing pages of private MMIO
 */
export const tdgMemPageRelease = (m: TdxModule, td: Td, vcpu: number, regs: Regs): Outcome => {
  if (!td.hasConfigFlag("PAGE_RELEASE")) {
    return m.behaviour.releaseNotConfigured === "unknown-leaf" ? UNKNOWN_LEAF : WRONG_STATE;
  }
  const lo = regs[2 * RCX]!;
  const hi = regs[2 * RCX + 1]!;
  if (!isPrivateMapping(td, lo, hi, m.behaviour.releaseMaxLevel)) return INVALID;
  const level = lo & 7;
  const sept = td.sept;
  sept.walk(lo, hi, level);
  if (td.locks.any && td.locks.isEntryBusy(pfnOf(lo, hi), sept.level)) return BUSY;
  if (sept.stateHere !== SEPT_MAPPED || sept.level !== level) return refuse(m, td, vcpu, regs);
  const pages = sept.payloadHere;
  if (m.behaviour.releasedContent === "scrambled") scramble(m, pages, level);
  sept.setLeaf(SEPT_PENDING, pages);
  return SUCCESS;
};

const refuse = (m: TdxModule, td: Td, vcpu: number, regs: Regs): Outcome => {
  const level = regs[2 * RCX]! & 7;
  const found = td.sept.level;
  const state = td.sept.stateHere;
  if (state === SEPT_FREE) return report(td, regs, ENTRY_FREE, found);
  if (SEPT_IS_LEAF[state] === 1 && found > level) return report(td, regs, SIZE_MISMATCH[found]!, found);
  // Smaller pages hang below; RCX tells their level, the details tell where the walk ended.
  if (isTable(state) && found === level) return report(td, regs, SIZE_MISMATCH[found]!, found - 1);
  if (m.behaviour.releaseBlocked === "td-exit" && state !== SEPT_PENDING) {
    return exitAccept(td, vcpu, regs[2 * RCX]!, regs[2 * RCX + 1]!, EEQ_TYPE.GPA_DETAILS);
  }
  return report(td, regs, WRONG_STATE, found);
};

/** RCX on an error: level, GPA, and bit 62 if the entry is PENDING. */
const report = (td: Td, regs: Regs, answer: Status, level: number): Status => {
  const pending = td.sept.stateHere === SEPT_PENDING && answer === WRONG_STATE;
  const lo = ((regs[2 * RCX]! & 0xffff_f000) | level) >>> 0;
  const hi = (regs[2 * RCX + 1]! & 0x000f_ffff) | (pending ? RESULT_PENDING_HI : 0);
  setHalves(regs, RCX, lo, hi);
  return answer;
};

const scramble = (m: TdxModule, pages: number, level: number): void => {
  const runs = level === 2 ? 512 : 1;
  for (let i = 0; i < runs; i++) m.pages.scramble(pages + i * 512, level === 0 ? 1 : 512);
};
