import { expect, it } from "vitest";
import { type QemuForTest, qemuInstalled, withQemu } from "../testing/qemu-for-test.ts";
import { loadCode } from "../testing/real-mode-for-test.ts";
import { GdbClient } from "./gdb-client.ts";
import { QmpClient } from "./qmp-client.ts";

const NEEDED = "needs qemu-system-x86_64";

const withBoth = (
  more: readonly string[],
  work: (gdb: GdbClient, qmp: QmpClient, qemu: QemuForTest) => Promise<void>,
): Promise<void> =>
  withQemu(more, async (qemu) => {
    const qmp = await QmpClient.connect(qemu.qmpPath, qemu.connect);
    const gdb = await GdbClient.connect(qemu.gdbPath, qemu.connect);
    await work(gdb, qmp, qemu);
    await gdb.close();
    await qmp.close();
  });

/** nop; nop; jmp CODE */
const LOOP = [0x90, 0x90, 0xeb, 0xfc];

it.skipIf(!qemuInstalled)(`a step passes over a breakpoint that is still set (${NEEDED})`, async () => {
  await withBoth(["-smp", "2"], async (gdb) => {
    await loadCode(gdb, ...LOOP);
    for (const kind of ["hardware", "software"] as const) {
      await gdb.setBreakpoint(kind, 0x1001n);
      await gdb.resume();
      for (const thread of [undefined, { process: 1, thread: 1 }]) {
        await gdb.writeRegister("rip", 0x1001n);
        expect(await gdb.step(thread)).toMatchObject({ kind: "stopped", signal: 5 });
        expect(await gdb.readRegister("rip")).toBe(0x1002n);
      }
      await gdb.clearBreakpoint(kind, 0x1001n);
    }
  });
});

it.skipIf(!qemuInstalled)(`close leaves the guest stopped and its breakpoints set (${NEEDED})`, async () => {
  await withBoth([], async (gdb, qmp, qemu) => {
    await loadCode(gdb, ...LOOP);
    await gdb.setBreakpoint("hardware", 0x1001n);
    await gdb.resume();
    await gdb.close();
    expect(await qmp.execute("query-status")).toMatchObject({ status: "debug" });
    const next = await GdbClient.connect(qemu.gdbPath, qemu.connect);
    expect(next.strayStops).toBe(0);
    await next.clearBreakpoint("hardware", 0x1001n);
    await next.close();
  });
});

it.skipIf(!qemuInstalled)(
  `detach lets the guest run, and a new client stops it again (${NEEDED})`,
  async () => {
    await withBoth([], async (gdb, qmp, qemu) => {
      await loadCode(gdb, ...LOOP);
      await gdb.setBreakpoint("hardware", 0x1001n);
      await gdb.detach();
      expect(await qmp.execute("query-status")).toMatchObject({ status: "running" });
      const stopped = qmp.once("STOP");
      const next = await GdbClient.connect(qemu.gdbPath, qemu.connect);
      await stopped;
      // QEMU says that it stopped, though nobody asked.
      expect(next.strayStops).toBe(1);
      await expect(next.clearBreakpoint("hardware", 0x1001n)).rejects.toThrow(/not there/);
      await next.close();
    });
  },
);

it.skipIf(!qemuInstalled)(
  `every resume and stop is an event of QMP, and QMP's stop ends a resume (${NEEDED})`,
  async () => {
    await withBoth([], async (gdb, qmp) => {
      await loadCode(gdb, ...LOOP);
      const seen: string[] = [];
      qmp.onAny(({ name }) => seen.push(name));
      await gdb.setBreakpoint("hardware", 0x1001n);
      await gdb.resume();
      await gdb.clearBreakpoint("hardware", 0x1001n);
      const resumed = qmp.once("RESUME");
      const running = gdb.resume();
      await resumed;
      await qmp.execute("stop");
      expect(await running).toMatchObject({ kind: "stopped", signal: 2 });
      await qmp.execute("query-status");
      expect(seen).toEqual(["RESUME", "STOP", "RESUME", "STOP"]);
    });
  },
);

it.skipIf(!qemuInstalled)(`a resume during which QEMU quits ends in an exit (${NEEDED})`, async () => {
  await withBoth([], async (gdb, qmp, qemu) => {
    await loadCode(gdb, ...LOOP);
    const running = gdb.resume();
    await qmp.execute("quit");
    expect(await running).toEqual({ kind: "exited", status: 0 });
    await qemu.exited;
    await expect(gdb.readRegisters()).rejects.toThrow(/connection to the gdb stub at .* ended/);
  });
});

it.skipIf(!qemuInstalled)(`a triple fault is an exit where QEMU may not reboot (${NEEDED})`, async () => {
  await withBoth(["-no-reboot"], async (gdb, qmp) => {
    // lidt [2000], a table of no entries; int 3
    await loadCode(gdb, 0x0f, 0x01, 0x1e, 0x00, 0x20, 0xcd, 0x03);
    const shutdown = qmp.once("SHUTDOWN");
    expect(await gdb.resume()).toEqual({ kind: "exited", status: 0 });
    expect((await shutdown).data).toEqual({ guest: true, reason: "guest-reset" });
  });
});

it.skipIf(!qemuInstalled)(`kill ends QEMU, whether the guest rests or runs (${NEEDED})`, async () => {
  for (const runs of [false, true]) {
    await withQemu([], async (qemu) => {
      const gdb = await GdbClient.connect(qemu.gdbPath, qemu.connect);
      await loadCode(gdb, ...LOOP);
      const running = runs ? gdb.resume() : undefined;
      await gdb.kill();
      await qemu.exited;
      if (running !== undefined) await expect(running).rejects.toThrow(/ended: it was closed on this side/);
    });
  }
});
