import { getNumber, hi, lo, RAX, RCX } from "../../abi/tdx/regs.ts";
import { EXIT_GPA, type SnpGuest } from "../snp-guest.ts";

/** The exit record of a vCPU in numbers. */
export const exitOf = (guest: SnpGuest, vcpu: number) => {
  const regs = guest.exits[vcpu]!;
  return {
    code: getNumber(regs, RAX),
    high: hi(regs, RCX),
    low: lo(regs, RCX),
    gpa: getNumber(regs, EXIT_GPA),
  };
};

export const EXIT_REGS = { none: { code: 0, high: 0, low: 0, gpa: 0 } } as const;
