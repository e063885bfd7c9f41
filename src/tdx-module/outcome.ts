import type { Status } from "../abi/tdx/status.ts";

/**
 * How a TDCALL ended. A `Status` (0 or more): the call completed, RAX holds it, the guest goes on behind the
 * instruction. Or one of the negative constants, after which the guest's registers are as before.
 */
export type Outcome = number;

/** The vCPU left the guest; what the host sees is in the vCPU's exit registers. The instruction repeats. */
export const TD_EXIT = -1;
/** An interrupt is pending: deliver it, then the guest repeats the instruction. */
export const INTERRUPTED = -2;
/** TDG.VP.VMCALL: the vCPU left the guest, whose next instruction is the one behind the call. */
export const TD_EXIT_VMCALL = -3;

/** Whether the call completed with a status. */
export const isStatus = (outcome: Outcome): outcome is Status => outcome >= 0;
