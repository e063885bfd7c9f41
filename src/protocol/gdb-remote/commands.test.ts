import { expect, it } from "vitest";
import { gdbCommand, memoryChunk } from "./commands.ts";
import { ALL_THREADS, sameThread, threadIdOf, threadIdText, vcpuOf } from "./thread-id.ts";

const THREAD = { process: 1, thread: 18 };

it.each([
  ["qSupported:multiprocess+;swbreak+", gdbCommand.supported(["multiprocess+", "swbreak+"])],
  ["qSupported", gdbCommand.supported([])],
  ["qXfer:features:read:target.xml:0,ffb", gdbCommand.readFeatures("target.xml", 0, 0xffb)],
  ["g", gdbCommand.readRegisters()],
  ["G00ff10", gdbCommand.writeRegisters(Uint8Array.of(0, 255, 16))],
  ["p10", gdbCommand.readRegister(16)],
  ["P10=f0ff", gdbCommand.writeRegister(16, Uint8Array.of(0xf0, 0xff))],
  ["mffff888140000000,800", gdbCommand.readMemory(0xffff_8881_4000_0000n, 2048)],
  ["M1000,2:90f4", gdbCommand.writeMemory(0x1000, Uint8Array.of(0x90, 0xf4))],
  ["Qqemu.PhyMemMode:1", gdbCommand.physicalMemory(true)],
  ["Qqemu.PhyMemMode:0", gdbCommand.physicalMemory(false)],
  ["Z0,ffffffff81000000,4", gdbCommand.insert("software", 0xffff_ffff_8100_0000n, 4)],
  ["Z1,1000b53,1", gdbCommand.insert("hardware", 0x1000b53n, 1)],
  ["Z2,0,1", gdbCommand.insert("write", 0, 1)],
  ["z3,0,1", gdbCommand.remove("read", 0, 1)],
  ["z4,ffff888140000000,40000000", gdbCommand.remove("access", 0xffff_8881_4000_0000n, 2 ** 30)],
  ["c", gdbCommand.resume()],
  ["s", gdbCommand.step()],
  ["vCont;s:p1.12;c", gdbCommand.vCont([{ action: "step", thread: THREAD }, { action: "continue" }])],
  ["Hgp1.12", gdbCommand.selectForAccess(THREAD)],
  ["Hc-1", gdbCommand.selectForResume(ALL_THREADS)],
  ["qfThreadInfo", gdbCommand.firstThreads()],
  ["qsThreadInfo", gdbCommand.moreThreads()],
  ["D", gdbCommand.detach()],
  ["D;1", gdbCommand.detach(1)],
  ["k", gdbCommand.kill()],
])("%s", (payload, built) => {
  expect(built).toBe(payload);
});

it("an M packet of the longest chunk fits the stub's packets, whatever the address", () => {
  const { read, write } = memoryChunk(0x1000);
  expect(read).toBe(2048);
  const payload = gdbCommand.writeMemory(2n ** 64n - 1n, new Uint8Array(write));
  expect(payload.length + 4).toBeLessThanOrEqual(0x1000);
  expect(write).toBeGreaterThan(2000);
});

it("thread ids are read as stubs write them", () => {
  expect(threadIdOf("p01.02")).toEqual({ process: 1, thread: 2 });
  expect(threadIdOf("1f")).toEqual({ process: 0, thread: 31 });
  expect(threadIdText({ process: 0, thread: 31 })).toBe("1f");
  expect(vcpuOf(threadIdOf("p01.02"))).toBe(1);
  expect(sameThread(THREAD, threadIdOf("p1.12"))).toBe(true);
  for (const text of ["", "p1", "p1.", ".1", "p1.2.3", "xyz", "-1", "123456789"]) {
    expect(() => threadIdOf(text), text).toThrow(/gdb thread id/);
  }
});
