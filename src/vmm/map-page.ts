import { SEPT_STATE_ROWS } from "../abi/tdx/sept-entry.ts";
import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { VM_END } from "./events.ts";
import type { GuestMemfd } from "./guest-memfd.ts";
import { NO_BLOCK } from "./host-memory.ts";
import { NO_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import { DEAD, DONE, UNRESOLVED } from "./procedures.ts";
import { isBusy } from "./seam.ts";
import type { Vmm } from "./vmm.ts";

const WALK_FAILED = status("EPT_WALK_FAILED");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT");
/** State numbers that SEAMCALLs report: nothing is there, a table is there. */
const REPORTED_FREE = SEPT_STATE_ROWS.FREE.reported;
const REPORTED_TABLE = SEPT_STATE_ROWS.NL_MAPPED.reported;

/** Bits of what a fault wishes for: 2 MiB if possible; it is an accept. */
export const WANTS_2M = 1;
export const IS_ACCEPT = 2;
/** With dynamic PAMT: the metadata of the page was seen to, whether the host had pages for it or not. */
export const PAIR_TRIED = 4;

/** What has to happen before the page can be mapped, beside DONE, UNRESOLVED and DEAD. */
export const WAIT = 8;
export const CONVERT = 9;
export const SPLIT = 10;
export const ANEW = 11;
/** With dynamic PAMT: the host frame needs its metadata first; it was mapped, and has kept it. */
export const PAIR = 12;
export const MAPPED_PAIRED = 13;
/** A table is missing below the entry of level `outcome - MISSING_TABLE`. */
export const MISSING_TABLE = 16;

/**
 * Backs and maps the private page at a guest frame if nothing stands in the way: one TDH.MEM.PAGE.AUG at most, or one
 * RMPUPDATE.
 *
 * @returns DONE, UNRESOLVED or DEAD; MAPPED_PAIRED; or what is in the way: WAIT, CONVERT, SPLIT, ANEW, PAIR, MISSING_TABLE + level
 */
export const mapPage = (k: Vmm, vcpu: number, frame: number, wish: number): number => {
  if (k.life.ended !== VM_END.NONE) return DEAD;
  const area = k.map.find(frame);
  if (area === NO_AREA || !k.hasSlot(area, frame)) return noMemory(k, vcpu, frame, VM_END.NO_MEMORY_THERE);
  if (k.policy.unplugged !== "allocate" && !k.pluggedFrame(frame)) {
    return noMemory(k, vcpu, frame, VM_END.UNPLUGGED_BLOCK);
  }
  if (k.zaps.covers(frame)) return WAIT;
  const piece = k.pieceOf(area);
  const first = k.map.start(area);
  const page = frame - first;
  if (!piece.isPrivate.has(page)) return sharedPage(k, vcpu, frame);
  if (piece.mapped.has(page))
    return mappedPage(k, vcpu, frame, (wish & ~PAIR_TRIED) === IS_ACCEPT && piece.isHuge(page >>> 9));
  const huge = (wish & WANTS_2M) !== 0 && piece.mayMapHuge(page >>> 9, first % UNIT_PAGES);
  if (huge && !hasPair(k, piece, page)) return augUnit(k, vcpu, piece, first, page >>> 9);
  return augPage(k, vcpu, piece, frame, page, wish);
};

/** Whether somebody is about to map a page of the unit in 4 KiB: KVM has the table of a large page frozen then. */
const hasPair = ({ pairs }: Vmm, piece: GuestMemfd, page: number): boolean =>
  pairs !== undefined && !piece.backed.lacksUnit(page >>> 9) && pairs.has(piece.frameOf(page));

const augPage = (
  k: Vmm,
  vcpu: number,
  piece: GuestMemfd,
  frame: number,
  page: number,
  wish: number,
): number => {
  const isNew = !piece.backed.has(page);
  const host = isNew ? (k.use.hasRoom(1) ? piece.allocate(page) : NO_BLOCK) : piece.frameOf(page);
  if (host === NO_BLOCK) return dies(k, VM_END.HOST_OUT_OF_MEMORY, vcpu, frame, 0);
  if (isNew) k.use.account(1, 0);
  if (k.snp !== undefined)
    return given(k, vcpu, frame, k.snp.give(frame, host, false), () => piece.setMapped(page));
  const isTried = (wish & PAIR_TRIED) !== 0;
  if (k.pairs !== undefined && !isTried) return PAIR;
  const result = k.seam.aug(frame, 0, host);
  if (result !== 0) return refused(k, vcpu, frame, result);
  piece.setMapped(page);
  return isTried ? MAPPED_PAIRED : DONE;
};

const augUnit = (k: Vmm, vcpu: number, piece: GuestMemfd, first: number, unit: number): number => {
  const frame = first + unit * UNIT_PAGES;
  const before = piece.backed.count;
  const room = piece.backed.hasUnit(unit) || k.use.hasRoom(UNIT_PAGES);
  const host = room ? piece.allocateUnit(unit) : NO_BLOCK;
  if (host === NO_BLOCK) return dies(k, VM_END.HOST_OUT_OF_MEMORY, vcpu, frame, 0);
  k.use.account(piece.backed.count - before, 0);
  if (k.snp !== undefined)
    return given(k, vcpu, frame, k.snp.give(frame, host, true), () => piece.setMappedHuge(unit));
  const result = k.seam.aug(frame, 1, host);
  if (result === 0) {
    piece.setMappedHuge(unit);
    return DONE;
  }
  if (withoutDetails(result) !== WRONG_STATE || k.seam.endState !== REPORTED_TABLE) {
    return refused(k, vcpu, frame, result);
  }
  piece.setHasTable(unit);
  return ANEW;
};

/** RMPUPDATE has answered. */
const given = (k: Vmm, vcpu: number, frame: number, result: number, mapped: () => void): number => {
  if (result !== 0) return dies(k, VM_END.RMP_REFUSED, vcpu, frame, result);
  mapped();
  return DONE;
};

const refused = (k: Vmm, vcpu: number, frame: number, result: Status): number => {
  if (isBusy(result)) return DONE;
  if (withoutDetails(result) === WALK_FAILED && k.seam.endState === REPORTED_FREE) {
    return MISSING_TABLE + k.seam.endLevel;
  }
  return dies(k, VM_END.MODULE_REFUSED, vcpu, frame, result);
};

const sharedPage = (k: Vmm, vcpu: number, frame: number): number => {
  if (k.policy.implicitConversion === "convert") return CONVERT;
  if (k.policy.implicitConversion === "spin") return UNRESOLVED;
  return dies(k, VM_END.WRONG_POLARITY, vcpu, frame, 0);
};

/** Somebody mapped the page meanwhile, or a small accept met a large mapping. */
const mappedPage = (k: Vmm, vcpu: number, frame: number, smallAccept: boolean): number => {
  if (!smallAccept) return DONE;
  if (k.policy.smallAccept === "demote") return SPLIT;
  if (k.policy.smallAccept === "spin") return UNRESOLVED;
  return dies(k, VM_END.SMALL_ACCEPT, vcpu, frame, 0);
};

const noMemory = (k: Vmm, vcpu: number, frame: number, reason: number): number =>
  k.policy.unplugged === "spin" ? UNRESOLVED : dies(k, reason, vcpu, frame, 0);

const dies = (k: Vmm, reason: number, vcpu: number, frame: number, result: number): number => {
  k.life.kill(reason, vcpu, frame, result);
  return DEAD;
};
