import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findBusybox } from "../kernel-package/host-programs.ts";
import type { KernelFiles } from "../kernel-package/kernel-files.ts";
import { readModules } from "../kernel-package/modules.ts";
import { Qemu } from "../qemu/qemu.ts";
import { qemuInstalled } from "../testing/qemu-for-test.ts";
import { NEEDS_KERNEL, realKernels } from "../testing/real-kernel.ts";
import { type ConnectedAgent, connectAgent } from "./connect-agent.ts";
import { Guest } from "./guest.ts";
import { buildGuestImage } from "./guest-image.ts";

const busybox = (() => {
  try {
    return findBusybox().bytes;
  } catch {
    return undefined;
  }
})();

const kernels = realKernels().filter(({ modules }) => modules !== undefined);
const [kernel] = kernels;
const canBoot = qemuInstalled && busybox !== undefined && kernel !== undefined;
const needs = `(needs QEMU and a static busybox; ${NEEDS_KERNEL.slice(1)}`;

/** A boot takes some seconds, on a busy machine many. */
const PATIENCE = 120_000;
const soon = (): AbortSignal => AbortSignal.timeout(PATIENCE);

const machine = (kernelImage: string, folder: string): string[] => [
  ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
  ...[
    "-machine",
    "q35",
    "-accel",
    "tcg",
    "-cpu",
    "max,vendor=GenuineIntel,-erms,-fsrm",
    "-smp",
    "2",
    "-m",
    "1G",
  ],
  ...["-chardev", `file,id=console,path=${join(folder, "console")}`, "-serial", "chardev:console"],
  ...[
    "-chardev",
    `socket,id=agent,path=${join(folder, "agent")},server=on,wait=off`,
    "-serial",
    "chardev:agent",
  ],
  ...["-kernel", kernelImage, "-initrd", join(folder, "initrd"), "-append", "console=ttyS0 panic=-1"],
];

const MIB = 1024;
const ALL_BYTES = Uint8Array.from({ length: 40_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
let folder = "";
let qemu: Qemu | undefined;
let connected: ConnectedAgent | undefined;
const booted = (): Guest => new Guest(connected!.agent);

/** The image has the kernel and a second image in it, for kexec. */
const guestImage = async (found: KernelFiles, bytes: Uint8Array): Promise<Uint8Array> => {
  const modules = (await readModules(found.modules, ["virtio_mem"])).files;
  const inner = buildGuestImage({ busybox: bytes, modules: new Map() });
  const extraFiles = [
    { path: "kexec/kernel", bytes: readFileSync(found.image) },
    { path: "kexec/initrd", bytes: inner },
  ];
  return buildGuestImage({ busybox: bytes, modules, extraFiles });
};

beforeAll(async () => {
  if (kernel === undefined || busybox === undefined || !canBoot) return;
  folder = mkdtempSync(join(tmpdir(), "tidemark-guest-"));
  writeFileSync(join(folder, "initrd"), await guestImage(kernel, busybox));
  qemu = await Qemu.start(machine(kernel.image, folder));
  connected = await connectAgent(join(folder, "agent"), { patienceMs: PATIENCE });
  await connected.agent.ready(soon());
}, PATIENCE);

afterAll(async () => {
  await connected?.close();
  await qemu?.stop();
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

const inGuest = (name: string, work: (guest: Guest) => Promise<void>): void =>
  it.skipIf(!canBoot)(`${name} ${canBoot ? "" : needs}`.trim(), { timeout: PATIENCE, retry: 1 }, () =>
    work(booted()),
  );

inGuest("a snapshot of a real guest has its memory, its ranges and its blocks", async (guest) => {
  const snapshot = await guest.snapshot(soon());
  expect(snapshot.meminfo.get("MemTotal")).toBeGreaterThan(800 * MIB);
  expect(snapshot.meminfo.get("MemTotal")).toBeLessThan(1024 * MIB);
  // 1 GiB is eight blocks of 128 MiB.
  expect(snapshot.blockBytes).toBe(0x800_0000n);
  expect(snapshot.blocks.map(({ index, state }) => [index, state])).toEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((index) => [index, "online"]),
  );
  const kernelCode = snapshot.iomem.find(({ name }) => name === "Kernel code");
  expect(kernelCode?.depth).toBe(1);
  expect(kernelCode?.start).toBeGreaterThan(0n);
  expect(snapshot.nodes.get(0)?.get("MemTotal")).toBe(snapshot.meminfo.get("MemTotal"));
});

inGuest("memory that is filled is no longer free, and is free again afterwards", async (guest) => {
  const free = async (): Promise<number> => (await guest.snapshot(soon())).meminfo.get("MemFree") ?? 0;
  // A kernel that has just come up still frees what it booted with.
  let before = await free();
  for (let earlier = 0; Math.abs(before - earlier) > MIB; before = await free()) earlier = before;
  await guest.fill("a", 100, { signal: soon() });
  const filled = await free();
  await guest.free("a", soon());
  const after = await free();
  expect(before - filled).toBeGreaterThan(95 * MIB);
  expect(before - filled).toBeLessThan(115 * MIB);
  expect(after - filled).toBeGreaterThan(95 * MIB);
  await expect(guest.fill("b", 4000, { signal: soon() })).rejects.toThrow(
    /cannot fill 4000 MiB as b: MemAvailable was \d+ kB/,
  );
  await expect(guest.fill("b", 4000, { beyondAvailable: true, signal: soon() })).rejects.toThrow(
    /MemAvailable was/,
  );
  expect((await free()) - filled).toBeGreaterThan(95 * MIB);
  await guest.fill("c", 8, { node: 0, signal: soon() });
  await guest.free("c", soon());
});

inGuest("a module is loaded, and again without harm", async (guest) => {
  expect(await guest.virtioMem(soon())).toBeUndefined();
  await guest.loadModules(["virtio_mem"], "", soon());
  expect((await guest.virtioMem(soon()))?.parameters.get("unplug_online")).toBe("Y");
  await guest.loadModules(["virtio_mem"], "", soon());
  expect(await guest.agent.output("lsmod", soon())).toMatch(/^virtio_mem /m);
  const [symbol] = await guest.kallsyms(["virtio_mem_send_plug_request"], soon());
  expect(symbol).toMatchObject({ module: "virtio_mem" });
  await expect(guest.loadModules(["none"], "", soon())).rejects.toThrow(
    /can't open '\/lib\/modules\/none.ko'/,
  );
});

inGuest(
  "files of any bytes come back as they went, also while the kernel prints to its console",
  async (guest) => {
    const { agent } = guest;
    await agent.run("(for i in 1 2 3 4 5 6 7 8; do echo noise $i >/dev/kmsg; done) &", soon());
    await agent.writeFile("/run/bytes", ALL_BYTES, soon());
    expect(Buffer.from(await agent.readFile("/run/bytes", soon())).equals(ALL_BYTES)).toBe(true);
    await agent.writeFile("/run/bytes", new Uint8Array(), soon());
    expect(await agent.readFile("/run/bytes", soon())).toHaveLength(0);
    expect((await guest.dmesg(soon())).some(({ text }) => text === "noise 8")).toBe(true);
  },
);

inGuest("a snippet has its own shell: neither its exit nor its mistakes end the agent", async ({ agent }) => {
  const { status, stdout, stderr } = await agent.run("echo out\necho err >&2\nexit 7", soon());
  expect([status, String(Buffer.from(stdout)), String(Buffer.from(stderr))]).toEqual([7, "out\n", "err\n"]);
  expect((await agent.run("if fi (", soon())).status).not.toBe(0);
  expect((await agent.run("cd /proc; read x; set -e; false", soon())).status).toBe(1);
  await expect(agent.readFile("/none", soon())).rejects.toThrow(
    "read of /none in the guest: cat: can't open '/none'",
  );
});

inGuest("a control file's refusal has the kernel's reason", async (guest) => {
  await guest.setAutoOnline("online_movable", soon());
  expect((await guest.snapshot(soon())).autoOnline).toBe("online_movable");
  await expect(guest.setBlock(0, "offline", soon())).rejects.toThrow(
    /memory0\/state in the guest: .*(busy|Invalid)/,
  );
});

inGuest("a request given up does not disturb those after it", async ({ agent }) => {
  const stop = new AbortController();
  const given = agent.run("sleep 1; echo late", stop.signal);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error("not needed"));
  await expect(given).rejects.toThrow("given up (not needed)");
  expect(await agent.output("echo fresh", soon())).toBe("fresh\n");
});

inGuest("kexec starts another kernel with another agent", async (guest) => {
  const { agent } = guest;
  const before = agent.boot;
  const image = {
    kernel: "/kexec/kernel",
    initrd: "/kexec/initrd",
    commandLine: await guest.commandLine(soon()),
  };
  await expect(guest.kexecLoad({ ...image, kernel: "/none" }, soon())).rejects.toThrow("errno 2");
  await guest.kexecLoad(image, soon());
  expect(await guest.kexecStart(soon())).not.toBe(before);
  await agent.depart("poweroff", soon());
  expect(await qemu?.ended).toMatchObject({ code: 0 });
  await expect(agent.ping(soon())).rejects.toThrow(/^ping: connection to the agent at /);
});
