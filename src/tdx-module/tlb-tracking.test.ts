import { describe, expect, it } from "vitest";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { access, READ } from "./access.ts";
import { OneTd } from "./one-td.ts";
import { TD_WORD } from "./td.ts";

const A = 0x4000_0000;
const said = (result: Status): string => statusText(result);

describe("TLB tracking", () => {
  it("follows the epochs of two vCPUs that come and go", () => {
    const one = new OneTd({ vcpus: 2, enter: false });
    one.aug(A);
    const leave = (vcpu: number): void => void access(one.td, vcpu, 2 ** 40, READ);
    const remove = (): string => said(one.onPage("TDH.MEM.PAGE.REMOVE", A));
    const counts = (): number[] => [...one.td.words.subarray(TD_WORD.TD_EPOCH, TD_WORD.TD_EPOCH + 3)];
    expect(counts()).toEqual([1, 0, 0]);
    one.enter(0);
    expect(counts()).toEqual([1, 0, 1]);
    one.block(A);
    one.track();
    one.enter(1);
    expect(counts()).toEqual([2, 1, 1]);
    expect(remove()).toBe("TLB_TRACKING_NOT_DONE(RCX)");
    expect(said(one.track())).toBe("PREVIOUS_TLB_EPOCH_BUSY");
    leave(0);
    expect(counts()).toEqual([2, 1, 0]);
    one.enter(0);
    expect(counts()).toEqual([2, 2, 0]);
    expect(said(one.track())).toBe("SUCCESS");
    expect(counts()).toEqual([3, 2, 0]);
    expect(remove()).toBe("SUCCESS");
  });
  it("is over for a block that lies two epochs back, whoever runs", () => {
    const one = new OneTd();
    expect([0, 1, 2, 3, 4].map((bepoch) => one.td.isTracked(bepoch))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    one.track();
    expect([0, 1, 2, 3].map((bepoch) => one.td.isTracked(bepoch))).toEqual([true, false, false, false]);
    access(one.td, 0, 2 ** 40, READ);
    expect([0, 1, 2, 3].map((bepoch) => one.td.isTracked(bepoch))).toEqual([true, true, false, false]);
  });
  it("is needed for unblocking too, and blames what the version blames", () => {
    for (const operand of ["RCX", "SEPT_TREE"] as const) {
      const one = new OneTd({ module: { behaviour: { unblockTrackingOperand: operand } } });
      one.aug(A);
      one.block(A);
      expect(said(one.onPage("TDH.MEM.RANGE.UNBLOCK", A))).toBe(`TLB_TRACKING_NOT_DONE(${operand})`);
      one.track();
      access(one.td, 0, 2 ** 40, READ);
      expect(said(one.onPage("TDH.MEM.RANGE.UNBLOCK", A))).toBe("SUCCESS");
    }
  });
  it("is needed for tables as for pages: their epoch is that of their own page", () => {
    const one = new OneTd();
    one.tables(A, 0);
    one.track();
    access(one.td, 0, 2 ** 40, READ);
    one.enter();
    one.block(A, 1);
    for (const leaf of ["TDH.MEM.SEPT.REMOVE", "TDH.MEM.PAGE.PROMOTE", "TDH.MEM.RANGE.UNBLOCK"] as const) {
      expect(said(one.onPage(leaf, A, 1))).toBe("TLB_TRACKING_NOT_DONE(RCX)");
    }
    one.track();
    access(one.td, 0, 2 ** 40, READ);
    expect(said(one.onPage("TDH.MEM.SEPT.REMOVE", A, 1))).toBe("SUCCESS");
  });
});
