import fc from "fast-check";
import { expect, it } from "vitest";
import { EEQ, EEQ_ACCEPT, EEQ_TYPE, EPT_VIOLATION, eeqAcceptHi } from "./td-exit.ts";

it("packs the extended qualification of an accept that met a larger PENDING page", () => {
  const eeq = EEQ_ACCEPT.encode({
    type: BigInt(EEQ_TYPE.ACCEPT),
    requestedLevel: 0n,
    errorLevel: 1n,
    errorState: 2n,
    errorIsLeaf: 1n,
    vm: 0n,
  });
  expect(eeq).toBe(0x0000_4088_0000_0001n);
  expect(EEQ.decode(eeq)).toEqual({ type: 1n, info: 0x4088n });
});
it("makes the same high half without bigint", () => {
  fc.assert(
    fc.property(fc.nat(7), fc.nat(7), fc.nat(255), fc.nat(1), (requested, level, state, leaf) => {
      const decoded = EEQ_ACCEPT.decode(BigInt(eeqAcceptHi(requested, level, state, leaf)) << 32n);
      expect(decoded).toEqual({
        type: 0n,
        requestedLevel: BigInt(requested),
        errorLevel: BigInt(level),
        errorState: BigInt(state),
        errorIsLeaf: BigInt(leaf),
        vm: 0n,
      });
    }),
  );
});
it("has read, write and fetch in bits 0 to 2 of the exit qualification", () => {
  expect(EPT_VIOLATION.decode(2n).write).toBe(1n);
  expect(EPT_VIOLATION.decode(0x38n)).toMatchObject({ entryRead: 1n, entryWrite: 1n, entryExec: 1n });
});
