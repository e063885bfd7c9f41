import { expect, it } from "vitest";
import { CpuForTest } from "../testing/cpu-for-test.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import { HookChain } from "./hook-chain.ts";

const F = 0x1000n;

const made = () => {
  const cpu = new CpuForTest();
  const chain = new HookChain(cpu);
  const asked: string[] = [];
  const saying =
    (what: string, change: RegisterValues = {}) =>
    async ({ registers }: { readonly registers: { read(name: string): bigint } }) => {
      asked.push(`${what} rax=${registers.read("rax")}`);
      return change;
    };
  return { cpu, chain, asked, saying };
};

it("hooks of one instruction are asked in turn, each with what those before it changed, until one leads the CPU away", async () => {
  const { cpu, chain, asked, saying } = made();
  for (const hook of [saying("a", { rax: 1n }), saying("b", { rip: 7n }), saying("c")])
    await chain.hook(F, hook);
  expect(await cpu.at(F, { rsp: 8n })).toEqual({ rax: 1n, rip: 7n });
  expect(asked).toEqual(["a rax=0", "b rax=1"]);
});

it("a thread that was led away for a while goes on behind the hook that did it; others begin at the first", async () => {
  const { cpu, chain, asked, saying } = made();
  await chain.hook(F, saying("a"));
  await chain.hook(F, async (stopped) => {
    chain.again();
    return saying("b", { rip: 7n })(stopped);
  });
  await chain.hook(F, saying("c"));
  await cpu.at(F, { rsp: 8n });
  await cpu.at(F, { rsp: 16n });
  expect(asked.splice(0)).toEqual(["a rax=0", "b rax=0", "a rax=0", "b rax=0"]);
  await cpu.at(F, { rsp: 8n });
  expect(asked.splice(0)).toEqual(["c rax=0"]);
  await cpu.at(F, { rsp: 8n });
  expect(asked).toEqual(["a rax=0", "b rax=0"]);
});

it("calls that come back to one place are told apart by their stacks, in any order", async () => {
  const { cpu, chain, asked, saying } = made();
  await chain.back(F, 8n, saying("first"));
  await chain.back(F, 16n, saying("second"));
  await cpu.at(F, { rsp: 24n });
  await cpu.at(F, { rsp: 16n });
  await cpu.at(F, { rsp: 16n });
  expect([asked.splice(0), cpu.hooked]).toEqual([["second rax=0"], [F]]);
  await cpu.at(F, { rsp: 8n });
  expect([asked, cpu.hooked]).toEqual([["first rax=0"], []]);
});

it("of several who wait for one call the innermost is asked first, and the next once it is there", async () => {
  const { cpu, chain, asked, saying } = made();
  await chain.back(F, 8n, saying("outer"));
  await chain.back(F, 8n, saying("middle", { rax: 3n }));
  await chain.back(F, 8n, saying("inner", { rip: 7n }));
  expect(await cpu.at(F, { rsp: 8n })).toEqual({ rip: 7n });
  expect(await cpu.at(F, { rsp: 8n, rax: 2n })).toEqual({ rax: 3n });
  expect([asked, cpu.hooked]).toEqual([["inner rax=0", "middle rax=2", "outer rax=3"], []]);
});

it("hooks that were taken away are asked no more", async () => {
  const { cpu, chain, saying } = made();
  await chain.hook(F, saying("a"));
  await chain.unhook(F);
  await chain.unhook(F);
  expect(cpu.hooked).toEqual([]);
});
