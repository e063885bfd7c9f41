import { describe, expect, it } from "vitest";
import { R8, R9 } from "../abi/tdx/regs.ts";
import { statusText } from "../abi/tdx/status.ts";
import { hex, OneTd, type Operands } from "./one-td.ts";

const A = 0x4000_0000;
const NONE = 2n ** 64n - 1n;
const MARK = 2n ** 63n;

/** A TD with the tables above a 2 MiB entry, and TDH.MEM.SEPT.ADD on that entry. */
const stage = (): { one: OneTd; add: (operands: Operands, version?: number) => string } => {
  const one = new OneTd();
  one.tables(A, 1);
  const add = (operands: Operands, version = 0): string =>
    statusText(one.seamcall("TDH.MEM.SEPT.ADD", { RCX: A + 1, RDX: one.tdr, ...operands }, version));
  return { one, add };
};
const NO_L2 = { R9: NONE, R10: NONE, R11: NONE };

describe("TDH.MEM.SEPT.ADD", () => {
  it("refuses a second table, unless the caller says that one is welcome", () => {
    const { one, add } = stage();
    expect(add({ R8: one.page() })).toBe("SUCCESS");
    const before = one.module.save();
    expect(add({ R8: one.page() })).toBe("EPT_ENTRY_STATE_INCORRECT(RCX)");
    expect(hex(one.host, 2)).toBe("8401");
    expect(add({ R8: one.page(), RDX: one.tdr + 1 })).toBe("SUCCESS");
    expect(one.module.save()).toEqual(before);
  });
  it("does not mind bit 63 of the page, and minds a missing one", () => {
    const { one, add } = stage();
    expect(add({ R8: NONE })).toBe("OPERAND_INVALID(R8)");
    expect(add({ R8: BigInt(one.page()) | MARK })).toBe("SUCCESS");
    expect(add({ R8: NONE, RDX: one.tdr + 1 })).toBe("OPERAND_INVALID(R8)");
    expect(add({ R8: one.page(), RDX: one.tdr + 2 })).toBe("OPERAND_INVALID(RDX)");
  });
  it("tells in version 1 whether the page was used, not needed, or refused", () => {
    const { one, add } = stage();
    const page = one.page();
    expect(add({ R8: page, ...NO_L2 }, 1)).toBe("SUCCESS");
    expect([hex(one.host, R8), hex(one.host, R9)]).toEqual([NONE.toString(16), NONE.toString(16)]);
    const other = BigInt(one.page());
    expect(add({ R8: other, RDX: one.tdr + 1, ...NO_L2 }, 1)).toBe("SUCCESS");
    expect(hex(one.host, R8)).toBe((other | MARK).toString(16));
    expect(add({ R8: other | MARK, ...NO_L2 }, 1)).toBe("EPT_ENTRY_STATE_INCORRECT(RCX)");
    expect(hex(one.host, R8)).toBe(other.toString(16));
  });
  it("takes no new page in version 1 where a table is there, and pages of L2 VMs never", () => {
    const { one, add } = stage();
    expect(add({ R8: NONE, ...NO_L2 }, 1)).toBe("EPT_ENTRY_STATE_INCORRECT(RCX)");
    expect(add({ R8: one.page(), ...NO_L2, R10: one.page() }, 1)).toBe("OPERAND_INVALID(R10)");
    expect(one.stateOf(A, 1)).toBe("FREE");
    expect(add({ R8: one.page(), ...NO_L2 }, 1)).toBe("SUCCESS");
    expect(add({ R8: NONE, ...NO_L2 }, 1)).toBe("SUCCESS");
    expect(add({ R8: one.page() }, 2)).toBe("OPERAND_INVALID(RAX)");
  });
});
