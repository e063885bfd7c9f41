import { RAX, RCX, RDX, REGISTER_COUNT, type Regs, setHalves } from "../../abi/tdx/regs.ts";
import { status } from "../../abi/tdx/status.ts";
import { EXIT_REASON } from "../../abi/tdx/td-exit.ts";
import type { TdxModule } from "../module.ts";
import { type Outcome, TD_EXIT_VMCALL } from "../outcome.ts";
import { LAST_EXIT, type Td, VCPU_WORD } from "../td.ts";
import { leaveGuest } from "../td-exit.ts";

const INVALID = status("OPERAND_INVALID", "RCX");

/** RAX, RCX and RSP are never shared. */
const NEVER = (1 << 0) | (1 << 1) | (1 << 4);
const RBP_BIT = 1 << 5;

/**
 * TDG.VP.VMCALL: the guest calls the host and shows it the registers that it chooses.
 *
 * The vCPU leaves the guest behind the instruction; the host's answer arrives at the next TDH.VP.ENTER.
 *
 * @param regs RCX: mask of registers, see `TDVMCALL_CONTROL`
 * @returns TD_EXIT_VMCALL: exit reason 77, RCX the mask, the chosen registers as they are, the others zero;
 *   OPERAND_INVALID(RCX) if a register that is never shared is chosen (RBP too with NO_RBP_MOD) or 63:32 are set
 * @changes the vCPU's exit registers, and that it runs
 * @source TDX module 1.5.25, TDG.VP.VMCALL
 * @missing XMM registers (their mask is passed on)
 */
export const tdgVpVmcall = (_m: TdxModule, td: Td, vcpu: number, regs: Regs): Outcome => {
  const mask = regs[2 * RCX]!;
  const never = td.hasConfigFlag("NO_RBP_MOD") ? NEVER | RBP_BIT : NEVER;
  if ((mask & never) !== 0 || regs[2 * RCX + 1] !== 0) return INVALID;
  leaveGuest(td, vcpu, LAST_EXIT.VMCALL);
  const at = td.vcpuAt(vcpu, VCPU_WORD.EXIT_REGS);
  const exit = td.vcpus;
  exit.fill(0, at, at + 2 * REGISTER_COUNT);
  exit[at + 2 * RAX] = EXIT_REASON.TDCALL;
  exit[at + 2 * RCX] = mask;
  for (let register = RDX; register < REGISTER_COUNT; register++) {
    if ((mask & (1 << register)) === 0) continue;
    exit[at + 2 * register] = regs[2 * register]!;
    exit[at + 2 * register + 1] = regs[2 * register + 1]!;
  }
  return TD_EXIT_VMCALL;
};

/**
 * What the guest finds when the host re-enters a vCPU that left with TDG.VP.VMCALL: RAX zero, RCX the mask,
 * the chosen registers as the host set them, the others as they were.
 *
 * @param host the host's registers at TDH.VP.ENTER
 * @param guest the guest's registers, written
 * @source TDX module 1.5.25, TD entry after TDG.VP.VMCALL
 */
export const finishVmcall = (td: Td, vcpu: number, host: Regs, guest: Regs): void => {
  const mask = td.vcpu(vcpu, VCPU_WORD.EXIT_REGS + 2 * RCX);
  setHalves(guest, RAX, 0, 0);
  setHalves(guest, RCX, mask, 0);
  for (let register = RDX; register < REGISTER_COUNT; register++) {
    if ((mask & (1 << register)) === 0) continue;
    setHalves(guest, register, host[2 * register]!, host[2 * register + 1]!);
  }
};
