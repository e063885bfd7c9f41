import { expect, it } from "vitest";
import { Call } from "../design/kernel-hooks.ts";
import { LabError } from "../lab-error.ts";
import { CpuForTest } from "../testing/cpu-for-test.ts";
import { HookChain } from "./hook-chain.ts";
import { FOR_EVER_NS, KernelSleep } from "./kernel-sleep.ts";

const MSLEEP = 0x5000n;
const F = 0x1000n;
const CALLER = 0x2000n;
const STACK = 0x9000n;

const made = () => {
  const cpu = new CpuForTest();
  const chain = new HookChain(cpu);
  return { cpu, chain, sleep: new KernelSleep(chain, MSLEEP) };
};

it("where a function is left out the thread sleeps first, and then its caller has the answer", async () => {
  const { cpu, chain, sleep } = made();
  cpu.words.set(STACK, CALLER);
  await chain.hook(F, (stopped) => sleep.instead(new Call(stopped, chain), 20e6, -12));
  expect(await cpu.at(F, { rsp: STACK, rdi: 5n })).toEqual({ rip: MSLEEP, rsp: STACK - 8n, rdi: 20n });
  // msleep() comes back to where it began, with the stack of before.
  expect(cpu.words.get(STACK - 8n)).toBe(MSLEEP);
  expect(await cpu.at(MSLEEP, { rsp: STACK - 8n })).toEqual({});
  const woken = await cpu.at(MSLEEP, { rsp: STACK });
  expect(woken).toEqual({ rip: CALLER, rsp: STACK + 8n, rax: 2n ** 64n - 12n });
  expect(cpu.hooked).toEqual([F]);
});

it("where a function has run the caller has its result later", async () => {
  const { cpu, chain, sleep } = made();
  await chain.back(CALLER, STACK, (stopped) => sleep.afterwards(stopped, 1e6, 7n));
  expect(await cpu.at(CALLER, { rsp: STACK })).toMatchObject({ rip: MSLEEP, rdi: 1n });
  expect(await cpu.at(MSLEEP, { rsp: STACK })).toEqual({ rip: CALLER, rax: 7n });
});

it("before a function the thread keeps its arguments, and is not stopped by the same hook again", async () => {
  const { cpu, chain, sleep } = made();
  let stops = 0;
  await chain.hook(F, (stopped) => {
    stops++;
    return sleep.before(stopped, 3e6);
  });
  const registers = { rax: 1n, rcx: 2n, rdx: 3n, rsi: 4n, rdi: 5n, r8: 6n, r9: 7n, r10: 8n, r11: 9n };
  expect(await cpu.at(F, { ...registers, rsp: STACK })).toEqual({
    rip: MSLEEP,
    rsp: STACK - 8n,
    rdi: 3n,
  });
  expect(await cpu.at(MSLEEP, { rsp: STACK })).toEqual({ ...registers, rip: F });
  expect(await cpu.at(F, { ...registers, rsp: STACK })).toEqual({});
  expect(stops).toBe(1);
});

it("several threads sleep at once, and each wakes to its own", async () => {
  const { cpu, chain, sleep } = made();
  await chain.back(CALLER, 0x100n, (stopped) => sleep.afterwards(stopped, FOR_EVER_NS, 1n));
  await chain.back(CALLER, 0x200n, (stopped) => sleep.afterwards(stopped, 5e6, 2n));
  expect(await cpu.at(CALLER, { rsp: 0x100n })).toMatchObject({ rdi: 0x7fff_ffffn });
  await cpu.at(CALLER, { rsp: 0x200n });
  // Somebody else sleeps for reasons of his own.
  expect(await cpu.at(MSLEEP, { rsp: 0x300n })).toEqual({});
  expect(await cpu.at(MSLEEP, { rsp: 0x200n })).toEqual({ rip: CALLER, rax: 2n });
  expect(cpu.hooked).toEqual([MSLEEP]);
});

it("less than a millisecond is one", async () => {
  const { cpu, chain, sleep } = made();
  await chain.back(CALLER, STACK, (stopped) => sleep.afterwards(stopped, 1000, 0n));
  expect(await cpu.at(CALLER, { rsp: STACK })).toMatchObject({ rdi: 1n });
});

it("a kernel without msleep() is refused", () => {
  const { chain } = made();
  expect(() => KernelSleep.of(chain, () => undefined)).toThrow(LabError);
  expect(() => KernelSleep.of(chain, () => undefined)).toThrow("expected a function msleep in the kernel");
});
