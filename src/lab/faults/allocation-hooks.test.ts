import { expect, it } from "vitest";
import { Call } from "../design/kernel-hooks.ts";
import { CpuForTest } from "../testing/cpu-for-test.ts";
import { ALLOCATOR, AllocationHooks } from "./allocation-hooks.ts";
import { HookChain } from "./hook-chain.ts";

const KERNEL = new Map([
  ["add_memory_resource", 0x1000n],
  ["online_pages", 0x1100n],
  ["__alloc_pages_noprof", 0x1200n],
]);
const [ADD, ONLINE, ALLOC] = [...KERNEL.values()] as [bigint, bigint, bigint];
const CALLER = 0x2000n;
const STACK = 0xc000n + 0x3000n;

const made = async (fails: () => boolean, isOver = () => false) => {
  const cpu = new CpuForTest();
  const control = new HookChain(cpu);
  const hooks = new AllocationHooks({ control, callAt: (at) => new Call(at, control), fails, isOver });
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
  expect(cpu.hooked.sort()).toEqual([ADD, ONLINE].sort());
});

it("when nothing can fail any more nothing is stopped", async () => {
  const cpu = await made(
    () => false,
    () => true,
  );
  await cpu.at(ADD, { rsp: STACK });
  expect(cpu.hooked).toHaveLength(2);
});

it("a kernel that lacks a function is told by the name that all kernels have had", async () => {
  const cpu = new CpuForTest();
  const control = new HookChain(cpu);
  const parts = { control, callAt: (at: Call["cpu"]) => new Call(at, control) };
  const hooks = new AllocationHooks({ ...parts, fails: () => false, isOver: () => false });
  expect(await hooks.install(() => undefined)).toBe(ALLOCATOR.at(-1));
  const without = (lacking: string) => (name: string) => (name === lacking ? undefined : KERNEL.get(name));
  expect(await hooks.install(without("online_pages"))).toBe("online_pages");
});
