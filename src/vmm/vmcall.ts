import { getNumber, hi, lo, R10, R11, R12, R13, type Regs, setNumber } from "../abi/tdx/regs.ts";
import type { Frame, Next } from "../flat/procedure.ts";
import { MIB, PAGE_SIZE } from "../units.ts";
import { convert } from "./convert.ts";
import { MAP_GPA_EVENT, VM_END } from "./events.ts";
import { DEAD, DONE, VMM_PROCEDURES } from "./procedures.ts";
import type { Vmm } from "./vmm.ts";

/** Sub-functions of the standard set (R10 = 0) that the VMM knows. */
const MAP_GPA = 0x10001;
const REPORT_FATAL_ERROR = 0x10003;

/** R10 of an answer: low half and high half. */
const SUCCESS = [0, 0] as const;
const RETRY = [1, 0] as const;
const INVALID_OPERAND = [0, 0x8000_0000] as const;
const ALIGN_ERROR = [2, 0x8000_0000] as const;
const SUBFUNC_UNSUPPORTED = [3, 0x8000_0000] as const;

/** Type and answers of arranged MapGPA results; they are used before a piece is converted. */
export const MAP_GPA_INJECTION = 0;
export const INJECT_RETRY = 1;
export const INJECT_FAILURE = 2;
/** A piece is converted as ever. */
export const INJECT_NOTHING = 3;

/** KVM hands a long MapGPA to user space in pieces of this size. */
export const MAP_GPA_PIECE = 2 * MIB;

const v = VMM_PROCEDURES.declare("handle a TDVMCALL", {
  args: ["vcpu"],
  locals: ["next", "end", "toPrivate"],
  steps: ["enter", "piece", "converted"],
});

const answer = (k: Vmm, f: Frame<Vmm>, code: readonly [number, number]): Next => {
  const regs = k.exitRegs(f.get(v.v.vcpu));
  regs[2 * R10] = code[0];
  regs[2 * R10 + 1] = code[1];
  return f.returns(DONE);
};

/** Answers a MapGPA that ended before its end: R11 says where, with the shared bit as the guest gave it. */
const stop = (k: Vmm, f: Frame<Vmm>, code: readonly [number, number]): Next => {
  setNumber(k.exitRegs(f.get(v.v.vcpu)), R11, f.get(v.v.next) + (f.get(v.v.toPrivate) ? 0 : k.sharedBit));
  return answer(k, f, code);
};

/**
 * Handles a TDVMCALL. The results lie in the exit registers, which the next TD entry gives to the guest.
 * Returns DONE, or DEAD when the guest reported a fatal error.
 *
 * MapGPA: INVALID_OPERAND for a range that is empty, wraps, leaves the address space or has both polarities;
 * ALIGN_ERROR unless start and size are whole pages; RETRY with the next address when an event is pending between
 * two pieces of 2 MiB; INVALID_OPERAND with the address of the piece that could not be converted.
 *
 * @source GHCI, TDG.VP.VMCALL<MapGPA>; KVM tdx_map_gpa
 * @missing every other sub-function: it is answered SUBFUNC_UNSUPPORTED
 */
export const vmcall = v.define({
  enter: (k, f) => {
    const regs = k.exitRegs(f.get(v.v.vcpu));
    const standard = lo(regs, R10) === 0 && hi(regs, R10) === 0;
    const sub = getNumber(regs, R11);
    if (standard && sub === MAP_GPA) return startMapGpa(k, f, regs);
    if (!standard || sub !== REPORT_FATAL_ERROR) return answer(k, f, SUBFUNC_UNSUPPORTED);
    k.life.kill(VM_END.GUEST_FATAL_ERROR, f.get(v.v.vcpu), 0, getNumber(regs, R12));
    return f.returns(DEAD);
  },
  piece: (k, f) => {
    const [next, end] = [f.get(v.v.next), f.get(v.v.end)];
    const arranged = k.injection.take(MAP_GPA_INJECTION);
    if (arranged === INJECT_RETRY) return stop(k, f, RETRY);
    if (arranged === INJECT_FAILURE) return stop(k, f, INVALID_OPERAND);
    const to = Math.min(end, next + MAP_GPA_PIECE);
    const frames = [next / PAGE_SIZE, to / PAGE_SIZE] as const;
    return f.call(convert, v.at.converted, f.get(v.v.vcpu), ...frames, f.get(v.v.toPrivate));
  },
  converted: (k, f) => {
    if (f.result === DEAD) return f.returns(DEAD);
    if (f.result !== DONE) return stop(k, f, INVALID_OPERAND);
    f.set(v.v.next, f.get(v.v.next) + MAP_GPA_PIECE);
    if (f.get(v.v.next) >= f.get(v.v.end)) return answer(k, f, SUCCESS);
    return k.hasEvent(f.get(v.v.vcpu)) ? stop(k, f, RETRY) : v.at.piece;
  },
});

const startMapGpa = (k: Vmm, f: Frame<Vmm>, regs: Regs): Next => {
  const start = getNumber(regs, R12);
  const size = getNumber(regs, R13);
  const bit = k.sharedBit;
  const aligned = ((lo(regs, R12) | lo(regs, R13)) & (PAGE_SIZE - 1)) === 0;
  const isShared = start >= bit;
  const end = start + size;
  k.sink?.emit(MAP_GPA_EVENT, f.get(v.v.vcpu), start, size, isShared ? 0 : 1, 0);
  // A sum at or above 2^53 is rounded, but it is far outside either way.
  const legal = size > 0 && end <= 2 * bit && (isShared || end <= bit);
  if (!legal || !aligned) {
    regs[2 * R11] = regs[2 * R12]!;
    regs[2 * R11 + 1] = regs[2 * R12 + 1]!;
    return answer(k, f, legal ? ALIGN_ERROR : INVALID_OPERAND);
  }
  f.set(v.v.next, isShared ? start - bit : start);
  f.set(v.v.end, isShared ? end - bit : end);
  f.set(v.v.toPrivate, isShared ? 0 : 1);
  return v.at.piece;
};
