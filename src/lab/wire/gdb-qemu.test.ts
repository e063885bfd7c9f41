import { expect, it } from "vitest";
import { vcpuOf } from "../../protocol/gdb-remote/thread-id.ts";
import { type QemuForTest, qemuInstalled, withQemu } from "../testing/qemu-for-test.ts";
import { AT_CODE, CODE, code } from "../testing/real-mode-for-test.ts";
import { GdbClient } from "./gdb-client.ts";

const NEEDED = "needs qemu-system-x86_64";

const withClient = (
  more: readonly string[],
  work: (gdb: GdbClient, qemu: QemuForTest) => Promise<void>,
): Promise<void> =>
  withQemu(more, async (qemu) => {
    const gdb = await GdbClient.connect(qemu.gdbPath, qemu.connect);
    await work(gdb, qemu);
    await gdb.close();
  });

const STOPPED = {
  kind: "stopped",
  signal: 5,
  reason: { kind: "unsaid" },
  thread: { process: 1, thread: 1 },
} as const;

it.skipIf(!qemuInstalled)(
  `QEMU's registers are read at the places of its own description (${NEEDED})`,
  async () => {
    await withClient([], async (gdb) => {
      const registers = await gdb.readRegisters();
      // What a processor starts with, from the manuals: the reset vector F000:FFF0, flags 2, CR0 6000_0010.
      expect(registers.read("rip")).toBe(0xfff0n);
      expect(registers.read("cs")).toBe(0xf000n);
      expect(registers.read("eflags")).toBe(2n);
      expect(registers.read("cr0")).toBe(0x6000_0010n);
      expect(registers.read("mxcsr")).toBe(0x1f80n);
      expect(await gdb.readRegister("rip")).toBe(0xfff0n);
      expect(gdb.layout.blockBytes).toBe(608);
    });
  },
);

it.skipIf(!qemuInstalled)(
  `registers written are read back, and the others keep their values (${NEEDED})`,
  async () => {
    await withClient([], async (gdb) => {
      const before = await gdb.readRegisters();
      await gdb.writeRegisters({ rax: 0x1122_3344_5566_7788n, r15: 2n ** 64n - 1n, fs_base: 5n }, before);
      const after = await gdb.readRegisters();
      // The processor is in 16-bit mode: QEMU keeps 32 bits of the general registers, and the bases whole.
      expect(after.read("rax")).toBe(0x5566_7788n);
      expect(after.read("fs_base")).toBe(5n);
      expect(after.read("rip")).toBe(before.read("rip"));
    });
  },
);

it.skipIf(!qemuInstalled)(`instructions written are stepped over one by one (${NEEDED})`, async () => {
  await withClient([], async (gdb) => {
    // inc ax; inc ax; dec bx; jmp $
    await gdb.writePhysical(CODE, code(0x40, 0x40, 0x4b, 0xeb, 0xfe));
    expect(await gdb.readPhysical(CODE, 5)).toEqual(code(0x40, 0x40, 0x4b, 0xeb, 0xfe));
    await gdb.writeRegisters({ ...AT_CODE, rax: 1n, rbx: 0n });
    const steps: [rip: bigint, rax: bigint, rbx: bigint][] = [];
    for (let i = 0; i < 4; i++) {
      expect(await gdb.step()).toEqual(STOPPED);
      const registers = await gdb.readRegisters();
      steps.push([registers.read("rip"), registers.read("rax"), registers.read("rbx")]);
    }
    expect(steps).toEqual([
      [0x1001n, 2n, 0n],
      [0x1002n, 3n, 0n],
      [0x1003n, 3n, 0xffffn],
      [0x1003n, 3n, 0xffffn],
    ]);
  });
});

it.skipIf(!qemuInstalled)(
  `breakpoints stop before their instruction until they are cleared (${NEEDED})`,
  async () => {
    await withClient([], async (gdb) => {
      await gdb.writePhysical(CODE, code(0x90, 0x90, 0xeb, 0xfc)); // nop; nop; jmp CODE
      const batched = gdb.batch(
        () =>
          [
            gdb.setBreakpoint("hardware", 0x1001n),
            gdb.setBreakpoint("software", 0x1002n, 2),
            gdb.writeRegisters(AT_CODE),
            gdb.resume(),
          ] as const,
      );
      expect(await batched[3]).toEqual(STOPPED);
      expect(await gdb.readRegister("rip")).toBe(0x1001n);
      // From a breakpoint's own address QEMU stops again at once; that is why a one-shot one is removed first.
      await gdb.resume();
      expect(await gdb.readRegister("rip")).toBe(0x1001n);
      await gdb.clearBreakpoint("hardware", 0x1001n);
      await gdb.resume();
      expect(await gdb.readRegister("rip")).toBe(0x1002n);
      await gdb.clearBreakpoint("software", 0x1002n, 2);
      await expect(gdb.clearBreakpoint("software", 0x1002n, 2)).rejects.toThrow(
        /answered E22 \(invalid, or not there\)/,
      );
      const running = gdb.resume();
      gdb.interrupt();
      expect(await running).toEqual({ ...STOPPED, signal: 2 });
    });
  },
);

it.skipIf(!qemuInstalled)(
  `a watchpoint's stop names the start of its range, after the access (${NEEDED})`,
  async () => {
    await withClient([], async (gdb) => {
      // mov [0x2345], al; mov bl, [0x2346]; jmp $
      await gdb.writePhysical(CODE, code(0xa2, 0x45, 0x23, 0x8a, 0x1e, 0x46, 0x23, 0xeb, 0xfe));
      await gdb.writePhysical(0x2346, code(0x77));
      await gdb.writeRegisters({ ...AT_CODE, rax: 0x99n });
      const stopped = async (): Promise<[unknown, bigint]> => {
        const stop = await gdb.resume();
        return [stop.kind === "stopped" ? stop.reason : stop, await gdb.readRegister("rip")];
      };
      await gdb.setWatchpoint("write", 0x2000n, 0x1000);
      expect(await stopped()).toEqual([{ kind: "watchpoint", access: "write", address: 0x2000n }, 0x1003n]);
      expect(await gdb.readPhysical(0x2345, 1)).toEqual(code(0x99));
      await gdb.clearWatchpoint("write", 0x2000n, 0x1000);
      await gdb.setWatchpoint("access", 0x2300n, 0x100);
      expect(await stopped()).toEqual([{ kind: "watchpoint", access: "access", address: 0x2300n }, 0x1007n]);
      expect((await gdb.readRegisters()).read("rbx") & 0xffn).toBe(0x77n);
      await gdb.clearWatchpoint("access", 0x2300n, 0x100);
      await expect(gdb.clearWatchpoint("access", 0x2300n, 0x100)).rejects.toThrow(/not there/);
    });
  },
);

it.skipIf(!qemuInstalled)(
  `memory longer than a packet is read and written whole, in either mode (${NEEDED})`,
  async () => {
    await withClient([], async (gdb) => {
      const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) & 0xff);
      await gdb.writePhysical(0x10_0001, bytes);
      expect(await gdb.readPhysical(0x10_0001, bytes.length)).toEqual(bytes);
      // Without paging a virtual address is a physical one.
      expect(await gdb.readMemory(0x10_0001n, bytes.length)).toEqual(bytes);
      await gdb.writeMemory(0x10_0001n, bytes.subarray(1));
      expect(await gdb.readPhysical(0x10_0001, 3)).toEqual(bytes.subarray(1, 4));
      expect(await gdb.readPhysical(0x7fff_0000_0000, 16)).toEqual(new Uint8Array(16));
      expect(await gdb.readPhysical(0, 0)).toEqual(new Uint8Array(0));
    });
  },
);

it.skipIf(!qemuInstalled)(
  `the stop names the vCPU, and one vCPU steps while the other rests (${NEEDED})`,
  async () => {
    await withClient(["-smp", "2"], async (gdb) => {
      const [first, second] = await gdb.threads();
      if (first === undefined || second === undefined) throw new Error("two vCPUs");
      expect([first, second].map(vcpuOf)).toEqual([0, 1]);
      await gdb.writePhysical(CODE, code(0x90, 0xeb, 0xfd)); // nop; jmp CODE
      await gdb.selectThread(first);
      await gdb.writeRegisters(AT_CODE);
      expect(await gdb.step(first)).toEqual(STOPPED);
      expect(await gdb.readRegister("rip")).toBe(0x1001n);
      await gdb.selectThread(second);
      expect(await gdb.readRegister("rip")).toBe(0xfff0n);
      await gdb.setBreakpoint("hardware", 0x1000n);
      const stop = await gdb.resume();
      expect(stop).toEqual(STOPPED);
      // The stop selected the vCPU that stopped.
      expect(await gdb.readRegister("rip")).toBe(0x1000n);
      expect((await gdb.readRegisters()).read("rip")).toBe(0x1000n);
    });
  },
);
