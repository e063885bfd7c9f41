import fc from "fast-check";
import { expect, it } from "vitest";
import { TDG_NAMES, TDH_NAMES } from "../abi/tdx/leaves.ts";
import { getBig, RAX, REGISTER_NAMES } from "../abi/tdx/regs.ts";
import { type Status, statusWord } from "../abi/tdx/status.ts";
import { NotModelled } from "../not-modelled.ts";
import { GIB } from "../units.ts";
import { ACCESS_SHARED, type AccessKind, access } from "./access.ts";
import { OneTd, type Operands } from "./one-td.ts";
import { INTERRUPTED, TD_EXIT, TD_EXIT_VMCALL } from "./outcome.ts";
import { VCPU_STATE, VCPU_WORD } from "./td.ts";

const A = 0x4000_0000;
const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
/** Words that get past the first checks, and words that do not. */
const word = fc.oneof(
  u64,
  fc.constantFrom(
    0n,
    1n,
    2n,
    0xffccn,
    BigInt(A),
    BigInt(A) + 1n,
    BigInt(A) + 2n,
    BigInt(GIB),
    BigInt(GIB) + 4096n,
  ),
  fc.nat(64).map((page) => BigInt(GIB + page * 4096)),
  fc.nat(63).map((bit) => 1n << BigInt(bit)),
);
const operands: fc.Arbitrary<Operands> = fc
  .array(word, { minLength: 15, maxLength: 15 })
  .map((words) => Object.fromEntries(REGISTER_NAMES.slice(1).map((name, i) => [name, words[i]])) as Operands);

const stage = (): OneTd => {
  const one = new OneTd({ configFlags: 0x46n, module: { tdmrs: [{ base: GIB, size: GIB }], maxTds: 4 } });
  one.aug(A, 1);
  one.aug(A + 2 ** 21);
  return one;
};
const isActive = (one: OneTd): boolean => one.td.vcpu(0, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE;

it("no TDCALL throws anything but the name of a leaf that is not written", () => {
  const one = stage();
  fc.assert(
    fc.property(
      fc.oneof(fc.nat(80), fc.nat(0xffff)),
      fc.constantFrom(0, 0, 0, 1, 2, 3, 255),
      operands,
      (leaf, version, regs) => {
        if (!isActive(one)) one.enter();
        try {
          const outcome = one.tdcall(leaf, regs, version);
          if (outcome < 0) expect([TD_EXIT, INTERRUPTED, TD_EXIT_VMCALL]).toContain(outcome);
          else expect(getBig(one.guest, RAX)).toBe(statusWord(outcome as Status));
          expect(isActive(one)).toBe(outcome >= 0);
        } catch (error) {
          expect(error).toBeInstanceOf(NotModelled);
          expect((error as NotModelled).what).toBe(TDG_NAMES.get(leaf));
        }
      },
    ),
    { numRuns: 3000 },
  );
});
it("no SEAMCALL throws anything but the name of what is not written", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(60), fc.constantFrom(0, 0, 0, 1, 2), operands), { maxLength: 25 }),
      (calls) => {
        const one = stage();
        for (const [leaf, version, regs] of calls) {
          try {
            const result = one.seamcall(leaf, regs, version);
            expect(getBig(one.host, RAX)).toBe(statusWord(result));
          } catch (error) {
            expect(error).toBeInstanceOf(NotModelled);
            expect((error as NotModelled).what.split(" ")[0]).toBe(TDH_NAMES.get(leaf));
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});
it("no access throws, whatever the address below 2^53", () => {
  const one = stage();
  const gpa = fc.oneof(
    fc.maxSafeNat(),
    fc.nat(52).map((bit) => 2 ** bit + A),
    fc.nat(2 ** 30).map((n) => A + n),
  );
  fc.assert(
    fc.property(gpa, fc.nat(2), (at, kind) => {
      if (!isActive(one)) one.enter();
      const outcome = access(one.td, 0, at, kind as AccessKind);
      expect(outcome).toBeLessThanOrEqual(ACCESS_SHARED);
    }),
    { numRuns: 1000 },
  );
});
