import { SEPT_FREE, SEPT_MAPPED, SEPT_PENDING } from "../../abi/tdx/sept-entry.ts";
import { status } from "../../abi/tdx/status.ts";
import { EEQ_TYPE } from "../../abi/tdx/td-exit.ts";
import type { TdxModule } from "../module.ts";
import { INTERRUPTED, type Outcome } from "../outcome.ts";
import { isPrivateMapping, pfnOf } from "../page-info.ts";
import { isTable } from "../sept.ts";
import { type Td, VCPU_WORD } from "../td.ts";
import { exitAccept } from "../td-exit.ts";

const INVALID = status("OPERAND_INVALID", "RCX");
const BUSY = status("OPERAND_BUSY", "RCX");
const ALREADY_ACCEPTED = [0, 1, 2].map((level) => status("PAGE_ALREADY_ACCEPTED", level));
const SIZE_MISMATCH = [0, 1, 2].map((level) => status("PAGE_SIZE_MISMATCH", level));
const SUCCESS = status("SUCCESS");

const CHUNKS = 512;

/**
 * TDG.MEM.PAGE.ACCEPT: the guest takes a page that the host added; the module zeroes it first.
 *
 * @param lo RCX, low half: GPA_MAPPING of a page of 4 KiB or 2 MiB
 * @param hi RCX, high half
 * @returns SUCCESS, the page all zero and MAPPED;
 *   OPERAND_INVALID(RCX) for reserved bits, level 2 and up, a misaligned, shared or too large GPA;
 *   PAGE_ALREADY_ACCEPTED(level) if a MAPPED leaf is at that level or above it, its content untouched;
 *   PAGE_SIZE_MISMATCH(level) if a table of smaller pages hangs there;
 *   OPERAND_BUSY(RCX) if somebody holds the entry;
 *   TD_EXIT, type ACCEPT, for any other entry: the host maps a page and the guest repeats the call;
 *   INTERRUPTED between two 4 KiB chunks of a 2 MiB page, the progress kept in the entry.
 *   A refusal changes nothing.
 * @changes the page's content and secure-EPT entry; after INTERRUPTED the chunks done and ACCEPT_COUNTER
 * @source TDX module 1.5.25, TDG.MEM.PAGE.ACCEPT
 * @missing entries that are being exported, L2 aliases, the host-priority timeout
 */
export const tdgMemPageAccept = (m: TdxModule, td: Td, vcpu: number, lo: number, hi: number): Outcome => {
  if (!isPrivateMapping(td, lo, hi, m.behaviour.acceptMaxLevel)) return INVALID;
  const level = lo & 7;
  const sept = td.sept;
  sept.walk(lo, hi, level);
  const state = sept.state[sept.at]!;
  if (sept.level !== level) {
    return state === SEPT_MAPPED
      ? ALREADY_ACCEPTED[sept.level]!
      : exitAccept(td, vcpu, lo, hi, EEQ_TYPE.ACCEPT);
  }
  if (td.locks.any && td.locks.isEntryBusy(pfnOf(lo, hi), level)) return BUSY;
  if (state !== SEPT_PENDING) return refuseHere(td, vcpu, lo, hi, state);
  const pages = sept.payload[sept.at]!;
  if (level > 0 && (level > 1 || mayStop(td, vcpu, pages))) return acceptLarge(m, td, vcpu, level, pages);
  m.pages.zero(pages, level === 0 ? 1 : CHUNKS);
  sept.mapPending();
  return SUCCESS;
};

/** Whether a 2 MiB accept was interrupted before or an interrupt may come to it. */
const mayStop = (td: Td, vcpu: number, payload: number): boolean =>
  (payload & (CHUNKS - 1)) !== 0 || td.vcpus[td.vcpuAt(vcpu, VCPU_WORD.INTERRUPT_IN)] !== 0;

const acceptLarge = (m: TdxModule, td: Td, vcpu: number, level: number, pages: number): Outcome =>
  level === 1 ? accept2M(m, td, vcpu, pages) : accept1G(m, td, pages);

/** The entry at the level asked for is not PENDING. */
const refuseHere = (td: Td, vcpu: number, lo: number, hi: number, state: number): Outcome => {
  if (state === SEPT_MAPPED) return ALREADY_ACCEPTED[lo & 7]!;
  if (state !== SEPT_FREE && isTable(state)) return SIZE_MISMATCH[lo & 7]!;
  return exitAccept(td, vcpu, lo, hi, EEQ_TYPE.ACCEPT);
};

/**
 * Zeroes the chunks from ACCEPT_COUNTER on. After each but the last the module polls for an interrupt; when
 * none comes before the end, all chunks are one fill.
 */
const accept2M = (m: TdxModule, td: Td, vcpu: number, payload: number): Outcome => {
  const done = payload & (CHUNKS - 1);
  const first = payload - done;
  const at = td.vcpuAt(vcpu, VCPU_WORD.INTERRUPT_IN);
  const polls = td.vcpus[at]!;
  if (polls !== 0 && polls < CHUNKS - done) {
    m.pages.zero(payload, polls);
    td.vcpus[at] = 1; // It stays pending until somebody delivers it.
    td.sept.setAcceptCounter(done + polls);
    return INTERRUPTED;
  }
  if (polls !== 0) td.vcpus[at] = polls - (CHUNKS - 1 - done);
  m.pages.zero(payload, CHUNKS - done);
  if (done === 0) td.sept.mapPending();
  else td.sept.setLeaf(SEPT_MAPPED, first);
  return SUCCESS;
};

/** Inference: no source has a module that accepts 1 GiB; here it is not interruptible. */
const accept1G = (m: TdxModule, td: Td, pages: number): Outcome => {
  for (let i = 0; i < CHUNKS; i++) m.pages.zero(pages + i * CHUNKS, CHUNKS);
  td.sept.mapPending();
  return SUCCESS;
};
