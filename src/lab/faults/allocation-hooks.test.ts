import { expect, it } from "vitest";
import { Call } from "../design/kernel-hooks.ts";
import { CpuForTest } from "../testing/cpu-for-test.ts";
import { ALLOCATOR, AllocationHooks } from "./allocation-hooks.ts";
import { HookChain } from "./hook-chain.ts";
import { KernelSleep } from "./kernel-sleep.ts";

const KERNEL = new Map([
  ["add_memory_resource", 0x1000n],
  ["online_pages", 0x1100n],
  ["__alloc_pages_noprof", 0x1200n],
  ["make_task_dead", 0x1300n],
]);
const [ADD, ONLINE, ALLOC, DEATH] = [0x1000n, 0x1100n, 0x1200n, 0x1300n] as const;
const CALLER = 0x2000n;
const STACK = 0xc000n + 0x3000n;

const [MSLEEP, UDELAY] = [0x5000n, 0x6000n] as const;

const made = async (fails: () => boolean, isOver = () => false, lateNs = 0) => {
  const cpu = new CpuForTest();
  const control = new HookChain(cpu);
  const answer = () => ({ fails: fails(), lateNs });
  const sleep = new KernelSleep(control, MSLEEP, UDELAY);
  const hooks = new AllocationHooks({
    control,
    callAt: (at) => new Call(at, control),
    answer,
    isOver,
    sleep,
  });
  expect(await hooks.install((name) => KERNEL.get(name))).toBeUndefined();
  return cpu;
};

it("only allocations of a thread that adds memory count, and one that fails has no page", async () => {
  let asked = 0;
  const cpu = await made(() => ++asked === 2);
  expect(cpu.hooked).not.toContain(ALLOC);
  cpu.words.set(STACK, CALLER);
  expect(await cpu.at(ADD, { rsp: STACK })).toEqual({});
  const inside = STACK - 0x100n;
  cpu.words.set(inside, 0x3000n);
  expect(await cpu.at(ALLOC, { rsp: STACK + 0x4000n })).toEqual({});
  expect(await cpu.at(ALLOC, { rsp: inside })).toEqual({});
  expect(await cpu.at(ALLOC, { rsp: inside })).toEqual({ rip: 0x3000n, rsp: inside + 8n, rax: 0n });
  expect(asked).toBe(2);
});

it("the kernel is stopped at allocations until the last such thread is through", async () => {
  const cpu = await made(() => false);
  const other = STACK + 0x4000n;
  cpu.words.set(STACK, CALLER);
  await cpu.at(ADD, { rsp: STACK });
  // It onlines what it adds, in the same call.
  cpu.words.set(STACK - 0x80n, CALLER + 1n);
  await cpu.at(ONLINE, { rsp: STACK - 0x80n });
  cpu.words.set(other, CALLER);
  await cpu.at(ONLINE, { rsp: other });
  await cpu.at(CALLER + 1n, { rsp: STACK - 0x78n });
  await cpu.at(CALLER, { rsp: STACK + 8n });
  expect(cpu.hooked).toContain(ALLOC);
  await cpu.at(CALLER, { rsp: other + 8n });
  expect(cpu.hooked.sort()).toEqual([ADD, ONLINE, DEATH].sort());
});

it("a thread that an oops ends adds memory no more, and its stack may be another's", async () => {
  let asked = 0;
  const cpu = await made(() => ++asked > 0);
  cpu.words.set(STACK, CALLER);
  await cpu.at(ADD, { rsp: STACK });
  await cpu.at(DEATH, { rsp: STACK + 0x800n });
  expect(cpu.hooked).not.toContain(ALLOC);
  await cpu.at(ONLINE, { rsp: STACK + 0x4000n });
  await cpu.at(ALLOC, { rsp: STACK });
  expect(asked).toBe(0);
});

it("when nothing can fail any more nothing is stopped", async () => {
  const cpu = await made(
    () => false,
    () => true,
  );
  await cpu.at(ADD, { rsp: STACK });
  expect(cpu.hooked).toHaveLength(3);
});

it("the kernel is stopped at no allocation any more once the last that can fail was made", async () => {
  let left = 2;
  const cpu = await made(
    () => --left === 0,
    () => left === 0,
  );
  cpu.words.set(STACK, CALLER);
  await cpu.at(ADD, { rsp: STACK });
  await cpu.at(ALLOC, { rsp: STACK });
  expect(cpu.hooked).toContain(ALLOC);
  expect(await cpu.at(ALLOC, { rsp: STACK })).toMatchObject({ rax: 0n });
  expect(cpu.hooked).not.toContain(ALLOC);
});

it("a late page is slept for where the allocation may sleep, and then allocated", async () => {
  const cpu = await made(
    () => false,
    () => false,
    30e6,
  );
  cpu.words.set(STACK, CALLER);
  await cpu.at(ADD, { rsp: STACK });
  const asked = { rdi: 0xcc0n, rsi: 9n, rsp: STACK };
  expect(await cpu.at(ALLOC, asked)).toEqual({ rip: MSLEEP, rsp: STACK - 8n, rdi: 30n });
  expect(await cpu.at(MSLEEP, { rsp: STACK })).toMatchObject({ rip: ALLOC, rdi: 0xcc0n, rsi: 9n });
  expect(await cpu.at(ALLOC, asked)).toEqual({});
  // The next one is late again.
  expect(await cpu.at(ALLOC, asked)).toMatchObject({ rip: MSLEEP });
});

it("where nobody may sleep the CPU spins, as often as it takes, and then there is no page", async () => {
  const cpu = await made(
    () => true,
    () => false,
    250e6,
  );
  cpu.words.set(STACK, CALLER);
  await cpu.at(ADD, { rsp: STACK });
  const spin = (rdi: bigint) => ({ rip: UDELAY, rsp: STACK - 8n, rdi });
  expect(await cpu.at(ALLOC, { rdi: 0x920n, rsp: STACK })).toEqual(spin(100_000n));
  expect(await cpu.at(UDELAY, { rsp: STACK })).toEqual(spin(100_000n));
  expect(await cpu.at(UDELAY, { rsp: STACK })).toEqual(spin(50_000n));
  expect(await cpu.at(UDELAY, { rsp: STACK })).toEqual({ rip: CALLER, rsp: STACK + 8n, rax: 0n });
  expect(cpu.hooked).not.toContain(UDELAY);
});

it("a kernel that lacks a function is told by the name that all kernels have had", async () => {
  const cpu = new CpuForTest();
  const control = new HookChain(cpu);
  const parts = { control, callAt: (at: Call["cpu"]) => new Call(at, control) };
  const hooks = new AllocationHooks({
    ...parts,
    answer: () => ({ fails: false, lateNs: 0 }),
    isOver: () => false,
  });
  expect(await hooks.install(() => undefined)).toBe(ALLOCATOR.at(-1));
  const without = (lacking: string) => (name: string) => (name === lacking ? undefined : KERNEL.get(name));
  expect(await hooks.install(without("online_pages"))).toBe("online_pages");
});
