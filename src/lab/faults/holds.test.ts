import { expect, it } from "vitest";
import type { HoldPoint } from "../../check/story/hold-points.ts";
import { LabError } from "../lab-error.ts";
import { CpuForTest } from "../testing/cpu-for-test.ts";
import { Holds } from "./holds.ts";
import { HookChain } from "./hook-chain.ts";

const MSLEEP = 0x5000n;
const UDELAY = 0x6000n;
const SEND = 0x1000n;
const ACCEPT = 0x3000n;
const CALLER = 0x2000n;
const STACK = 0x9000n;

const point = (name: string, at: HoldPoint["at"], sleeps = true): HoldPoint => ({
  ...{ function: name, in: "kernel", at, sleeps },
});
const ADDRESSES = new Map([
  ["send", SEND],
  ["tdx_accept_memory", ACCEPT],
  ["msleep", MSLEEP],
  ["__udelay", UDELAY],
]);

const made = async (...points: readonly HoldPoint[]) => {
  const cpu = new CpuForTest();
  cpu.words.set(STACK, CALLER);
  const holds = new Holds(points);
  await holds.install(new HookChain(cpu), "kernel", (name) => ADDRESSES.get(name));
  return { cpu, holds };
};

it("a thread waits before the call that is meant until it is let go, and has its arguments then", async () => {
  const entry = point("send", "entry");
  const { cpu, holds } = await made(entry);
  const registers = { rax: 1n, rcx: 2n, rdx: 3n, rsi: 4n, rdi: 5n, r8: 6n, r9: 7n, r10: 8n, r11: 9n };
  await cpu.at(SEND, { ...registers, rsp: STACK });
  const held = holds.hold({ point: entry, nth: 2, text: "" }, holds.calls);
  expect(await cpu.at(SEND, { ...registers, rsp: STACK })).toEqual({});
  expect(held.isReached).toBe(false);
  expect(await cpu.at(SEND, { ...registers, rsp: STACK })).toMatchObject({ rip: MSLEEP, rsp: STACK - 8n });
  await held.reached;
  for (let looks = 1; looks < 4; looks++) {
    expect(await cpu.at(MSLEEP, { rsp: STACK })).toMatchObject({ rip: MSLEEP, rsp: STACK - 8n });
    expect(held.looks).toBe(looks);
  }
  held.letGo();
  expect(await cpu.at(MSLEEP, { rsp: STACK })).toEqual({ ...registers, rip: SEND });
  expect(await cpu.at(SEND, { ...registers, rsp: STACK })).toEqual({});
});

it("calls since a deed began count for all places that its thread is held at", async () => {
  const { cpu, holds } = await made(point("send", "return"));
  const since = holds.calls;
  await cpu.at(SEND, { rsp: STACK });
  const held = holds.hold({ point: point("send", "return"), nth: 2, text: "" }, since);
  await cpu.at(SEND, { rsp: STACK });
  expect([held.isReached, await cpu.at(CALLER, { rsp: STACK + 8n, rax: 7n })]).toMatchObject([
    false,
    { rip: MSLEEP },
  ]);
  expect(held.isReached).toBe(true);
  holds.letAllGo();
  held.letGo();
  expect(await cpu.at(MSLEEP, { rsp: STACK + 8n })).toEqual({ rip: CALLER, rax: 7n });
});

it("a thread that is held before a call may be held once more when that call comes back", async () => {
  const points = [point("send", "entry"), point("send", "return")] as const;
  const { cpu, holds } = await made(...points);
  const first = holds.hold({ point: points[0], nth: 1, text: "" }, {});
  expect(await cpu.at(SEND, { rsp: STACK })).toMatchObject({ rip: MSLEEP });
  const second = holds.hold({ point: points[1], nth: 1, text: "" }, {});
  first.letGo();
  expect(await cpu.at(MSLEEP, { rsp: STACK })).toMatchObject({ rip: SEND });
  expect(await cpu.at(CALLER, { rsp: STACK + 8n, rax: 7n })).toMatchObject({ rip: MSLEEP });
  expect(second.isReached).toBe(true);
});

it("a thread that may not sleep spins, in the call that is about the memory that is meant", async () => {
  const entry = point("tdx_accept_memory", "entry", false);
  const { cpu, holds } = await made(entry);
  const held = holds.hold({ point: entry, nth: 1, address: 0x40_0000, text: "" }, holds.calls);
  expect(await cpu.at(ACCEPT, { rsp: STACK, rdi: 0x20_0000n, rsi: 0x40_0000n })).toEqual({});
  expect(await cpu.at(ACCEPT, { rsp: STACK, rdi: 0x20_0000n, rsi: 0x60_0000n })).toMatchObject({
    rip: UDELAY,
  });
  expect([held.isReached, holds.keepsVcpu, holds.commandLine]).toEqual([true, true, ["nohz=off"]]);
});

it("a kernel without the function is refused with its name", async () => {
  const cpu = new CpuForTest();
  const install = new Holds([point("gone", "entry")]).install(new HookChain(cpu), "kernel", (name) =>
    ADDRESSES.get(name),
  );
  await expect(install).rejects.toThrow(LabError);
  await expect(install).rejects.toThrow(/expected a function gone in the kernel/);
});
