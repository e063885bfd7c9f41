import fc from "fast-check";
import { expect, it } from "vitest";
import {
  getBig,
  getNumber,
  hi,
  lo,
  newRegs,
  R8,
  R15,
  RAX,
  RBP,
  RCX,
  REGISTER_NAMES,
  RSP,
  regsOf,
  setBig,
  setHalves,
  setNumber,
} from "./regs.ts";

it("numbers registers as the instruction encoding does", () => {
  expect(REGISTER_NAMES.map((_, i) => REGISTER_NAMES[i])).toEqual(
    "RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15".split(" "),
  );
  expect([RAX, RCX, RSP, RBP, R8, R15].map((r) => REGISTER_NAMES[r])).toEqual(
    "RAX RCX RSP RBP R8 R15".split(" "),
  );
});
it("keeps 64 bits of each register apart from its neighbours", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.integer({ min: 0, max: 15 }), (value, r) => {
      const regs = newRegs();
      setBig(regs, r, value);
      expect(REGISTER_NAMES.map((_, i) => getBig(regs, i))).toEqual(
        REGISTER_NAMES.map((_, i) => (i === r ? value : 0n)),
      );
      expect((BigInt(hi(regs, r)) << 32n) | BigInt(lo(regs, r))).toBe(value);
    }),
  );
});
it("keeps numbers below 2^53 exact and refuses others", () => {
  const regs = newRegs();
  setNumber(regs, RCX, 2 ** 53 - 1);
  expect(getNumber(regs, RCX)).toBe(2 ** 53 - 1);
  expect(() => setNumber(regs, RCX, 2 ** 53)).toThrow("fits 53 bits");
  expect(() => setNumber(regs, RCX, -1)).toThrow("fits 53 bits");
});
it("takes a set by names", () => {
  const regs = regsOf({ RAX: 6, RCX: 0xffff_ffff_ffff_ffffn });
  expect([getBig(regs, RAX), getBig(regs, RCX), getBig(regs, R8)]).toEqual([6n, 2n ** 64n - 1n, 0n]);
  setHalves(regs, RAX, 1, 2);
  expect(getBig(regs, RAX)).toBe(0x2_0000_0001n);
});
