import { status, withoutDetails } from "../abi/tdx/status.ts";
import { AGAIN, BLOCKED, type Frame, type Next } from "../flat/procedure.ts";
import { VM_END } from "./events.ts";
import type { GuestMemfd } from "./guest-memfd.ts";
import { NO_BLOCK } from "./host-memory.ts";
import { UNIT_PAGES } from "./page-set.ts";
import { DEAD, DONE, REFUSED, VMM_PROCEDURES } from "./procedures.ts";
import { isBusy } from "./seam.ts";
import type { Vmm } from "./vmm.ts";

const ALREADY_BLOCKED = status("GPA_RANGE_ALREADY_BLOCKED");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT");
const EPOCH_BUSY = status("PREVIOUS_TLB_EPOCH_BUSY");
const NOT_TRACKED = status("TLB_TRACKING_NOT_DONE");
const RESTARTABLE = status("INTERRUPTED_RESTARTABLE");

/** What a zap does beside removing the mappings. */
export const FREE_BACKING = 1;
export const MAKE_SHARED = 2;

const retired = VMM_PROCEDURES.declare("retire translations", {
  args: [],
  locals: [],
  steps: ["track", "kick", "wait", "retry"],
});

/**
 * Sees to it that no vCPU holds a translation older than the last BLOCK: TDH.MEM.TRACK, then every vCPU that
 * runs guest code leaves it once. While an older epoch is still in use the kick comes first and TRACK again.
 */
const retire = retired.define({
  track: (k, f) => {
    const result = k.seam.track();
    if (result === 0) return retired.at.kick;
    if (withoutDetails(result) === EPOCH_BUSY) {
      k.kickAll();
      return retired.at.retry;
    }
    if (isBusy(result)) return AGAIN;
    return dies(k, f, result);
  },
  kick: (k, f) => {
    k.kickAll();
    return k.kicking ? retired.at.wait : f.returns(DONE);
  },
  wait: (k, f) => (k.kicking ? BLOCKED : f.returns(DONE)),
  retry: (k) => (k.kicking ? BLOCKED : retired.at.track),
});

const dies = (k: Vmm, f: Frame<Vmm>, result: number): Next => {
  k.life.kill(VM_END.MODULE_REFUSED, f.vcpu, 0, result);
  return f.returns(DEAD);
};

const s = VMM_PROCEDURES.declare("split a large mapping", {
  args: ["area", "unit"],
  locals: ["locked"],
  steps: ["lock", "block", "blocked", "demote"],
});

/**
 * TDH.MEM.PAGE.DEMOTE of a 2 MiB mapping that nobody else may remove meanwhile: BLOCK, TRACK, kick, DEMOTE.
 * Returns DONE, also when it is split already; REFUSED if the guest holds it; DEAD.
 */
export const split = s.define({
  lock: (k, f) => {
    const first = k.map.start(f.get(s.v.area)) + f.get(s.v.unit) * UNIT_PAGES;
    if (!k.zaps.take(f.task, first, first + UNIT_PAGES)) return BLOCKED;
    return s.at.block;
  },
  block: (k, f) => {
    const unit = f.get(s.v.unit);
    if (!k.pieceOf(f.get(s.v.area)).isHuge(unit)) return unlocked(k, f, DONE);
    const result = k.seam.block(k.map.start(f.get(s.v.area)) + unit * UNIT_PAGES, 1);
    if (isBusy(result)) return AGAIN;
    const kind = withoutDetails(result);
    if (result === 0 || kind === ALREADY_BLOCKED) return f.call(retire, s.at.blocked);
    if (kind === WRONG_STATE) return unlocked(k, f, REFUSED);
    k.life.kill(VM_END.MODULE_REFUSED, f.vcpu, k.map.start(f.get(s.v.area)) + unit * UNIT_PAGES, result);
    return unlocked(k, f, DEAD);
  },
  blocked: (k, f) => (f.result === DONE ? s.at.demote : unlocked(k, f, f.result)),
  demote: (k, f) => {
    const area = f.get(s.v.area);
    const frame = k.map.start(area) + f.get(s.v.unit) * UNIT_PAGES;
    const table = k.host.takeTableFrame();
    if (table === NO_BLOCK) {
      k.life.kill(VM_END.HOST_OUT_OF_MEMORY, f.vcpu, frame, 0);
      return unlocked(k, f, DEAD);
    }
    const result = k.seam.demote(frame, table);
    if (result === 0) {
      k.pieceOf(area).setSplit(f.get(s.v.unit));
      return unlocked(k, f, DONE);
    }
    k.host.untakeTableFrame();
    const kind = withoutDetails(result);
    if (isBusy(result) || kind === RESTARTABLE) return AGAIN;
    if (kind === NOT_TRACKED) return f.call(retire, s.at.blocked);
    k.life.kill(VM_END.MODULE_REFUSED, f.vcpu, frame, result);
    return unlocked(k, f, DEAD);
  },
});

const unlocked = (k: Vmm, f: Frame<Vmm>, result: number): Next => {
  k.zaps.give();
  return f.returns(result);
};

const z = VMM_PROCEDURES.declare("remove private mappings", {
  args: ["area", "from", "to", "mode"],
  locals: ["page", "host"],
  steps: ["lock", "block", "blocked", "remove", "writeBack", "splitFirst"],
});

/** Level of the mapping of a mapped page, and the pages that it covers. */
const levelAt = (piece: GuestMemfd, page: number): number => (piece.isHuge(page >>> 9) ? 1 : 0);
const firstOf = (piece: GuestMemfd, page: number): number =>
  piece.isHuge(page >>> 9) ? (page >>> 9) * UNIT_PAGES : page;

/**
 * Removes the mappings of pages [from, to) of an area's piece, leaf by leaf: BLOCK, TRACK, kick, REMOVE, WBINVD.
 * A large mapping that reaches out of the range is split first. At the end, by `mode`, the pages of guest_memfd
 * are freed and the attribute becomes shared.
 *
 * Returns DONE; REFUSED at the first page that the guest did not release (the leaves before it are gone, and
 * neither backing nor attribute of the range has changed); DEAD.
 *
 * @source KVM, removal of private mappings; TDX module ABI, TLB tracking
 */
export const zap = z.define({
  lock: (k, f) => {
    const area = f.get(z.v.area);
    const from = f.get(z.v.from);
    const start = k.map.start(area);
    if (!k.zaps.take(f.task, start + from, start + f.get(z.v.to))) return BLOCKED;
    f.set(z.v.page, from);
    return z.at.block;
  },
  block: (k, f) => {
    const area = f.get(z.v.area);
    const piece = k.pieceOf(area);
    const to = f.get(z.v.to);
    const page = piece.mapped.next(f.get(z.v.page), to);
    f.set(z.v.page, page);
    if (page === to) return finish(k, f);
    const first = firstOf(piece, page);
    if (first < f.get(z.v.from) || (piece.isHuge(page >>> 9) && first + UNIT_PAGES > to)) {
      k.zaps.give();
      return f.call(split, z.at.splitFirst, area, page >>> 9);
    }
    const result = k.seam.block(k.map.start(area) + first, levelAt(piece, page));
    if (isBusy(result)) return AGAIN;
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
    const result = k.seam.remove(k.map.start(area) + first, levelAt(piece, page));
    if (result === 0) {
      f.set(z.v.host, piece.frameOf(first));
      return z.at.writeBack;
    }
    if (isBusy(result)) return AGAIN;
    if (withoutDetails(result) === NOT_TRACKED) return f.call(retire, z.at.blocked);
    return fails(k, f, VM_END.MODULE_REFUSED, result);
  },
  writeBack: (k, f) => {
    const result = k.seam.wbinvd(f.get(z.v.host));
    if (isBusy(result)) return AGAIN;
    if (result !== 0) return fails(k, f, VM_END.MODULE_REFUSED, result);
    const piece = k.pieceOf(f.get(z.v.area));
    piece.setUnmapped(f.get(z.v.page));
    return z.at.block;
  },
  splitFirst: (k, f) => {
    if (f.result === DONE) return z.at.lock;
    if (f.result === REFUSED && k.policy.pinned === "kill") {
      k.life.kill(VM_END.PINNED, f.vcpu, k.map.start(f.get(z.v.area)) + f.get(z.v.page), 0);
      return f.returns(DEAD);
    }
    return f.returns(f.result);
  },
});

/** The last step of a zap cannot fail: everything is unmapped. */
const finish = (k: Vmm, f: Frame<Vmm>): Next => {
  const [area, from, to, mode] = [f.get(z.v.area), f.get(z.v.from), f.get(z.v.to), f.get(z.v.mode)];
  if ((mode & FREE_BACKING) !== 0) k.use.account(-k.pieceOf(area).free(from, to), 0);
  if ((mode & MAKE_SHARED) !== 0) k.setAttribute(area, from, to, false);
  return unlocked(k, f, DONE);
};

const fails = (k: Vmm, f: Frame<Vmm>, reason: number, result: number): Next => {
  k.life.kill(reason, f.vcpu, k.map.start(f.get(z.v.area)) + f.get(z.v.page), result);
  return unlocked(k, f, DEAD);
};
