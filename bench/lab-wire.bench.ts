import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GdbClient } from "../src/lab/wire/gdb-client.ts";
import { bytesOf } from "../src/protocol/gdb-remote/hex-text.ts";
import { encodePacket, PacketDecoder } from "../src/protocol/gdb-remote/packets.ts";
import { figure, heading, median } from "./stopwatch.ts";

/** Times `trip`, median of five runs. CPU time is this process's: on a busy machine it is the steadier figure. */
const measure = async (what: string, count: number, trip: () => Promise<unknown>): Promise<void> => {
  const rates: number[] = [];
  const costs: number[] = [];
  for (let run = 0; run < 5; run++) {
    const cpu = process.cpuUsage();
    const begun = performance.now();
    for (let i = 0; i < count; i++) await trip();
    rates.push((count * 1000) / (performance.now() - begun));
    const { user, system } = process.cpuUsage(cpu);
    costs.push((user + system) / count);
  }
  figure(what, `${Math.round(median(rates))} /s`, `${Math.round(median(costs))} us of CPU each`);
};

/** What one served trap is on the wire: read all registers, write three, go on, and wait for the next stop. */
const serveTrap = async (gdb: GdbClient, rip?: bigint): Promise<void> => {
  const registers = await gdb.readRegisters();
  const next = rip ?? registers.read("rip") + 4n;
  const [, stopped] = gdb.batch(
    () => [gdb.writeRegisters({ rax: 0n, rcx: 53n, rip: next }), gdb.resume()] as const,
  );
  await stopped;
};

const X86 = [
  "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip",
  "eflags cs ss ds es fs gs",
  "rest",
];
const BITS = [64, 32, 3552];
const TARGET = `<target>${X86.map((names, i) =>
  names
    .split(" ")
    .map((name) => `<reg name="${name}" bitsize="${BITS[i]}"/>`)
    .join(""),
).join("")}</target>`;

/** Answers at once, so that what is measured is the client, the sockets and the decoder. */
const stub = (socket: Socket): void => {
  const decoder = new PacketDecoder();
  const answers = new Map(
    Object.entries({
      qS: "PacketSize=1000;vContSupported+",
      qX: `l${TARGET}`,
      qq: "0",
      g: "5a".repeat(608),
      c: "T05thread:p01.01;",
    }).map(([request, payload]) => [request, Buffer.concat([bytesOf("+"), encodePacket(payload)])]),
  );
  const fine = Buffer.concat([bytesOf("+"), encodePacket("OK")]);
  socket.on("data", (chunk) => {
    const replies = decoder.push(chunk).map((frame) => {
      const head = "payload" in frame ? String.fromCharCode(...frame.payload.subarray(0, 2)) : "";
      return answers.get(head) ?? fine;
    });
    socket.write(Buffer.concat(replies));
  });
};

const inProcess = async (folder: string): Promise<void> => {
  const server = createServer(stub);
  const path = join(folder, "stub");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const gdb = await GdbClient.connect(path);
  heading("gdb client against a stub in the same process, whose CPU time counts too");
  await measure("g", 5000, () => gdb.readRegisters());
  await measure("P and c in one write", 5000, () =>
    gdb.batch(() => Promise.all([gdb.writeRegister("rip", 1n), gdb.resume()])),
  );
  await measure("trap: g, then 3 P and c in one write", 5000, () => serveTrap(gdb));
  await gdb.close();
  server.close();
};

const QEMU = "qemu-system-x86_64";
const CODE = 0x1000;

const withQemu = async (folder: string): Promise<void> => {
  heading("gdb client against QEMU under TCG, a loop of one instruction");
  if (spawnSync(QEMU, ["--version"]).status !== 0) return figure("left out", "no QEMU");
  const path = join(folder, "gdb");
  const chardev = `socket,id=gdb,path=${path},server=on,wait=off`;
  const machine = ["-accel", "tcg", "-M", "q35", "-S", "-nodefaults", "-display", "none"];
  const child = spawn(QEMU, [...machine, "-chardev", chardev, "-gdb", "chardev:gdb"], { stdio: "ignore" });
  const ended = once(child, "close");
  try {
    const gdb = await GdbClient.connect(path, { patienceMs: 20_000 });
    await gdb.writePhysical(CODE, Uint8Array.of(0x90, 0xeb, 0xfd)); // nop; jmp CODE
    await gdb.writeRegisters({ cs: 0n, rip: BigInt(CODE) });
    await gdb.setBreakpoint("software", BigInt(CODE));
    await measure("g", 2000, () => gdb.readRegisters());
    await measure("p", 2000, () => gdb.readRegister("rip"));
    await measure("trap: g, then 3 P and c in one write", 1000, () => serveTrap(gdb, BigInt(CODE + 1)));
    await measure("m of 2 KiB", 1000, () => gdb.readPhysical(0, 2048));
    await gdb.close();
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
};

const folder = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
try {
  await inProcess(folder);
  await withQemu(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
