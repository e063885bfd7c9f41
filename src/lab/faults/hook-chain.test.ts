import { expect, it } from "vitest";
import type { RegisterValues } from "../wire/gdb-client.ts";
import { HookChain, inTurn } from "./hook-chain.ts";

it("hooks of one instruction are asked in turn, until one leads the CPU elsewhere", async () => {
  const asked: string[] = [];
  const saying = (n: number, change: RegisterValues) => async (cpu: string) => {
    asked.push(`${cpu} ${n}`);
    return change;
  };
  const met = inTurn([saying(1, { rbx: 1n }), saying(2, { rip: 7n }), saying(3, { rax: 9n })]);
  expect([await met("vcpu0"), asked]).toEqual([{ rbx: 1n, rip: 7n }, ["vcpu0 1", "vcpu0 2"]]);
});

it("an instruction is hooked once, however many hooks it has; those for one call apart", async () => {
  const hooked: [bigint, boolean][] = [];
  const chain = new HookChain({
    hook: async (address, _hook, once = false) => void hooked.push([address, once]),
  });
  for (const once of [false, false, true]) await chain.hook(1n, async () => ({}), once);
  await chain.hook(2n, async () => ({}));
  expect(hooked).toEqual([
    [1n, false],
    [1n, true],
    [2n, false],
  ]);
});
