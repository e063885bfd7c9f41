import {
  getBig,
  newRegs,
  R10,
  R11,
  RAX,
  REGISTER_NAMES,
  type Regs,
  RSP,
  setBig,
} from "../../abi/tdx/regs.ts";
import type { CpuControl, StoppedCpu } from "../cpu/cpu-control.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import type { GuestKernel } from "./guest-kernel.ts";

/** Bytes of the instruction. */
const TDCALL_BYTES = 4n;

/** The registers that TDCALL may read and write, by the debugger's names. */
const NAMES = REGISTER_NAMES.map((name) => name.toLowerCase());

/** A CPU that stands at a TDCALL. */
type Caller = Pick<StoppedCpu, "registers" | "vcpu">;
/** Executes a call of a vCPU: `regs` hold its results afterwards. */
type Serve = (regs: Regs, vcpu: number) => Promise<void>;

const regsFrom = ({ registers }: Caller): Regs => {
  const regs = newRegs();
  for (const [register, name] of NAMES.entries()) setBig(regs, register, registers.read(name));
  return regs;
};

const changedIn = (regs: Regs, { registers }: Caller): RegisterValues => {
  const changed: Record<string, bigint> = {};
  for (const [register, name] of NAMES.entries()) {
    const value = getBig(regs, register);
    if (register !== RSP && value !== registers.read(name)) changed[name] = value;
  }
  return changed;
};

/** TDG.VP.VMCALL for a halt, of the standard set. @source GHCI, Instruction.HLT */
const HLT = 12n;
const isHalt = (regs: Regs): boolean =>
  getBig(regs, RAX) === 0n && getBig(regs, R10) === 0n && getBig(regs, R11) === HLT;

/** Serves one call. A halt ends at once, as if an interrupt had come. @returns the registers that it changes */
export const serveAtStop = async (cpu: Caller, serve: Serve): Promise<RegisterValues> => {
  const regs = regsFrom(cpu);
  if (!isHalt(regs)) await serve(regs, cpu.vcpu);
  return changedIn(regs, cpu);
};

/**
 * Serves the kernel's TDCALLs where they stand, by a breakpoint on each: nothing of the kernel's text is changed, and a
 * call takes some milliseconds. The guest must stand still.
 *
 * @param slide what the kernel's addresses moved by
 */
export const hookTdcalls = async (
  control: Pick<CpuControl, "hook">,
  kernel: Pick<GuestKernel, "tdcallSites">,
  slide: bigint,
  serve: Serve,
): Promise<void> => {
  for (const site of kernel.tdcallSites) {
    const address = site + slide;
    await control.hook(address, async (cpu) => ({
      ...(await serveAtStop(cpu, serve)),
      rip: address + TDCALL_BYTES,
    }));
  }
};
