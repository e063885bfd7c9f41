import { lo, R8, RAX, RCX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { EEQ_TYPE, EXIT_REASON } from "../abi/tdx/td-exit.ts";
import { BLOCKED, type Frame, type Next } from "../flat/procedure.ts";
import { NotModelled } from "../not-modelled.ts";
import { PAGE_SIZE } from "../units.ts";
import { IMPLICIT_CONVERSION_EVENT, TD_EXIT_EVENT, UNRESOLVED_EVENT, VM_END } from "./events.ts";
import { NO_BLOCK } from "./host-memory.ts";
import {
  ANEW,
  CONVERT,
  IS_ACCEPT,
  MAPPED_PAIRED,
  MISSING_TABLE,
  mapPage,
  PAIR,
  PAIR_TRIED,
  SPLIT,
  WAIT,
  WANTS_2M,
} from "./map-page.ts";
import { NO_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import { DEAD, DONE, UNRESOLVED, VMM_PROCEDURES } from "./procedures.ts";
import { isBusy } from "./seam.ts";
import { faultInShared } from "./shared-fault.ts";
import { split } from "./split.ts";
import { vmcall } from "./vmcall.ts";
import type { Vmm } from "./vmm.ts";

const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT");

const fault = VMM_PROCEDURES.declare("fault in a private page", {
  args: ["vcpu", "frame", "wish", "missing"],
  locals: ["level", "host", "tried", "outcome"],
  steps: ["map", "unpair", "addTable", "hangTable", "unpairTable"],
});

/**
 * Backs and maps one private page: TDH.MEM.PAGE.AUG, after TDH.MEM.SEPT.ADD for each table that is missing. With dynamic PAMT the
 * metadata of what becomes a 4 KiB page is brought before, and taken back if it did not.
 *
 * `frame` is the guest frame, `wish` WANTS_2M and IS_ACCEPT; `missing` is PAIR, or MISSING_TABLE + level, if that is known, or 0.
 * Returns DONE when the guest should try again, UNRESOLVED when that will not help, DEAD when the VM ended.
 *
 * @source KVM, TDX private EPT violations and guest_memfd
 * @missing the zero-step guard, 1 GiB mappings
 */
export const faultIn = fault.define({
  map: (k, f) => {
    const { vcpu, frame, wish } = fault.v;
    const missing = f.get(fault.v.missing);
    f.set(fault.v.missing, 0);
    const tried = f.get(fault.v.tried);
    const outcome = missing || mapPage(k, f.get(vcpu), f.get(frame), f.get(wish) + tried);
    if (outcome === PAIR) return bringPair(k, f);
    return tried === 0 ? goOn(k, f, outcome) : settlePair(k, f, outcome);
  },
  unpair: (k, f) => {
    k.pairs!.put(f.get(fault.v.host));
    k.zaps.unread();
    const outcome = f.get(fault.v.outcome);
    // What else was in the way may have changed meanwhile; a missing table is no harm to add.
    return outcome < WAIT || outcome >= MISSING_TABLE ? goOn(k, f, outcome) : fault.at.map;
  },
  addTable: (k, f) => {
    const table = k.use.hasTableRoom ? k.host.takeTableFrame() : NO_BLOCK;
    if (table === NO_BLOCK) return dies(k, f, VM_END.HOST_OUT_OF_MEMORY, 0);
    f.set(fault.v.host, table);
    if (k.pairs === undefined) return hangTable(k, f, false);
    f.set(fault.v.tried, k.pairs.get(table) ? 1 : 0);
    return fault.at.hangTable;
  },
  hangTable: (k, f) => {
    const isPaired = f.get(fault.v.tried) !== 0;
    f.set(fault.v.tried, 0);
    return hangTable(k, f, isPaired);
  },
  unpairTable: (k, f) => {
    k.pairs!.put(f.get(fault.v.host));
    return tableRefused(k, f);
  },
});

/** The frame that backs the page gets its metadata, unless the page was mapped or lost it meanwhile. */
const bringPair = (k: Vmm, f: Frame<Vmm>): Next => {
  const frame = f.get(fault.v.frame);
  const area = k.map.find(frame);
  if (area === NO_AREA) return fault.at.map;
  const piece = k.pieceOf(area);
  const page = frame - k.map.start(area);
  if (!piece.backed.has(page) || piece.mapped.has(page) || k.zaps.covers(frame)) return fault.at.map;
  k.zaps.read();
  const host = piece.frameOf(page);
  f.set(fault.v.host, k.pairs!.get(host) ? host : NO_BLOCK);
  f.set(fault.v.tried, PAIR_TRIED);
  return fault.at.map;
};

/** The page was tried with its metadata at hand, which goes back unless it was mapped. */
const settlePair = (k: Vmm, f: Frame<Vmm>, outcome: number): Next => {
  f.set(fault.v.tried, 0);
  const host = f.get(fault.v.host);
  if (outcome === MAPPED_PAIRED || host === NO_BLOCK) k.zaps.unread();
  if (outcome === MAPPED_PAIRED) return f.returns(DONE);
  if (host === NO_BLOCK) return goOn(k, f, outcome);
  f.set(fault.v.outcome, outcome);
  return fault.at.unpair;
};

/** What mapPage() came to. */
const goOn = (k: Vmm, f: Frame<Vmm>, outcome: number): Next => {
  if (outcome < WAIT) return f.returns(outcome);
  if (outcome === WAIT) return BLOCKED;
  if (outcome === ANEW) return fault.at.map;
  if (outcome === CONVERT) return toPrivate(k, f);
  if (outcome === SPLIT) return splitUnit(k, f);
  f.set(fault.v.level, outcome - MISSING_TABLE);
  return fault.at.addTable;
};

const hangTable = (k: Vmm, f: Frame<Vmm>, isPaired: boolean): Next => {
  const table = f.get(fault.v.host);
  const result = k.seam.addTable(f.get(fault.v.frame), f.get(fault.v.level), table);
  if (result === 0) return withoutTable(f);
  f.set(fault.v.outcome, result);
  return isPaired ? fault.at.unpairTable : tableRefused(k, f);
};

/** On to the page. What is done with leaves no trace: states that differ in nothing else are one. */
const withoutTable = (f: Frame<Vmm>): Next => {
  f.set(fault.v.host, 0);
  f.set(fault.v.outcome, 0);
  return fault.at.map;
};

const tableRefused = (k: Vmm, f: Frame<Vmm>): Next => {
  const result = f.get(fault.v.outcome) as Status;
  k.host.untakeTableFrame(f.get(fault.v.host));
  if (isBusy(result) || withoutDetails(result) === WRONG_STATE) return withoutTable(f);
  return dies(k, f, VM_END.MODULE_REFUSED, result);
};

/** The page became private without being asked for: 4 KiB at a time. */
const toPrivate = (k: Vmm, f: Frame<Vmm>): Next => {
  const frame = f.get(fault.v.frame);
  const area = k.map.find(frame);
  const page = frame - k.map.start(area);
  k.makePrivate(area, page, page + 1);
  k.sink?.emit(IMPLICIT_CONVERSION_EVENT, f.get(fault.v.vcpu), frame * PAGE_SIZE, 1, 0, 0);
  return fault.at.map;
};

const splitUnit = (k: Vmm, f: Frame<Vmm>): Next => {
  const frame = f.get(fault.v.frame);
  const area = k.map.find(frame);
  const unit = (frame - k.map.start(area)) >>> 9;
  return f.call(split, fault.at.map, k.map.start(area) + unit * UNIT_PAGES);
};

const dies = (k: Vmm, f: Frame<Vmm>, reason: number, result: number): Next => {
  k.life.kill(reason, f.get(fault.v.vcpu), f.get(fault.v.frame), result);
  return f.returns(DEAD);
};

const exit = VMM_PROCEDURES.declare("handle a TD exit", {
  args: ["vcpu"],
  locals: ["frame"],
  steps: ["enter", "handled"],
});

/**
 * Handles the TD exit whose registers `exitRegs(vcpu)` holds. Returns DONE when the vCPU may enter the guest
 * again, UNRESOLVED when it may but will be back with the same exit, DEAD when the VM has ended.
 *
 * @throws NotModelled for an exit reason other than EPT violation, TDCALL and external interrupt
 * @missing those other exit reasons
 */
export const handleExit = exit.define({
  enter: (k, f) => {
    const vcpu = f.get(exit.v.vcpu);
    const regs = k.exitRegs(vcpu);
    const reason = lo(regs, RAX);
    if (k.life.ended !== VM_END.NONE) return f.returns(DEAD);
    if (reason === EXIT_REASON.EPT_VIOLATION) return onEptViolation(k, f, vcpu, regs);
    k.sink?.emit(TD_EXIT_EVENT, vcpu, reason, 0, 0, 0);
    if (reason === EXIT_REASON.TDCALL) return f.call(vmcall, exit.at.handled, vcpu);
    if (reason === EXIT_REASON.EXTERNAL_INTERRUPT) return f.returns(DONE);
    throw new NotModelled(`TD exit for reason ${reason}`);
  },
  handled: (k, f) => resolve(k, f, f.get(exit.v.vcpu), f.get(exit.v.frame), f.result),
});

/** Answers an exit: counts the exits in a row that a vCPU comes back with, and ends the VM when there are too many. */
export const resolve = (k: Vmm, f: Frame<Vmm>, vcpu: number, frame: number, outcome: number): Next => {
  if (outcome !== UNRESOLVED) {
    k.unresolved[vcpu] = 0;
    return f.returns(outcome);
  }
  const count = ++k.unresolved[vcpu]!;
  k.sink?.emit(UNRESOLVED_EVENT, vcpu, frame * PAGE_SIZE, count, 0, 0);
  if (count < k.policy.spinLimit) return f.returns(UNRESOLVED);
  k.life.kill(VM_END.STUCK, vcpu, frame, 0);
  return f.returns(DEAD);
};

const onEptViolation = (k: Vmm, f: Frame<Vmm>, vcpu: number, regs: Regs): Next => {
  const frame = (regs[2 * R8]! >>> 12) + regs[2 * R8 + 1]! * 2 ** 20;
  const type = regs[2 * RDX]! & 15;
  k.sink?.emit(TD_EXIT_EVENT, vcpu, EXIT_REASON.EPT_VIOLATION, frame * PAGE_SIZE, type, regs[2 * RCX]!);
  f.set(exit.v.frame, frame);
  const shared = frame - k.sharedBit / PAGE_SIZE;
  if (shared >= 0) return f.call(faultInShared, exit.at.handled, vcpu, shared);
  if (type === EEQ_TYPE.PENDING_EPT_VIOLATION) {
    k.life.kill(VM_END.PENDING_ACCESS, vcpu, frame, 0);
    return f.returns(DEAD);
  }
  const wish = wishOf(k, type, regs[2 * RDX + 1]!);
  // Most exits end here: the tables are there, and one AUG does it.
  const outcome = mapPage(k, vcpu, frame, wish);
  if (outcome < WAIT) return resolve(k, f, vcpu, frame, outcome);
  // Whatever else is in the way may have changed by the next step; a missing table is no harm to add.
  return f.call(faultIn, exit.at.handled, vcpu, frame, wish, outcome >= PAIR ? outcome : 0);
};

/** What an exit asks for: an accept names its size, another access takes what the policy gives. */
const wishOf = (k: Vmm, type: number, eeqHi: number): number => {
  const large = k.policy.augSize === "2M" ? WANTS_2M : 0;
  if (type !== EEQ_TYPE.ACCEPT) return large;
  const requestedLevel = eeqHi & 7;
  return IS_ACCEPT | (requestedLevel > 0 ? large : 0);
};
