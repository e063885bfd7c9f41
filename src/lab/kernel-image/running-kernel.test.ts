import { expect, it } from "vitest";
import { qemuInstalled, withQemu } from "../testing/qemu-for-test.ts";
import { NEEDS_KERNEL, realKernels } from "../testing/real-kernel.ts";
import { GdbClient } from "../wire/gdb-client.ts";
import { backtrace, frameText } from "./backtrace.ts";
import { decompressorJump } from "./decompressor-jump.ts";
import { physicalOf } from "./elf-memory.ts";
import { judgeKernel } from "./judge.ts";
import type { KernelImage } from "./kernel-image.ts";
import { loadKernelImage } from "./load.ts";
import { kernelOrc } from "./orc.ts";
import { relocatedPointer } from "./relocations.ts";

const kernels = realKernels();
const image = kernels[0]?.image ?? "";
const runnable = qemuInstalled && kernels.length > 0;

const runTo = async (gdb: GdbClient, address: bigint): Promise<void> => {
  await gdb.setBreakpoint("hardware", address);
  expect(await gdb.resume()).toMatchObject({ kind: "stopped" });
  await gdb.clearBreakpoint("hardware", address);
};

/** Runs the decompressor to its end. Returns how far it moved the kernel's virtual addresses. */
const slideOf = async (gdb: GdbClient, { bzImage, elf }: KernelImage): Promise<bigint> => {
  await runTo(gdb, decompressorJump(bzImage!));
  const moved = (await gdb.readRegister("rax")) - elf.entry;
  const { at, value } = relocatedPointer(elf);
  const bytes = await gdb.readPhysical(Number(physicalOf(elf, at)! + moved), 8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) - value;
};

it.skipIf(!runnable)(
  `a kernel that KASLR moved is found, its symbols and its callers named (needs QEMU, ${NEEDS_KERNEL.slice(1)}`,
  async () => {
    const kernel = await loadKernelImage(image);
    const machine = ["-cpu", "max", "-m", "1G", "-kernel", image, "-append", "panic=-1", "-no-reboot"];
    await withQemu(machine, async (qemu) => {
      const gdb = await GdbClient.connect(qemu.gdbPath, qemu.connect);
      const slide = await slideOf(gdb, kernel);
      const symbols = kernel.symbols.withBase(kernel.symbols.base + slide);
      await runTo(gdb, symbols.addressOf("kernel_randomize_memory")!);
      const registers = await gdb.readRegisters();
      const [rip, rsp, rbp] = ["rip", "rsp", "rbp"].map((name) => registers.read(name)) as [
        bigint,
        bigint,
        bigint,
      ];
      expect(symbols.nearest(rip)).toEqual({ name: "kernel_randomize_memory", offset: 0 });
      if (!judgeKernel(kernel).ok) return;
      const orc = kernelOrc(kernel)!.movedBy(slide);
      const { frames, end } = await backtrace(
        (at) => orc.find(at),
        { rip, rsp, rbp },
        (at, length) => gdb.readMemory(at, length),
      );
      const functions = frames.map((frame) => frameText(symbols, frame).replace(/\+.*/, ""));
      expect(functions.slice(0, 4)).toEqual([
        "kernel_randomize_memory",
        "setup_arch",
        "start_kernel",
        "x86_64_start_reservations",
      ]);
      expect(end).toBe("end of stack");
    });
  },
);
