import { describe, expect, it } from "vitest";
import { RCX } from "../abi/tdx/regs.ts";
import { statusText } from "../abi/tdx/status.ts";
import { hex, OneTd } from "./one-td.ts";

const A = 0x4000_0000;
const PAGES = 512;

/** A TD being built with a 2 MiB page, and what splits and merges it. */
const stage = (): { one: OneTd; frame: number; split: () => string; merge: () => string } => {
  const one = new OneTd({ finalize: false });
  const frame = one.aug(A, 1);
  return {
    one,
    frame,
    split: () => statusText(one.onPage("TDH.MEM.PAGE.DEMOTE", A, 1, { R8: one.takeFrame() * 4096 })),
    merge: () => statusText(one.onPage("TDH.MEM.PAGE.PROMOTE", A, 1)),
  };
};

describe("page sizes", () => {
  it("go down and up again, and the table's page comes back", () => {
    const { one, frame, split, merge } = stage();
    expect(split()).toBe("SUCCESS");
    one.stateOf(A, 1);
    const table = one.td.sept.tableFrameHere;
    expect([one.stateOf(A + 511 * 4096), one.td.sept.payloadHere]).toEqual(["PENDING", frame + 511]);
    expect(merge()).toBe("SUCCESS");
    expect(hex(one.host, RCX)).toBe((table * 4096).toString(16));
    expect([one.stateOf(A, 1), one.td.sept.payloadHere]).toEqual(["PENDING", frame]);
    expect(one.module.pamt.typeAt(table, 0)).toBe(0);
  });
  it("do not go up over pages in different states", () => {
    for (const odd of [0, 1, 511]) {
      const { one, split, merge } = stage();
      split();
      one.block(A + odd * 4096);
      expect([odd, merge()]).toEqual([odd, "EPT_INVALID_PROMOTE_CONDITIONS(RCX)"]);
      one.onPage("TDH.MEM.RANGE.UNBLOCK", A + odd * 4096);
      expect(merge()).toBe("SUCCESS");
    }
  });
  it("do not go up over a gap, or over host pages that are not one aligned run", () => {
    for (const odd of [0, 1, 511]) {
      const { one, split, merge } = stage();
      split();
      one.onPage("TDH.MEM.PAGE.REMOVE", A + odd * 4096);
      expect([odd, merge()]).toEqual([odd, "EPT_INVALID_PROMOTE_CONDITIONS(RCX)"]);
      one.onPage("TDH.MEM.PAGE.AUG", A + odd * 4096, 0, { R8: one.page() });
      expect([odd, merge()]).toEqual([odd, "EPT_INVALID_PROMOTE_CONDITIONS(RCX)"]);
    }
    const one = new OneTd({ finalize: false });
    one.tables(A);
    const first = one.page(1) + 4096;
    for (let i = 0; i < PAGES; i++) one.onPage("TDH.MEM.PAGE.AUG", A + i * 4096, 0, { R8: first + i * 4096 });
    expect(statusText(one.onPage("TDH.MEM.PAGE.PROMOTE", A, 1))).toBe("EPT_INVALID_PROMOTE_CONDITIONS(RCX)");
  });
  it("do not go down without a page for the table, nor into the page itself", () => {
    const { one, frame } = stage();
    const demote = (r8: number): string => statusText(one.onPage("TDH.MEM.PAGE.DEMOTE", A, 1, { R8: r8 }));
    expect([demote(0), demote(frame * 4096), demote(one.tdr)]).toEqual([
      "OPERAND_ADDR_RANGE_ERROR(R8)",
      "PAGE_METADATA_INCORRECT(R8)",
      "PAGE_METADATA_INCORRECT(R8)",
    ]);
    expect(one.stateOf(A, 1)).toBe("PENDING");
  });
  it("reports no tables of L2 VMs in version 1", () => {
    const { one, split } = stage();
    split();
    const operands = { RCX: A + 1, RDX: one.tdr };
    expect(statusText(one.seamcall("TDH.MEM.PAGE.PROMOTE", operands, 1))).toBe("SUCCESS");
    expect([9, 10, 11].map((r) => hex(one.host, r))).toEqual(Array(3).fill("ffffffffffffffff"));
    expect(statusText(one.seamcall("TDH.MEM.PAGE.PROMOTE", operands, 2))).toBe("OPERAND_INVALID(RAX)");
  });
});
