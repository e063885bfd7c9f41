import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findBusybox } from "../kernel-package/host-programs.ts";
import type { KernelFiles } from "../kernel-package/kernel-files.ts";
import { readModules } from "../kernel-package/modules.ts";
import { GUEST_PATIENCE_MS, GuestForTest } from "../testing/guest-for-test.ts";
import { qemuInstalled } from "../testing/qemu-for-test.ts";
import { NEEDS_KERNEL, realKernels } from "../testing/real-kernel.ts";
import type { Guest } from "./guest.ts";
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

const MIB = 1024;
const ALL_BYTES = Uint8Array.from({ length: 40_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
let booted: GuestForTest | undefined;

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

/** A test waits longer than the guest may take, which then says what it died of. */
const TIMEOUT = 2 * GUEST_PATIENCE_MS;

beforeAll(async () => {
  if (kernel === undefined || busybox === undefined || !canBoot) return;
  booted = await GuestForTest.boot(kernel.image, await guestImage(kernel, busybox));
}, TIMEOUT);

afterAll(() => booted?.close());

const inGuest = (name: string, work: (guest: Guest, signal: AbortSignal) => Promise<void>): void =>
  it.skipIf(!canBoot)(`${name} ${canBoot ? "" : needs}`.trim(), { timeout: TIMEOUT }, () =>
    booted!.ask(work),
  );

inGuest("a snapshot of a real guest has its memory, its ranges and its blocks", async (guest, signal) => {
  const snapshot = await guest.snapshot(signal);
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

inGuest("memory that is filled is no longer free, and is free again afterwards", async (guest, signal) => {
  const look = async (): Promise<{ shmem: number; free: number }> => {
    const { meminfo } = await guest.snapshot(signal);
    const kept = await guest.agent.output("grep -E '^ +count:' /proc/zoneinfo", signal);
    const pages = [...kept.matchAll(/\d+/g)].reduce((sum, [count]) => sum + Number(count), 0);
    return { shmem: meminfo.get("Shmem") ?? 0, free: (meminfo.get("MemFree") ?? 0) + pages * 4 };
  };
  // Shmem counts the pages of a tmpfs, and the agent's files are some. MemFree leaves out what a CPU keeps for itself,
  // which is tens of MiB after it was given many pages at once.
  const before = await look();
  await guest.fill("a", 100, { signal });
  const filled = await look();
  await guest.free("a", signal);
  const after = await look();
  expect(Math.abs(filled.shmem - before.shmem - 100 * MIB)).toBeLessThan(MIB);
  expect(before.free - filled.free).toBeGreaterThan(90 * MIB);
  expect(Math.abs(after.shmem - before.shmem)).toBeLessThan(MIB);
  expect(after.free - filled.free).toBeGreaterThan(90 * MIB);
  await expect(guest.fill("b", 4000, { signal })).rejects.toThrow(
    /cannot fill 4000 MiB as b: MemAvailable was \d+ kB/,
  );
  await expect(guest.fill("b", 4000, { beyondAvailable: true, signal })).rejects.toThrow(/MemAvailable was/);
  expect(Math.abs((await look()).shmem - before.shmem)).toBeLessThan(MIB);
  await guest.fill("c", 8, { node: 0, signal });
  await guest.free("c", signal);
});

inGuest("a module is loaded, and again without harm", async (guest, signal) => {
  expect(await guest.virtioMem(signal)).toBeUndefined();
  await guest.loadModules(["virtio_mem"], "", signal);
  expect((await guest.virtioMem(signal))?.parameters.get("unplug_online")).toBe("Y");
  await guest.loadModules(["virtio_mem"], "", signal);
  expect(await guest.agent.output("lsmod", signal)).toMatch(/^virtio_mem /m);
  const [symbol] = await guest.kallsyms(["virtio_mem_send_plug_request"], signal);
  expect(symbol).toMatchObject({ module: "virtio_mem" });
  await expect(guest.loadModules(["none"], "", signal)).rejects.toThrow(
    /can't open '\/lib\/modules\/none.ko'/,
  );
});

inGuest(
  "files of any bytes come back as they went, also while the kernel prints to its console",
  async (guest, signal) => {
    const { agent } = guest;
    await agent.run("(for i in 1 2 3 4 5 6 7 8; do echo noise $i >/dev/kmsg; done) &", signal);
    await agent.writeFile("/run/bytes", ALL_BYTES, signal);
    expect(Buffer.from(await agent.readFile("/run/bytes", signal)).equals(ALL_BYTES)).toBe(true);
    await agent.writeFile("/run/bytes", new Uint8Array(), signal);
    expect(await agent.readFile("/run/bytes", signal)).toHaveLength(0);
    // Who prints is another process, in its own time; one that never does ends by the guest's patience.
    while (!(await guest.dmesg(signal)).some(({ text }) => text === "noise 8"));
  },
);

inGuest(
  "a snippet has its own shell: neither its exit nor its mistakes end the agent",
  async ({ agent }, signal) => {
    const { status, stdout, stderr } = await agent.run("echo out\necho err >&2\nexit 7", signal);
    expect([status, String(Buffer.from(stdout)), String(Buffer.from(stderr))]).toEqual([7, "out\n", "err\n"]);
    expect((await agent.run("if fi (", signal)).status).not.toBe(0);
    expect((await agent.run("cd /proc; read x; set -e; false", signal)).status).toBe(1);
    await expect(agent.readFile("/none", signal)).rejects.toThrow(
      "read of /none in the guest: cat: can't open '/none'",
    );
  },
);

inGuest("a control file's refusal has the kernel's reason", async (guest, signal) => {
  await guest.setAutoOnline("online_movable", signal);
  expect((await guest.snapshot(signal)).autoOnline).toBe("online_movable");
  await expect(guest.setBlock(0, "offline", signal)).rejects.toThrow(
    /memory0\/state in the guest: .*(busy|Invalid)/,
  );
});

inGuest("a request given up does not disturb those after it", async ({ agent }, signal) => {
  const stop = new AbortController();
  const given = agent.run("sleep 1; echo late", stop.signal);
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error("not needed"));
  await expect(given).rejects.toThrow("given up (not needed)");
  expect(await agent.output("echo fresh", signal)).toBe("fresh\n");
});

inGuest("kexec starts another kernel with another agent", async (guest, signal) => {
  const { agent } = guest;
  const before = agent.boot;
  const image = {
    kernel: "/kexec/kernel",
    initrd: "/kexec/initrd",
    commandLine: await guest.commandLine(signal),
  };
  await expect(guest.kexecLoad({ ...image, kernel: "/none" }, signal)).rejects.toThrow("errno 2");
  await guest.kexecLoad(image, signal);
  expect(await guest.kexecStart(signal)).not.toBe(before);
  await agent.depart("poweroff", signal);
  expect(await booted?.machine.qemu.ended).toMatchObject({ code: 0 });
  await expect(agent.ping(signal)).rejects.toThrow(/^ping: connection to the agent at /);
});
