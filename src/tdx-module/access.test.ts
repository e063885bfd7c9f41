import { describe, expect, it } from "vitest";
import { hi, lo, R8, R9, R10, R11, R12, RAX, RCX, RDX } from "../abi/tdx/regs.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import {
  ACCESS_DOUBLE_FAULT,
  ACCESS_OK,
  ACCESS_PF_RSVD,
  ACCESS_SHARED,
  ACCESS_TD_EXIT,
  ACCESS_VE,
  access,
  FETCH,
  READ,
  reachableBytes,
  WRITE,
} from "./access.ts";
import { hex, OneTd } from "./one-td.ts";
import { VCPU_STATE, VCPU_WORD } from "./td.ts";

const A = 0x4000_0000;
const withVe = { attributes: 0n };

describe("a guest access", () => {
  it("exits with the kind of access in the qualification, and nothing else in the registers", () => {
    for (const [kind, qualification] of [
      [READ, "1"],
      [WRITE, "2"],
      [FETCH, "4"],
    ] as const) {
      const one = new OneTd();
      expect(access(one.td, 0, A + 0xabc, kind)).toBe(ACCESS_TD_EXIT);
      const exit = one.td.exitRegs(0);
      expect(Array.from({ length: 16 }, (_, r) => hex(exit, r))).toEqual(
        "30 QQ 0 0 0 0 0 0 40000000 0 0 0 0 0 0 0".replace("QQ", qualification).split(" "),
      );
      expect(one.td.vcpu(0, VCPU_WORD.STATE)).toBe(VCPU_STATE.READY);
    }
  });
  it("raises #VE on a PENDING page of a TD that asks for it, with all that the handler needs", () => {
    const one = new OneTd(withVe);
    one.aug(A);
    expect(access(one.td, 0, A + 0xabc, WRITE, 0x8000_1234, 0xffff_8880)).toBe(ACCESS_VE);
    expect(one.td.vcpu(0, VCPU_WORD.STATE)).toBe(VCPU_STATE.ACTIVE);
    expect(one.tdcall("TDG.VP.VEINFO.GET", { R11: 11, R12: 12 })).toBe(0);
    expect([RCX, RDX, R8, R9, R10, R11, R12].map((r) => hex(one.guest, r))).toEqual([
      "30",
      "182",
      "ffff888080001234",
      "40000abc",
      "0",
      "b",
      "c",
    ]);
    expect(statusText(one.tdcall("TDG.VP.VEINFO.GET") as Status)).toBe("NO_VALID_VE_INFO");
    expect([RAX, RCX, RDX, R8, R9, R10].map((r) => hex(one.guest, r))).toEqual(
      "c000070400000000 0 0 0 0 0".split(" "),
    );
  });
  it("tells the category from version 1 of VEINFO.GET on, and two registers more from version 2 on", () => {
    const one = new OneTd(withVe);
    one.aug(A);
    access(one.td, 0, A, READ);
    one.tdcall("TDG.VP.VEINFO.GET", {}, 1);
    expect([lo(one.guest, RCX), hi(one.guest, RCX)]).toEqual([48, 1]);
    access(one.td, 0, A, READ);
    one.tdcall("TDG.VP.VEINFO.GET", { R11: 11, R12: 12 }, 2);
    expect([R11, R12].map((r) => hex(one.guest, r))).toEqual(["0", "0"]);
    expect(statusText(one.tdcall("TDG.VP.VEINFO.GET", { RCX: 1 }, 3) as Status)).toBe("OPERAND_INVALID(RAX)");
    expect(hex(one.guest, RCX)).toBe("0");
  });
  it("is a double fault while the record of the last #VE is not taken", () => {
    const one = new OneTd(withVe);
    one.aug(A);
    expect([1, 2].map(() => access(one.td, 0, A, READ))).toEqual([ACCESS_VE, ACCESS_DOUBLE_FAULT]);
    one.tdcall("TDG.VP.VEINFO.GET");
    expect(hex(one.guest, R9)).toBe(A.toString(16));
  });
  it("never raises #VE where nothing is, or something is blocked", () => {
    const one = new OneTd(withVe);
    expect(access(one.td, 0, A, READ)).toBe(ACCESS_TD_EXIT);
    one.aug(A);
    one.block(A);
    one.enter();
    expect(access(one.td, 0, A, READ)).toBe(ACCESS_TD_EXIT);
    expect(hex(one.td.exitRegs(0), RDX)).toBe("0");
  });
  it("changes from #VE to TD exit when the guest writes TD_CTLS", () => {
    const one = new OneTd(withVe);
    one.aug(A);
    expect(one.tdcall("TDG.VM.WR", { RDX: 0x9110_0003_0000_0017n, R8: 1, R9: 1 })).toBe(0);
    expect(access(one.td, 0, A, READ)).toBe(ACCESS_TD_EXIT);
    expect(hex(one.td.exitRegs(0), RDX)).toBe("6");
  });
  it("with the shared bit is the shared EPT's, whatever the private page is", () => {
    for (const gpaw of [48, 52, 53]) {
      const one = new OneTd({ gpaw });
      one.aug(A);
      expect(access(one.td, 0, A + one.td.sharedBit, READ)).toBe(ACCESS_SHARED);
      expect(one.stateOf(A)).toBe("PENDING");
    }
  });
  it("with a bit above the width is #PF, or #VE where MAXGPA_VIRT asks for it", () => {
    const one = new OneTd();
    for (const gpa of [2 ** 48, 2 ** 51, 2 ** 48 + 2 ** 47])
      expect(access(one.td, 0, gpa, READ)).toBe(ACCESS_PF_RSVD);
    const virt = new OneTd({ configFlags: 0x16n });
    expect(access(virt.td, 0, 2 ** 48, READ)).toBe(ACCESS_VE);
    virt.tdcall("TDG.VP.VEINFO.GET", {}, 1);
    expect([lo(virt.guest, RCX), hi(virt.guest, RCX)]).toEqual([48, 2]);
  });
  it("with a bit above a smaller MAXPA is #PF too", () => {
    const one = new OneTd({ module: { platform: { maxPa: 46 } } });
    expect(access(one.td, 0, 2 ** 46, READ)).toBe(ACCESS_PF_RSVD);
    expect(access(one.td, 0, 2 ** 47, READ)).toBe(ACCESS_SHARED);
    expect(access(one.td, 0, 2 ** 47 + 2 ** 46, READ)).toBe(ACCESS_PF_RSVD);
  });
});

it("tells how far a guest can reach without an exit", () => {
  const one = new OneTd();
  const U = 2 ** 21;
  one.aug(A, 1);
  one.accept(A, 1);
  one.aug(A + U);
  one.aug(A + U + 4096);
  one.accept(A + U);
  expect(reachableBytes(one.td, A + 10, 100)).toBe(100);
  expect(reachableBytes(one.td, A + 10, 10 * U)).toBe(U + 4096 - 10);
  expect(reachableBytes(one.td, A + U + 4096, 1)).toBe(0);
  expect(reachableBytes(one.td, one.td.privateBytes, 1)).toBe(0);
  expect(access(one.td, 0, A + U - 1, READ)).toBe(ACCESS_OK);
});
