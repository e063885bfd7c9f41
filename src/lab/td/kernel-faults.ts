import type { CpuControl, CpuInKernel, StoppedCpu } from "../cpu/cpu-control.ts";
import { type PageTables, pageTablesOf } from "../enforce/direct-map-pages.ts";
import type { GuestKernel } from "./guest-kernel.ts";

/**
 * The kernel's function for a page fault that it has no answer to, before it looks for a fixup:
 * (struct pt_regs *regs, unsigned long error_code, unsigned long address). After its return the access is made again.
 *
 * @source Linux arch/x86/mm/fault.c
 */
const NO_ANSWER = "bad_area_nosemaphore";

/** The first function that runs once the direct mapping is made and its own handler stands in the IDT. */
const AFTER_MAPPING = "initmem_init";

/** Bits of a page fault's error code. @source Intel SDM vol. 3, 4.7 */
const FAULT = { present: 1n, user: 4n } as const;

/** struct pt_regs, 8 bytes each. @source Linux arch/x86/include/asm/ptrace.h */
const PT_REGS: readonly string[] = [
  ...["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8"],
  ...["rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss"],
];
const WORD = 8;

/** What an exception has interrupted. */
const interrupted = async ({ vcpu, gdb }: StoppedCpu, address: bigint): Promise<CpuInKernel> => {
  const bytes = await gdb.readMemory(address, WORD * PT_REGS.length);
  const words = new DataView(bytes.buffer, bytes.byteOffset);
  const read = (name: string): bigint => words.getBigUint64(WORD * PT_REGS.indexOf(name), true);
  return { vcpu, gdb, registers: { read } };
};

/**
 * Hooks the kernel's own accesses to pages that are absent.
 *
 * @param faulted is told who touches which virtual address, and says whether the access is to be made again
 * @returns false, and does nothing, if the kernel has no such function
 */
export const hookKernelFaults = async (
  control: CpuControl,
  kernel: GuestKernel,
  slide: bigint,
  faulted: (cpu: CpuInKernel, address: bigint) => Promise<boolean>,
): Promise<boolean> => {
  const handler = kernel.symbol(NO_ANSWER);
  if (handler === undefined || kernel.symbol(AFTER_MAPPING) === undefined) return false;
  await control.hook(handler + slide, async (cpu) => {
    const at = (name: string): bigint => cpu.registers.read(name);
    if ((at("rsi") & (FAULT.present | FAULT.user)) !== 0n) return {};
    if (!(await faulted(await interrupted(cpu, at("rdi")), at("rdx")))) return {};
    const stack = await cpu.gdb.readMemory(at("rsp"), WORD);
    const caller = new DataView(stack.buffer, stack.byteOffset).getBigUint64(0, true);
    return { rip: caller, rsp: at("rsp") + BigInt(WORD) };
  });
  return true;
};

/** Tells which page tables hold the kernel's direct mapping, once it is made. @param then the guest stands still */
export const onceDirectMapIsMade = async (
  control: CpuControl,
  kernel: GuestKernel,
  slide: bigint,
  then: (tables: PageTables) => Promise<void>,
): Promise<void> => {
  const made = kernel.symbol(AFTER_MAPPING);
  if (made === undefined) return;
  await control.hook(
    made + slide,
    async ({ registers }) => {
      await then(pageTablesOf(registers.read("cr3"), registers.read("cr4")));
      return {};
    },
    true,
  );
};
