import {
  getNumber,
  hi,
  lo,
  R10,
  R11,
  R12,
  R13,
  RAX,
  RCX,
  type Regs,
  setHalves,
  setNumber,
} from "../../abi/tdx/regs.ts";
import type { Frame, Next } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";

const TDG_VP_VMCALL = 0;
const MAP_GPA = 0x10001;
/** RDX, RBX, RSI, RDI and R8 to R15 pass between guest and host. */
const EXPOSED = 0xffcc;
/** Answers without progress after which Linux gives up. */
const MAX_RETRIES = 3;

const { v, at, define } = KERNEL_PROCEDURES.declare("tdx_map_gpa", {
  args: ["start", "end", "toPrivate"],
  locals: ["at", "retries"],
  steps: ["enter", "call", "answered"],
});

/** What an address is called in MapGPA: a shared one has the shared bit set. */
const sharedBit = (k: Kernel, f: Frame<Kernel>): number =>
  f.get(v.toPrivate) !== 0 ? 0 : 2 ** (k.cpus.gpaWidth - 1);

/** RETRY names where to go on; a place outside the range, or no progress for long, is a failure. */
const retry = (k: Kernel, f: Frame<Kernel>, regs: Regs): Next => {
  const next = getNumber(regs, R11) - sharedBit(k, f);
  const from = f.get(v.at);
  if (next < from || next >= f.get(v.end)) return f.returns(from);
  f.set(v.retries, next === from ? f.get(v.retries) + 1 : 0);
  f.set(v.at, next);
  return f.get(v.retries) === MAX_RETRIES ? f.returns(next) : at.call;
};

/**
 * tdx_map_gpa(start, end, 1 for private, 0 for shared) in bytes: asks the VMM to convert.
 *
 * Returns end, or the address up to which the VMM says that it converted; behind that anything may be the case. Linux
 * looks at nothing but whether it is the end.
 *
 * @source Linux arch/x86/coco/tdx/tdx.c, tdx_map_gpa; GHCI, TDG.VP.VMCALL<MapGPA>
 */
export const tdxMapGpa = define({
  enter: (_k, f) => {
    f.set(v.at, f.get(v.start));
    return at.call;
  },
  call: (k, f) => {
    const from = f.get(v.at);
    const end = f.get(v.end);
    if (from >= end) return f.returns(end);
    const regs = k.hw.regs(f.vcpu);
    setNumber(regs, RAX, TDG_VP_VMCALL);
    setNumber(regs, RCX, EXPOSED);
    setNumber(regs, R10, 0);
    setNumber(regs, R11, MAP_GPA);
    setNumber(regs, R12, from + sharedBit(k, f));
    setNumber(regs, R13, end - from);
    const status = k.hw.tdcall(f.vcpu);
    // The call always leaves the guest; the answer is in the registers once the vCPU is back.
    return status > 0 ? f.returns(from) : at.answered;
  },
  answered: (k, f) => {
    const regs = k.hw.regs(f.vcpu);
    const code = [lo(regs, R10), hi(regs, R10)] as const;
    setHalves(regs, R10, 0, 0);
    if (code[0] === 0 && code[1] === 0) return f.returns(f.get(v.end));
    if (code[0] === 1 && code[1] === 0) return retry(k, f, regs);
    const failedAt = getNumber(regs, R11) - sharedBit(k, f);
    return f.returns(f.get(v.at) < failedAt && failedAt < f.get(v.end) ? failedAt : f.get(v.at));
  },
});
