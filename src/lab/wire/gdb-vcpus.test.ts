import { expect, it } from "vitest";
import { vcpuOf } from "../../protocol/gdb-remote/thread-id.ts";
import { qemuInstalled, withQemu } from "../testing/qemu-for-test.ts";
import { AT_CODE, code, loadCode } from "../testing/real-mode-for-test.ts";
import { GdbClient } from "./gdb-client.ts";

const NEEDED = "needs qemu-system-x86_64";

const FIRST = { process: 1, thread: 1 };
const SECOND = { process: 1, thread: 2 };

/** Where the first vCPU loops once it has started the second. */
const PARKED = 0x301e;

/**
 * Runs `work` where the first vCPU is about to start the second one at CODE, which is nop; nop; jmp CODE.
 *
 * lgdt [2000]; mov eax, cr0; or al, 1; mov cr0, eax; mov ax, 8; mov ds, ax;
 * mov dword [FEE00300], C4601 (start-up of all others at page 1); jmp $
 */
const withTwo = (work: (gdb: GdbClient) => Promise<void>): Promise<void> =>
  withQemu(["-smp", "2"], async (qemu) => {
    const gdb = await GdbClient.connect(qemu.gdbPath, qemu.connect);
    await loadCode(gdb, 0x90, 0x90, 0xeb, 0xfc);
    await gdb.writePhysical(
      0x3000,
      code(
        ...[0x0f, 0x01, 0x16, 0x00, 0x20, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0],
        ...[0xb8, 0x08, 0x00, 0x8e, 0xd8, 0x67, 0x66, 0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe],
        ...[0x01, 0x46, 0x0c, 0x00, 0xeb, 0xfe],
      ),
    );
    // At 2000 limit and base of the descriptor table, at 2010 the table: nothing, then all 4 GiB as data.
    await gdb.writePhysical(0x2000, code(15, 0, 0x10, 0x20, 0, 0));
    await gdb.writePhysical(0x2018, code(0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0));
    await gdb.writeRegisters({ ...AT_CODE, rip: 0x3000n });
    await work(gdb);
    await gdb.close();
  });

it.skipIf(!qemuInstalled)(
  `the stop names the vCPU that met the breakpoint, and selects it (${NEEDED})`,
  async () => {
    await withTwo(async (gdb) => {
      await gdb.setBreakpoint("software", 0x1001n);
      const stop = await gdb.resume();
      expect(stop).toMatchObject({ kind: "stopped", signal: 5, thread: SECOND });
      expect(stop.kind === "stopped" && stop.thread !== undefined && vcpuOf(stop.thread)).toBe(1);
      // A start-up at page 1 sets CS to 100: the instruction pointer counts from there.
      expect((await gdb.readRegisters()).read("cs")).toBe(0x100n);
      expect(await gdb.readRegister("rip")).toBe(1n);
      await gdb.selectThread(FIRST);
      expect(await gdb.readRegister("rip")).toBe(BigInt(PARKED));
    });
  },
);

it.skipIf(!qemuInstalled)(`a step of a named vCPU leaves the others where they are (${NEEDED})`, async () => {
  await withTwo(async (gdb) => {
    await gdb.writePhysical(PARKED, code(0x43, 0xeb, 0xfd)); // inc bx; jmp PARKED
    const counted = async (): Promise<bigint> => {
      await gdb.selectThread(FIRST);
      return await gdb.readRegister("rbx");
    };
    await gdb.setBreakpoint("software", 0x1001n);
    await gdb.resume();
    const before = await counted();
    for (let i = 0; i < 30; i++) {
      expect(await gdb.step(SECOND)).toMatchObject({ kind: "stopped", thread: SECOND });
      // 1, nop to 2, jmp to 0, nop to 1, and so on over the breakpoint.
      expect(await gdb.readRegister("rip")).toBe(BigInt([2, 0, 1][i % 3] ?? 0));
    }
    expect(await counted()).toBe(before);
    for (let i = 0; i < 10_000 && (await counted()) === before; i++) {
      await gdb.selectThread(SECOND);
      await gdb.step();
    }
    expect(await counted()).not.toBe(before);
  });
});
