import fc from "fast-check";
import { expect, it } from "vitest";
import { getBig, newRegs, RAX, setBig } from "./regs.ts";
import {
  isError,
  isFatal,
  isHostRecoverable,
  isNonRecoverable,
  isRecoverable,
  OPERAND_ID,
  STATUS_CODES,
  type Status,
  type StatusName,
  status,
  statusCode,
  statusDetails,
  statusFromRegs,
  statusFromWord,
  statusName,
  statusText,
  statusToRegs,
  statusWord,
  withDetails,
  withoutDetails,
} from "./status.ts";

/** Words worked out by hand from the manual's tables. */
const GOLDEN: readonly [Status, bigint, string][] = [
  [status("SUCCESS"), 0n, "SUCCESS"],
  [status("OPERAND_INVALID", "RAX"), 0xc000_0100_0000_0000n, "OPERAND_INVALID(RAX)"],
  [status("OPERAND_INVALID", "RCX"), 0xc000_0100_0000_0001n, "OPERAND_INVALID(RCX)"],
  [status("OPERAND_BUSY", "RCX"), 0x8000_0200_0000_0001n, "OPERAND_BUSY(RCX)"],
  [status("OPERAND_BUSY", "SEPT_TREE"), 0x8000_0200_0000_0092n, "OPERAND_BUSY(SEPT_TREE)"],
  [status("PREVIOUS_TLB_EPOCH_BUSY"), 0x8000_0201_0000_0000n, "PREVIOUS_TLB_EPOCH_BUSY"],
  [status("NON_RECOVERABLE_TD"), 0x6000_0002_0000_0000n, "NON_RECOVERABLE_TD"],
  [status("NO_VALID_VE_INFO"), 0xc000_0704_0000_0000n, "NO_VALID_VE_INFO"],
  [status("PAGE_ALREADY_ACCEPTED", 1), 0x0000_0b0a_0000_0001n, "PAGE_ALREADY_ACCEPTED(level 1)"],
  [status("PAGE_SIZE_MISMATCH", 1), 0xc000_0b0b_0000_0001n, "PAGE_SIZE_MISMATCH(level 1)"],
  [status("GPA_RANGE_NOT_BLOCKED", "RCX"), 0xc000_0b06_0000_0001n, "GPA_RANGE_NOT_BLOCKED(RCX)"],
  [status("GPA_RANGE_ALREADY_BLOCKED", "RCX"), 0x0000_0b07_0000_0001n, "GPA_RANGE_ALREADY_BLOCKED(RCX)"],
  [status("TLB_TRACKING_NOT_DONE", "RCX"), 0xc000_0b08_0000_0001n, "TLB_TRACKING_NOT_DONE(RCX)"],
  [status("EPT_ENTRY_STATE_INCORRECT", "RCX"), 0xc000_0b0d_0000_0001n, "EPT_ENTRY_STATE_INCORRECT(RCX)"],
  [status("OP_STATE_INCORRECT", 2), 0xc000_0608_0000_0002n, "OP_STATE_INCORRECT(2)"],
  [status("CROSS_TD_TRAP"), 0x9000_0009_0000_0000n, "CROSS_TD_TRAP"],
  [status("METADATA_FIELD_VALUE_NOT_VALID"), 0xc000_0c03_0000_0000n, "METADATA_FIELD_VALUE_NOT_VALID"],
];

it.each(GOLDEN)("%#: packs and prints %s as the manual has it", (packed, word, text) => {
  expect(statusWord(packed)).toBe(word);
  expect(statusFromWord(word)).toBe(packed);
  expect(statusText(packed)).toBe(text);
});
it("packs every status exactly below 2^53", () => {
  for (const name of Object.keys(STATUS_CODES) as StatusName[]) {
    const packed = status(name, 0xffff_ffff);
    expect(Number.isSafeInteger(packed)).toBe(true);
    expect(statusCode(packed)).toBe(STATUS_CODES[name]);
    expect(statusDetails(packed)).toBe(0xffff_ffff);
    expect(statusName(packed)).toBe(name);
  }
});
it("gives no code to two names, and none a reserved bit", () => {
  const codes = Object.values(STATUS_CODES);
  expect(new Set(codes).size).toBe(codes.length);
  expect(codes.filter((code) => (code & 0x0fff_0000) !== 0)).toEqual([]);
});
it("survives the way through RAX", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (raw) => {
      const regs = newRegs();
      setBig(regs, RAX, raw);
      const packed = statusFromRegs(regs);
      expect(packed).toBe(statusFromWord(raw));
      expect(packed === undefined).toBe((raw & 0x0fff_0000_0000_0000n) !== 0n);
      if (packed === undefined) return;
      setBig(regs, RAX, 0xdead_beef_dead_beefn);
      statusToRegs(packed, regs);
      expect(getBig(regs, RAX)).toBe(raw);
    }),
  );
});
it("tells classes by the top bits", () => {
  const tell = (s: Status): boolean[] =>
    [isError, isNonRecoverable, isRecoverable, isFatal, isHostRecoverable].map((is) => is(s));
  expect(tell(status("SUCCESS"))).toEqual([false, false, false, false, false]);
  expect(tell(status("PAGE_ALREADY_ACCEPTED", 1))).toEqual([false, false, false, false, false]);
  expect(tell(status("OPERAND_BUSY"))).toEqual([true, false, true, false, false]);
  expect(tell(status("OPERAND_INVALID"))).toEqual([true, true, false, false, false]);
  expect(tell(status("TD_FATAL"))).toEqual([true, true, false, true, false]);
  expect(tell(status("NON_RECOVERABLE_TD"))).toEqual([false, true, false, true, false]);
  expect(tell(status("HOST_PRIORITY_BUSY_TIMEOUT"))).toEqual([true, false, true, false, true]);
});
it("keeps the number of a code that is in no table, and prints it", () => {
  const linuxNoSeam = statusFromWord(0x8000_ff00_ffff_0000n);
  expect(linuxNoSeam).toBeDefined();
  expect(statusName(linuxNoSeam as Status)).toBe("0x8000ff00ffff0000");
  expect(statusText(linuxNoSeam as Status)).toBe("0x8000ff00ffff0000");
});
it("exchanges details", () => {
  const busy = status("OPERAND_BUSY", "TDR");
  expect(withoutDetails(busy)).toBe(status("OPERAND_BUSY"));
  expect(withDetails(busy, OPERAND_ID.RCX)).toBe(status("OPERAND_BUSY", "RCX"));
  expect(() => status("OPERAND_BUSY", 2 ** 32)).toThrow("fit 32 bits");
});
