import { expect, it } from "vitest";
import { getBig, R8, R10, RAX, RCX, setBig } from "../../abi/tdx/regs.ts";
import { RegisterBlock } from "../../protocol/gdb-remote/register-block.ts";
import { serveAtStop } from "./breakpoint-trap.ts";

const NAMES = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split(" ");
const PLACES = NAMES.map((name, number) => ({ name, number, offset: 8 * number, bytes: 8 }));
const LAYOUT = {
  registers: PLACES,
  byName: new Map(PLACES.map((place) => [place.name, place])),
  blockBytes: 8 * NAMES.length,
};

const blockOf = (values: { readonly [name: string]: bigint }): RegisterBlock => {
  const bytes = new Uint8Array(LAYOUT.blockBytes);
  const view = new DataView(bytes.buffer);
  for (const { name, offset } of PLACES) view.setBigUint64(offset, values[name] ?? 0n, true);
  return new RegisterBlock(LAYOUT, bytes);
};

it("a call is served with the CPU's registers, and what it changed is told", async () => {
  const registers = blockOf({ rax: 6n, rcx: 0x1234_5678_9000n, r8: 5n, rsp: 9n });
  let seen: unknown;
  const change = await serveAtStop({ registers, vcpu: 2 }, async (regs, vcpu) => {
    seen = [vcpu, getBig(regs, RAX), getBig(regs, RCX), getBig(regs, R8)];
    setBig(regs, RAX, 0xc000_0b0a_0000_0000n);
    setBig(regs, R8, 5n);
    setBig(regs, R10, 7n);
  });
  expect(seen).toEqual([2, 6n, 0x1234_5678_9000n, 5n]);
  expect(change).toEqual({ rax: 0xc000_0b0a_0000_0000n, r10: 7n });
});

it("a halt ends at once and reaches nobody", async () => {
  const registers = blockOf({ r11: 12n, r12: 1n });
  const change = await serveAtStop({ registers, vcpu: 0 }, () => Promise.reject(new Error("served")));
  expect(change).toEqual({});
});
