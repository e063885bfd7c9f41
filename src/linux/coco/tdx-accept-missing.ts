import { RESULT_PENDING_HI } from "../../abi/tdx/gpa-mapping.ts";
import { hi, lo, RCX } from "../../abi/tdx/regs.ts";
import { AGAIN } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES } from "../kernel.ts";
import { PLATFORM_OUTCOME, platformResult } from "./platform.ts";
import { LEVEL_BYTES, pageCall, TDG_MEM_PAGE_ACCEPT } from "./tdx-accept.ts";

const TDG_MEM_PAGE_ATTR_RD = 23;

const { v, at, define } = KERNEL_PROCEDURES.declare("tdx_accept_missing", {
  args: ["at", "end"],
  locals: ["level"],
  steps: ["look", "accept"],
});

/** Largest page, not above `level`, that starts at an address and ends by `end`. */
const pageWithin = (level: number, from: number, end: number): number => {
  let fits = level;
  while (fits > 0 && (from % LEVEL_BYTES[fits]! !== 0 || from + LEVEL_BYTES[fits]! > end)) fits--;
  return fits;
};

/**
 * Accepts what of [start, end) bytes is not accepted, and touches nothing else: TDG.MEM.PAGE.ATTR.RD says of each
 * page whether it is PENDING. Where nothing is mapped that call leaves the guest and the VMM maps a page.
 *
 * DONE, or FAILED at the first page that answers with an error; those before it are accepted then.
 *
 * @source TDX module ABI, TDG.MEM.PAGE.ATTR.RD; no kernel does this
 */
export const tdxAcceptMissing = define({
  look: (k, f) => {
    const from = f.get(v.at);
    if (from >= f.get(v.end)) return f.returns(1);
    const status = pageCall(k, f.vcpu, TDG_MEM_PAGE_ATTR_RD, from, 0);
    if (status < 0) return AGAIN;
    if (status !== 0) return f.returns(platformResult(PLATFORM_OUTCOME.FAILED, from));
    const regs = k.hw.regs(f.vcpu);
    const level = lo(regs, RCX) & 7;
    f.set(v.level, pageWithin(level, from, f.get(v.end)));
    if ((hi(regs, RCX) & RESULT_PENDING_HI) !== 0) return at.accept;
    const size = LEVEL_BYTES[level] ?? LEVEL_BYTES[0];
    f.set(v.at, from - (from % size) + size);
    return at.look;
  },
  accept: (k, f) => {
    const from = f.get(v.at);
    const status = pageCall(k, f.vcpu, TDG_MEM_PAGE_ACCEPT, from, f.get(v.level));
    if (status < 0) return AGAIN;
    if (status !== 0) return f.returns(platformResult(PLATFORM_OUTCOME.FAILED, from));
    f.set(v.at, from + LEVEL_BYTES[f.get(v.level)]!);
    return at.look;
  },
});
