import { lo, R8, RAX, RCX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { SEPT_STATE_ROWS } from "../abi/tdx/sept-entry.ts";
import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { EEQ_TYPE, EXIT_REASON } from "../abi/tdx/td-exit.ts";
import { BLOCKED, type Frame, type Next } from "../flat/procedure.ts";
import { NotModelled } from "../not-modelled.ts";
import { PAGE_SIZE } from "../units.ts";
import { IMPLICIT_CONVERSION_EVENT, TD_EXIT_EVENT, UNRESOLVED_EVENT, VM_END } from "./events.ts";
import type { GuestMemfd } from "./guest-memfd.ts";
import { NO_BLOCK } from "./host-memory.ts";
import { NO_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import type { VmmPolicy } from "./policy.ts";
import { DEAD, DONE, UNRESOLVED, VMM_PROCEDURES } from "./procedures.ts";
import { isBusy } from "./seam.ts";
import { faultInShared } from "./shared-fault.ts";
import { vmcall } from "./vmcall.ts";
import type { Vmm } from "./vmm.ts";
import { split } from "./zap.ts";

const WALK_FAILED = status("EPT_WALK_FAILED");
const WRONG_STATE = status("EPT_ENTRY_STATE_INCORRECT");

/** State numbers that SEAMCALLs report: nothing is there, a table is there. */
const REPORTED_FREE = SEPT_STATE_ROWS.FREE.reported;
const REPORTED_TABLE = SEPT_STATE_ROWS.NL_MAPPED.reported;

/** Bits of the word that tells what a fault wants. */
const IS_ACCEPT = 2;
export const WANTS_2M = 1;

const fault = VMM_PROCEDURES.declare("fault in a private page", {
  args: ["vcpu", "frame", "wish"],
  locals: ["area", "level"],
  steps: ["map", "addTable"],
});

/**
 * Backs and maps one private page: TDH.MEM.PAGE.AUG, after TDH.MEM.SEPT.ADD for each table that is missing.
 *
 * `frame` is the guest frame; bit 0 of `wish` asks for 2 MiB, bit 1 says that it is an accept. Returns DONE when
 * the guest should try again, UNRESOLVED when that will not help, DEAD when the VM ended.
 *
 * @source KVM, TDX private EPT violations and guest_memfd
 * @missing the zero-step guard, dynamic PAMT pages, 1 GiB mappings
 */
export const faultIn = fault.define({
  map: (k, f) => {
    const frame = f.get(fault.v.frame);
    if (k.life.ended !== VM_END.NONE) return f.returns(DEAD);
    const area = k.map.find(frame);
    if (area === NO_AREA || !k.hasSlot(area, frame)) return onNoMemory(k, f, true);
    if (k.policy.unplugged !== "allocate" && !k.pluggedFrame(frame)) return onNoMemory(k, f, false);
    if (k.zaps.covers(frame)) return BLOCKED;
    f.set(fault.v.area, area);
    const piece = k.pieceOf(area);
    const page = frame - k.map.start(area);
    if (!piece.isPrivate.has(page)) return onSharedPage(k, f, area, page);
    if (piece.mapped.has(page)) return onMapped(k, f, piece, page);
    return mapPage(k, f, piece, page);
  },
  addTable: (k, f) => {
    const table = k.host.takeTableFrame();
    if (table === NO_BLOCK) return dies(k, f, VM_END.HOST_OUT_OF_MEMORY, 0);
    const result = k.seam.addTable(f.get(fault.v.frame), f.get(fault.v.level), table);
    if (result === 0) return fault.at.map;
    k.host.untakeTableFrame();
    if (isBusy(result) || withoutDetails(result) === WRONG_STATE) return fault.at.map;
    return dies(k, f, VM_END.MODULE_REFUSED, result);
  },
});

const mapPage = (k: Vmm, f: Frame<Vmm>, piece: GuestMemfd, page: number): Next => {
  const unit = page >>> 9;
  const first = k.map.start(f.get(fault.v.area));
  const huge = (f.get(fault.v.wish) & WANTS_2M) !== 0 && piece.mayMapHuge(unit, first % UNIT_PAGES);
  const before = piece.backed.count;
  if (!piece.backed.has(page) && !k.use.hasRoom(huge ? UNIT_PAGES : 1)) {
    return dies(k, f, VM_END.HOST_OUT_OF_MEMORY, 0);
  }
  const host = huge ? piece.allocateUnit(unit) : piece.allocate(page);
  if (host === NO_BLOCK) return dies(k, f, VM_END.HOST_OUT_OF_MEMORY, 0);
  k.use.account(piece.backed.count - before, 0);
  const result = huge ? k.seam.aug(first + unit * UNIT_PAGES, 1, host) : k.seam.aug(first + page, 0, host);
  if (result !== 0) return onAugRefused(k, f, result);
  if (huge) piece.setMappedHuge(unit);
  else piece.setMapped(page);
  return f.returns(DONE);
};

const onAugRefused = (k: Vmm, f: Frame<Vmm>, result: Status): Next => {
  if (isBusy(result)) return f.returns(DONE);
  if (withoutDetails(result) === WRONG_STATE && k.seam.endState === REPORTED_TABLE) {
    const area = f.get(fault.v.area);
    k.pieceOf(area).setHasTable((f.get(fault.v.frame) - k.map.start(area)) >>> 9);
    return fault.at.map;
  }
  if (withoutDetails(result) !== WALK_FAILED || k.seam.endState !== REPORTED_FREE) {
    return dies(k, f, VM_END.MODULE_REFUSED, result);
  }
  f.set(fault.v.level, k.seam.endLevel);
  return fault.at.addTable;
};

/** Somebody mapped the page meanwhile, or a small accept met a large mapping. */
const onMapped = (k: Vmm, f: Frame<Vmm>, piece: GuestMemfd, page: number): Next => {
  const smallAccept = f.get(fault.v.wish) === IS_ACCEPT && piece.isHuge(page >>> 9);
  if (!smallAccept) return f.returns(DONE);
  if (k.policy.smallAccept === "kill") return dies(k, f, VM_END.SMALL_ACCEPT, 0);
  if (k.policy.smallAccept === "spin") return f.returns(UNRESOLVED);
  piece.keepSmall(page >>> 9);
  return f.call(split, fault.at.map, f.get(fault.v.area), page >>> 9);
};

const onSharedPage = (k: Vmm, f: Frame<Vmm>, area: number, page: number): Next => {
  if (k.policy.implicitConversion === "kill") return dies(k, f, VM_END.WRONG_POLARITY, 0);
  if (k.policy.implicitConversion === "spin") return f.returns(UNRESOLVED);
  k.makePrivate(area, page, page + 1);
  k.sink?.emit(IMPLICIT_CONVERSION_EVENT, f.get(fault.v.vcpu), f.get(fault.v.frame) * PAGE_SIZE, 1, 0, 0);
  return fault.at.map;
};

const onNoMemory = (k: Vmm, f: Frame<Vmm>, noSlot: boolean): Next => {
  const policy: VmmPolicy["unplugged"] = k.policy.unplugged;
  if (policy === "spin") return f.returns(UNRESOLVED);
  return dies(k, f, noSlot ? VM_END.NO_MEMORY_THERE : VM_END.UNPLUGGED_BLOCK, 0);
};

const dies = (k: Vmm, f: Frame<Vmm>, reason: number, result: number): Next => {
  k.life.kill(reason, f.get(fault.v.vcpu), f.get(fault.v.frame), result);
  return f.returns(DEAD);
};

const exit = VMM_PROCEDURES.declare("handle a TD exit", {
  args: ["vcpu"],
  locals: ["frame"],
  steps: ["enter", "resolved"],
});

/**
 * Handles the TD exit whose registers `exitRegs(vcpu)` holds. Returns DONE when the vCPU may enter the guest
 * again, UNRESOLVED when it may but will be back with the same exit, DEAD when the VM has ended.
 *
 * @throws NotModelled for an exit reason other than EPT violation, TDCALL and external interrupt
 */
export const handleExit = exit.define({
  enter: (k, f) => {
    const vcpu = f.get(exit.v.vcpu);
    const regs = k.exitRegs(vcpu);
    const reason = lo(regs, RAX);
    if (k.life.ended !== VM_END.NONE) return f.returns(DEAD);
    if (reason === EXIT_REASON.EPT_VIOLATION) return onEptViolation(k, f, vcpu, regs);
    k.sink?.emit(TD_EXIT_EVENT, vcpu, reason, 0, 0, 0);
    if (reason === EXIT_REASON.TDCALL) return f.call(vmcall, exit.at.resolved, vcpu);
    if (reason === EXIT_REASON.EXTERNAL_INTERRUPT) return f.returns(DONE);
    throw new NotModelled(`TD exit for reason ${reason}`);
  },
  resolved: (k, f) => {
    const vcpu = f.get(exit.v.vcpu);
    if (f.result !== UNRESOLVED) {
      k.unresolved[vcpu] = 0;
      return f.returns(f.result);
    }
    const count = ++k.unresolved[vcpu]!;
    const frame = f.get(exit.v.frame);
    k.sink?.emit(UNRESOLVED_EVENT, vcpu, frame * PAGE_SIZE, count, 0, 0);
    if (count < k.policy.spinLimit) return f.returns(UNRESOLVED);
    k.life.kill(VM_END.STUCK, vcpu, frame, 0);
    return f.returns(DEAD);
  },
});

const onEptViolation = (k: Vmm, f: Frame<Vmm>, vcpu: number, regs: Regs): Next => {
  const frame = (regs[2 * R8]! >>> 12) + regs[2 * R8 + 1]! * 2 ** 20;
  const type = regs[2 * RDX]! & 15;
  f.set(exit.v.frame, frame);
  k.sink?.emit(TD_EXIT_EVENT, vcpu, EXIT_REASON.EPT_VIOLATION, frame * PAGE_SIZE, type, regs[2 * RCX]!);
  const shared = frame - k.sharedBit / PAGE_SIZE;
  if (shared >= 0) return f.call(faultInShared, exit.at.resolved, vcpu, shared);
  if (type === EEQ_TYPE.PENDING_EPT_VIOLATION) {
    k.life.kill(VM_END.PENDING_ACCESS, vcpu, frame, 0);
    return f.returns(DEAD);
  }
  const large = k.policy.augSize === "2M" ? WANTS_2M : 0;
  if (type !== EEQ_TYPE.ACCEPT) return f.call(faultIn, exit.at.resolved, vcpu, frame, large);
  const requestedLevel = regs[2 * RDX + 1]! & 7;
  const wish = IS_ACCEPT | (requestedLevel > 0 ? large : 0);
  return f.call(faultIn, exit.at.resolved, vcpu, frame, wish);
};
