import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { AGAIN, BLOCKED, type Frame, type Next } from "../flat/procedure.ts";
import { PAGE_SIZE } from "../units.ts";
import { DISCARD_EVENT, VM_END } from "./events.ts";
import type { GuestMemfd } from "./guest-memfd.ts";
import { NO_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import { DEAD, DONE, REFUSED, VMM_PROCEDURES } from "./procedures.ts";
import { retire } from "./retire.ts";
import { isBusy } from "./seam.ts";
import { keepUnits } from "./snp/set-aside.ts";
import type { SnpHost } from "./snp/snp-host.ts";
import { split } from "./split.ts";
import type { Vmm } from "./vmm.ts";

const ALREADY_BLOCKED = status("GPA_RANGE_ALREADY_BLOCKED");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT");
const NOT_TRACKED = status("TLB_TRACKING_NOT_DONE");

/** What a zap does at its end, beside having removed the mappings: bits. */
export const FREE_PRIVATE = 1;
export const FREE_SHARED = 2;
export const MAKE_SHARED = 4;
/** The area leaves the memory map: its memslot is deleted. */
export const REMOVE_AREA = 8;

const z = VMM_PROCEDURES.declare("remove private mappings", {
  args: ["from", "to", "mode"],
  locals: ["area", "page", "end", "host", "asked"],
  steps: ["lock", "block", "blocked", "remove", "unpair", "writeBack", "splitFirst"],
});

/** First page and level of the mapping that a mapped page belongs to. */
const firstOf = (piece: GuestMemfd, page: number): number =>
  piece.isHuge(page >>> 9) ? (page >>> 9) * UNIT_PAGES : page;
const levelOf = (piece: GuestMemfd, page: number): number => (piece.isHuge(page >>> 9) ? 1 : 0);

/** The module is busy with a leaf: asked again, as often as it takes or once more and no further. */
const again = (k: Vmm, f: Frame<Vmm>, result: Status): Next => {
  if (k.policy.moduleBusy === "bug" && f.get(z.v.asked) !== 0)
    return fails(k, f, VM_END.MODULE_REFUSED, result);
  f.set(z.v.asked, 1);
  return AGAIN;
};

/**
 * Removes the mappings of guest frames [from, to), which lie in one area, leaf by leaf: BLOCK, TRACK, kick, REMOVE,
 * WBINVD. A large mapping that reaches out of the range is split first. The last step does what `mode` says, at
 * once, before any fault can see the range again.
 *
 * Returns DONE, also where no memory lies any more; REFUSED at the first page that the guest did not release (the
 * leaves before it are gone, and nothing that `mode` names has happened); DEAD.
 *
 * @source KVM, removal of private mappings; TDX module ABI, TLB tracking
 */
export const zap = z.define({
  lock: (k, f) => {
    const [from, to] = [f.get(z.v.from), f.get(z.v.to)];
    const area = k.map.find(from);
    if (area === NO_AREA) return f.returns(DONE);
    if (!k.zaps.take(f.task, from, to)) return BLOCKED;
    const start = k.map.start(area);
    f.set(z.v.area, area);
    if (f.get(z.v.page) < from - start) f.set(z.v.page, from - start);
    f.set(z.v.end, Math.min(to, k.map.end(area)) - start);
    return z.at.block;
  },
  block: (k, f) => {
    const area = f.get(z.v.area);
    const piece = k.pieceOf(area);
    const end = f.get(z.v.end);
    const page = skipRun(k, area, piece.mapped.next(f.get(z.v.page), end), end);
    f.set(z.v.page, page);
    if (page === end) return finish(k, f);
    const first = firstOf(piece, page);
    if (sticksOut(k, f, piece, first)) {
      k.zaps.give();
      return f.call(split, z.at.splitFirst, k.map.start(area) + first);
    }
    if (k.snp !== undefined) return unmapSnp(k, f, k.snp, piece, first);
    const result = k.seam.block(k.map.start(area) + first, levelOf(piece, page));
    if (isBusy(result)) return again(k, f, result);
    f.set(z.v.asked, 0);
    const kind = withoutDetails(result);
    if (result === 0 || kind === ALREADY_BLOCKED) return f.call(retire, z.at.blocked);
    if (kind !== WRONG_STATE) return fails(k, f, VM_END.MODULE_REFUSED, result);
    if (k.policy.pinned === "kill") return fails(k, f, VM_END.PINNED, result);
    return unlocked(k, f, REFUSED);
  },
  blocked: (k, f) => (f.result === DONE ? z.at.remove : unlocked(k, f, f.result)),
  remove: (k, f) => {
    const area = f.get(z.v.area);
    const piece = k.pieceOf(area);
    const page = f.get(z.v.page);
    const first = firstOf(piece, page);
    const result = k.seam.remove(k.map.start(area) + first, levelOf(piece, page));
    if (result === 0) {
      f.set(z.v.asked, 0);
      const host = piece.frameOf(first);
      f.set(z.v.host, host);
      const wasSmall = levelOf(piece, page) === 0;
      return k.pairs !== undefined && wasSmall ? z.at.unpair : z.at.writeBack;
    }
    if (isBusy(result)) return again(k, f, result);
    if (withoutDetails(result) === NOT_TRACKED) return f.call(retire, z.at.blocked);
    return fails(k, f, VM_END.MODULE_REFUSED, result);
  },
  unpair: (k, f) => {
    k.pairs!.put(f.get(z.v.host));
    return z.at.writeBack;
  },
  writeBack: (k, f) => {
    const result = k.seam.wbinvd(f.get(z.v.host));
    if (isBusy(result)) return AGAIN;
    if (result !== 0) return fails(k, f, VM_END.MODULE_REFUSED, result);
    k.pieceOf(f.get(z.v.area)).setUnmapped(f.get(z.v.page));
    return z.at.block;
  },
  splitFirst: (k, f) => {
    if (f.result === DONE) return z.at.lock;
    if (f.result === REFUSED && k.policy.pinned === "kill") {
      k.life.kill(VM_END.PINNED, f.vcpu, f.get(z.v.from), 0);
      return f.returns(DEAD);
    }
    return f.returns(f.result);
  },
});

/** Removes pages of 4 KiB at one go where nobody can tell, all but the last of a run. @returns the next to be removed */
const skipRun = (k: Vmm, area: number, page: number, end: number): number => {
  const piece = k.pieceOf(area);
  if (page === end || piece.isHuge(page >>> 9)) return page;
  const unitEnd = Math.min(end, ((page >>> 9) + 1) * UNIT_PAGES);
  const count = piece.mapped.nextMissing(page, unitEnd) - page - 1;
  if (count <= 0 || k.snp !== undefined) return page;
  const removed = k.removePages(k.map.start(area) + page, count);
  if (removed > 0) piece.mapped.removeRange(page, page + removed);
  return page + removed;
};

/** Whether the large mapping that starts at a page reaches out of the range. */
const sticksOut = (k: Vmm, f: Frame<Vmm>, piece: GuestMemfd, first: number): boolean => {
  if (!piece.isHuge(first >>> 9)) return false;
  return first < f.get(z.v.from) - k.map.start(f.get(z.v.area)) || first + UNIT_PAGES > f.get(z.v.end);
};

/** Whether the host keeps what it takes: for good reasons nobody would. */
const setsAside = (k: Vmm, mode: number): boolean =>
  k.snp !== undefined &&
  k.policy.discard === "set-aside" &&
  (mode & (FREE_PRIVATE | MAKE_SHARED)) === FREE_PRIVATE;

/** SEV-SNP: one mapping goes, and its host page becomes shared. The guest has no say in it. */
const unmapSnp = (k: Vmm, f: Frame<Vmm>, snp: SnpHost, piece: GuestMemfd, first: number): Next => {
  const frame = k.map.start(f.get(z.v.area)) + first;
  if (setsAside(k, f.get(z.v.mode))) snp.setAside(frame);
  else {
    const result = snp.takeBack(frame, piece.frameOf(first), piece.isHuge(first >>> 9));
    if (result !== 0) return fails(k, f, VM_END.RMP_REFUSED, result);
  }
  piece.setUnmapped(first);
  if (piece.mapped.lacksUnit(first >>> 9)) piece.setTableGone(first >>> 9);
  return z.at.block;
};

/** The last step cannot fail: everything is unmapped. */
const finish = (k: Vmm, f: Frame<Vmm>): Next => {
  const [area, end, mode] = [f.get(z.v.area), f.get(z.v.end), f.get(z.v.mode)];
  const start = k.map.start(area);
  const from = f.get(z.v.from) - start;
  if (setsAside(k, mode)) keepUnits(k, area, from, end);
  const freed = (mode & FREE_PRIVATE) !== 0 ? k.pieceOf(area).free(from, end) : 0;
  k.use.account(-freed, 0);
  if ((mode & MAKE_SHARED) !== 0) k.setAttribute(area, from, end, false);
  if ((mode & FREE_SHARED) !== 0) {
    const shared = k.freeShared(area, from, end);
    const bytes = (end - from) * PAGE_SIZE;
    k.sink?.emit(DISCARD_EVENT, f.get(z.v.from) * PAGE_SIZE, bytes, freed * PAGE_SIZE, shared * PAGE_SIZE, 0);
  }
  if ((mode & REMOVE_AREA) !== 0) {
    k.noteChanged(start, k.map.end(area));
    k.map.remove(area);
  }
  return unlocked(k, f, DONE);
};

const fails = (k: Vmm, f: Frame<Vmm>, reason: number, result: number): Next => {
  k.life.kill(reason, f.vcpu, k.map.start(f.get(z.v.area)) + f.get(z.v.page), result);
  return unlocked(k, f, DEAD);
};

const unlocked = (k: Vmm, f: Frame<Vmm>, result: number): Next => {
  k.zaps.give();
  return f.returns(result);
};
