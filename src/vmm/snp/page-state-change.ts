import {
  GHCB_PAGE,
  PSC_BUFFER,
  PSC_ENTRY_BYTES,
  PSC_ERROR,
  PSC_MOST_ENTRIES,
  PSC_OPERATION,
} from "../../abi/snp/ghcb.ts";
import type { Frame, Next } from "../../flat/procedure.ts";
import { convert } from "../convert.ts";
import { PAGE_STATE_CHANGE_EVENT } from "../events.ts";
import { UNIT_PAGES } from "../page-set.ts";
import { DEAD, DONE, VMM_PROCEDURES } from "../procedures.ts";
import { INJECT_FAILURE, INJECT_RETRY, MAP_GPA_INJECTION } from "../vmcall.ts";
import type { Vmm } from "../vmm.ts";

/** More answers that an injection may arrange for a page state change, beside INJECT_RETRY and INJECT_FAILURE. */
export const INJECT_BAD_HEADER = 3;
export const INJECT_BAD_ENTRY = 4;
const ARRANGED = new Map<number, readonly [number, number]>([
  [INJECT_RETRY, PSC_ERROR.NONE],
  [INJECT_FAILURE, PSC_ERROR.GENERIC],
  [INJECT_BAD_HEADER, PSC_ERROR.INVALID_HEADER],
  [INJECT_BAD_ENTRY, PSC_ERROR.INVALID_ENTRY],
]);

const BUFFER = GHCB_PAGE.SHARED_BUFFER;
const ENTRIES = BUFFER + PSC_BUFFER.ENTRIES;
/** Bits of the high half of an entry: reserved ones, and the size. */
const RESERVED_HI = 0xfe00_0000;
const LARGE_HI = 0x0100_0000;

const c = VMM_PROCEDURES.declare("change page states", {
  args: ["vcpu"],
  locals: ["done", "pages"],
  steps: ["enter", "entry", "converted"],
});

const ghcbOf = (k: Vmm, f: Frame<Vmm>): DataView => {
  const bytes = k.snp!.guest.ghcbs[f.get(c.v.vcpu)]!;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

/** Leaves the guest an answer: SW_EXITINFO2. Progress is in the buffer. */
const answer = (k: Vmm, f: Frame<Vmm>, [high, low]: readonly [number, number]): Next => {
  const ghcb = ghcbOf(k, f);
  ghcb.setUint32(GHCB_PAGE.EXIT_INFO_2, low, true);
  ghcb.setUint32(GHCB_PAGE.EXIT_INFO_2 + 4, high, true);
  return f.returns(DONE);
};

/**
 * Answers a page state change by request buffer, entry by entry. The header's current entry tells how far it came; an answer without
 * an error may leave some for the next call: where an event waits for the vCPU, or after as many entries as the policy does at once.
 *
 * Returns DONE, or DEAD. Errors in SW_EXITINFO2: INVALID_HEADER for a last entry beyond the buffer, INVALID_ENTRY for an unknown
 * operation, a reserved bit, or a 2 MiB entry off 2 MiB; GENERIC where memory could not be converted. What came before stays done.
 *
 * @source GHCB specification, SNP page state change; Linux arch/x86/kvm/svm/sev.c, snp_begin_psc
 */
export const changePageStates = c.define({
  enter: (k, f) => {
    const end = ghcbOf(k, f).getUint16(BUFFER + PSC_BUFFER.END, true);
    return end >= PSC_MOST_ENTRIES ? answer(k, f, PSC_ERROR.INVALID_HEADER) : c.at.entry;
  },
  entry: (k, f) => {
    const ghcb = ghcbOf(k, f);
    const current = ghcb.getUint16(BUFFER + PSC_BUFFER.CURRENT, true);
    if (current > ghcb.getUint16(BUFFER + PSC_BUFFER.END, true)) return answer(k, f, PSC_ERROR.NONE);
    const done = f.get(c.v.done);
    if (done > 0 && (done >= k.policy.pscEntries || k.hasEvent(f.get(c.v.vcpu))))
      return answer(k, f, PSC_ERROR.NONE);
    const arranged = ARRANGED.get(k.injection.take(MAP_GPA_INJECTION));
    if (arranged !== undefined) return answer(k, f, arranged);
    return changeEntry(k, f, ghcb, ENTRIES + current * PSC_ENTRY_BYTES);
  },
  converted: (k, f) => {
    if (f.result === DEAD) return f.returns(DEAD);
    if (f.result !== DONE) return answer(k, f, PSC_ERROR.GENERIC);
    return completeEntry(k, f);
  },
});

/** One entry: what is left of it is converted. */
const changeEntry = (k: Vmm, f: Frame<Vmm>, ghcb: DataView, at: number): Next => {
  const [low, high] = [ghcb.getUint32(at, true), ghcb.getUint32(at + 4, true)];
  const pages = (high & LARGE_HI) !== 0 ? UNIT_PAGES : 1;
  const operation = (high >>> 20) & 15;
  const gfn = (high & 0xf_ffff) * 2 ** 20 + (low >>> 12);
  f.set(c.v.pages, pages);
  const bad = (high & RESERVED_HI) !== 0 || operation < 1 || operation > 4 || gfn % pages !== 0;
  if (bad) return answer(k, f, PSC_ERROR.INVALID_ENTRY);
  // PSMASH and UNSMASH are hints.
  if (operation === PSC_OPERATION.PSMASH || operation === PSC_OPERATION.UNSMASH) return completeEntry(k, f);
  const from = gfn + Math.min(low & 0xfff, pages);
  const toPrivate = operation === PSC_OPERATION.PRIVATE ? 1 : 0;
  const vcpu = f.get(c.v.vcpu);
  k.sink?.emit(PAGE_STATE_CHANGE_EVENT, vcpu, from * 4096, (gfn + pages - from) * 4096, toPrivate, 0);
  return f.call(convert, c.at.converted, vcpu, from, gfn + pages, toPrivate);
};

/** The entry is done: its progress and the header's say so. */
const completeEntry = (k: Vmm, f: Frame<Vmm>): Next => {
  const ghcb = ghcbOf(k, f);
  const current = ghcb.getUint16(BUFFER + PSC_BUFFER.CURRENT, true);
  const at = ENTRIES + current * PSC_ENTRY_BYTES;
  ghcb.setUint16(at, (ghcb.getUint16(at, true) & 0xf000) | f.get(c.v.pages), true);
  ghcb.setUint16(BUFFER + PSC_BUFFER.CURRENT, current + 1, true);
  f.set(c.v.done, f.get(c.v.done) + 1);
  return c.at.entry;
};
