import { expect, it } from "vitest";
import { bitmaps } from "../../designs/bitmaps/bitmaps.ts";
import { DESIGNS } from "../../designs/designs.ts";
import { shared } from "../../designs/shared.ts";
import type { Design } from "../../linux/design.ts";
import { OWN_ANSWER } from "../../machine/faults/fault-calls.ts";
import { FaultPoints } from "../../machine/faults/fault-points.ts";
import { RangeSet } from "../enforce/range-set.ts";
import { HookChain } from "../faults/hook-chain.ts";
import { KernelSleep } from "../faults/kernel-sleep.ts";
import { LabError } from "../lab-error.ts";
import { CpuForTest } from "../testing/cpu-for-test.ts";
import { DesignHooks } from "./design-hooks.ts";

/** Nobody calls anything. */
const STANDING = { back: async () => {}, again: () => {} };
const COMMON = [
  "arch_add_memory",
  "create_memory_block_devices",
  "arch_remove_memory",
  "try_remove_memory",
  "online_pages",
];
const DRIVER = [
  "virtio_mem_send_plug_request",
  "virtio_mem_send_unplug_request",
  "virtio_mem_send_request",
  "virtio_mem_fake_online",
];

/** Installs a design's hooks in a kernel with these functions, and gives those that were hooked. */
const hookedIn = async (functions: readonly string[], design: Design = bitmaps): Promise<string[]> => {
  const addresses = new Map(functions.map((name, index) => [name, BigInt(index)]));
  const hooked: bigint[] = [];
  const hooks = new DesignHooks({
    control: { ...STANDING, hook: async (address) => void hooked.push(address) },
    host: { design, run: () => 0, hidden: new RangeSet() },
    blockBytes: 2 ** 27,
    afterHook: async () => {},
    regionOf: () => ({ start: 0, size: 0 }),
    sync: async () => {},
  });
  await hooks.installInKernel((name) => addresses.get(name));
  if (functions.includes(DRIVER[0]!)) await hooks.installInDriver((name) => addresses.get(name));
  return hooked.map((address) => functions[Number(address)]!);
};

it("where memory is added by a function that others share, that one is hooked", async () => {
  expect(await hookedIn(["add_memory_resource", ...COMMON])).toContain("add_memory_resource");
  const newer = await hookedIn(["add_memory_resource", "__add_memory_resource", ...COMMON]);
  expect(newer).toContain("__add_memory_resource");
  expect(newer).not.toContain("add_memory_resource");
});

it("a kernel that lacks a function is refused, and the line names it", async () => {
  const refused = hookedIn(COMMON);
  await expect(refused).rejects.toThrow(LabError);
  await expect(refused).rejects.toThrow(
    "design bitmaps: expected a function add_memory_resource in the kernel to hook, found none",
  );
});

it.each(DESIGNS.filter((design) => design !== shared).map((design) => [design.name, design] as const))(
  "%s is hooked, if it has anything to hook",
  async (_name, design) => {
    const places = await hookedIn(["add_memory_resource", ...COMMON, ...DRIVER], design);
    expect(places.length > 0).toBe(Object.keys(design.hooks).length > 0);
  },
);

const F = 0x1000n;
const CALLER = 0x2000n;
const MSLEEP = 0x5000n;
const STACK = 0x9000n;

/** A kernel with one function that bitmaps hooks, whose calls are each late by 4 ms. */
const lateIn = async (name: string, result: number) => {
  const cpu = new CpuForTest();
  const control = new HookChain(cpu);
  const rules = [{ call: 0, device: -1, start: 0, end: 1, first: 1, times: 9, rate: 0 }].map((rule) => ({
    ...rule,
    ...{ answer: OWN_ANSWER, lateNs: 4e6, after: 0 },
  }));
  const points = new FaultPoints({ seed: 1, rules });
  const ran: number[] = [];
  const run = (_hook: unknown, _vcpu: number, start = 0): number => {
    ran.push(start);
    points.struck[0]!++;
    return result;
  };
  const hooks = new DesignHooks({
    control,
    host: { design: bitmaps, run, hidden: new RangeSet() },
    blockBytes: 2 ** 27,
    afterHook: async () => {},
    regionOf: () => ({ start: 0, size: 0 }),
    sync: async () => {},
    points,
    sleep: new KernelSleep(control, MSLEEP),
  });
  // The others are where nobody comes.
  await hooks.installInKernel((each) => (each === name ? F : 0x10n));
  await hooks.installInDriver((each) => (each === name ? F : 0x20n));
  cpu.words.set(STACK, CALLER);
  return { cpu, control, ran };
};

it("a thread whose design's call is late sleeps before the function, and those behind the design are asked then", async () => {
  const { cpu, control, ran } = await lateIn("virtio_mem_send_unplug_request", 0);
  const behind: bigint[] = [];
  await control.hook(F, async ({ registers }) => {
    behind.push(registers.read("rsi"));
    return {};
  });
  const asked = { rdi: 1n, rsi: 0x1_0000_0000n, rdx: 0x20_0000n, rsp: STACK };
  expect(await cpu.at(F, asked)).toEqual({ rip: MSLEEP, rsp: STACK - 8n, rdi: 4n });
  expect(behind).toEqual([]);
  const woken = await cpu.at(MSLEEP, { rsp: STACK });
  expect(woken).toMatchObject({ rip: F, rdi: 1n, rsi: 0x1_0000_0000n, rdx: 0x20_0000n });
  expect(await cpu.at(F, asked)).toEqual({});
  expect([ran, behind]).toEqual([[0x1_0000_0000], [0x1_0000_0000n]]);
  // What it does when the function returns is late too.
  expect(await cpu.at(CALLER, { rsp: STACK + 8n, rax: 0n })).toMatchObject({ rip: MSLEEP });
  expect(await cpu.at(MSLEEP, { rsp: STACK + 8n })).toEqual({ rip: CALLER, rax: 0n });
});

it("a function that a late design refuses is not run, and its caller hears so late", async () => {
  const { cpu } = await lateIn("virtio_mem_send_plug_request", -12);
  const asked = { rsi: 0x1_0000_0000n, rdx: 0x20_0000n, rsp: STACK };
  expect(await cpu.at(F, asked)).toMatchObject({ rip: MSLEEP });
  const back = { rip: CALLER, rsp: STACK + 8n, rax: 2n ** 64n - 12n };
  expect(await cpu.at(MSLEEP, { rsp: STACK })).toEqual(back);
});

it("a design with a hook that no function stands for is refused as a whole", async () => {
  const refused = hookedIn(["add_memory_resource", ...COMMON, ...DRIVER], shared);
  await expect(refused).rejects.toThrow(LabError);
  await expect(refused).rejects.toThrow(
    "design shared: expected a function of the kernel for its hook virtioOnline, found none",
  );
});
