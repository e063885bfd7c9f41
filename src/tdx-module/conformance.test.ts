import { describe, expect, it } from "vitest";
import { getBig, R8, RAX, RCX, RDX } from "../abi/tdx/regs.ts";
import { SEPT_REPORTED } from "../abi/tdx/sept-entry.ts";
import { type Status, statusWord } from "../abi/tdx/status.ts";
import { EEQ_ACCEPT } from "../abi/tdx/td-exit.ts";
import { ACCESS_OK, ACCESS_PF_RSVD, ACCESS_TD_EXIT, access, READ } from "./access.ts";
import { hex, OneTd } from "./one-td.ts";
import { INTERRUPTED, type Outcome, TD_EXIT } from "./outcome.ts";
import { VCPU_STATE, VCPU_WORD } from "./td.ts";

const PAGE_RELEASE = { configFlags: 0x46n };
const A = 0x20_0000;
const rax = (outcome: Outcome): string =>
  statusWord(outcome as Status)
    .toString(16)
    .padStart(16, "0");

/** Takes the vCPU out of the guest by an access to a GPA where nothing is. */
const leave = (one: OneTd, vcpu = 0): void => {
  expect(access(one.td, vcpu, 2 ** 40, READ)).toBe(ACCESS_TD_EXIT);
};
const exitWord = (one: OneTd, register: number): string => hex(one.td.exitRegs(0), register);

/** The vectors of a module of version 1.5.25 without partitioning, by their numbers. */
describe("conformance vector", () => {
  it("1: a reserved bit in RAX is refused", () => {
    const one = new OneTd();
    one.guest[2 * RAX] = 6;
    expect(rax(one.tdcall(6, { RAX: 0x1_0000_0000_0006n }))).toBe("c000010000000000");
    expect(hex(one.guest, RAX)).toBe("c000010000000000");
  });
  it("2: an unknown leaf is refused", () => {
    const one = new OneTd();
    one.tdcall(0x63);
    expect(hex(one.guest, RAX)).toBe("c000010000000000");
  });
  it("3: a PENDING 2 MiB page is accepted and reads as zero", () => {
    const one = new OneTd();
    const frame = one.aug(A, 1);
    one.content.stampRun(frame, 512, 7);
    expect(one.accept(A, 1)).toBe(0);
    expect(one.stateOf(A, 1)).toBe("MAPPED");
    expect(
      Array.from({ length: 512 }, (_, i) => one.content.content(frame + i)).every((tag) => tag === 0),
    ).toBe(true);
  });
  it("4: a 4 KiB accept inside a PENDING 2 MiB page exits with its details", () => {
    const one = new OneTd();
    const frame = one.aug(A, 1);
    one.content.stampRun(frame, 512, 7);
    expect(one.accept(A)).toBe(TD_EXIT);
    const exit = one.td.exitRegs(0);
    expect(EEQ_ACCEPT.decode(getBig(exit, RDX))).toEqual({
      type: 1n,
      requestedLevel: 0n,
      errorLevel: 1n,
      errorState: 2n,
      errorIsLeaf: 1n,
      vm: 0n,
    });
    expect([exitWord(one, RAX), exitWord(one, RCX), exitWord(one, R8)]).toEqual(["30", "2", "200000"]);
    expect([one.stateOf(A, 1), one.content.content(frame)]).toEqual(["PENDING", 7]);
  });
  it("5: a 2 MiB accept over 4 KiB pages tells of the mismatch", () => {
    const one = new OneTd();
    one.aug(A);
    expect(one.accept(A)).toBe(0);
    expect(rax(one.accept(A, 1))).toBe("c0000b0b00000001");
  });
  it("6: a second accept of a 4 KiB page says so and leaves the content", () => {
    const one = new OneTd();
    const frame = one.aug(A);
    one.accept(A);
    one.content.stamp(frame, 9);
    expect(rax(one.accept(A))).toBe("00000b0a00000000");
    expect(one.content.content(frame)).toBe(9);
  });
  it("7: a 4 KiB accept inside an accepted 2 MiB page tells its level", () => {
    const one = new OneTd();
    one.aug(A, 1);
    one.accept(A, 1);
    expect(rax(one.accept(A + 0x5000))).toBe("00000b0a00000001");
  });
  it("8: an accept where nothing is exits, and succeeds once the host has added a page", () => {
    const one = new OneTd();
    one.tables(A);
    expect(one.accept(A)).toBe(TD_EXIT);
    expect(EEQ_ACCEPT.decode(getBig(one.td.exitRegs(0), RDX))).toMatchObject({ type: 1n, errorState: 0n });
    one.aug(A);
    one.enter();
    expect(one.accept(A)).toBe(0);
  });
  it("9: an interrupt during the third chunk keeps the progress in the entry", () => {
    const one = new OneTd();
    const frame = one.aug(A, 1);
    one.content.stampRun(frame, 512, 7);
    one.td.interruptIn(0, 3);
    expect(one.accept(A, 1)).toBe(INTERRUPTED);
    expect(hex(one.guest, RAX)).toBe("6");
    expect(one.stateOf(A, 1)).toBe("PENDING");
    expect(one.td.sept.payloadHere - frame).toBe(3);
    expect([2, 3, 511].map((i) => one.content.content(frame + i))).toEqual([0, 7, 7]);
    one.td.clearInterrupt(0);
    one.content.stamp(frame, 8);
    expect(one.accept(A, 1)).toBe(0);
    expect([0, 3, 511].map((i) => one.content.content(frame + i))).toEqual([8, 0, 0]);
    expect(one.stateOf(A, 1)).toBe("MAPPED");
    expect(one.td.sept.payloadHere).toBe(frame);
  });
  it("10: a blocked PENDING page cannot be accepted", () => {
    const one = new OneTd();
    one.aug(A);
    one.block(A);
    expect(one.accept(A)).toBe(TD_EXIT);
    expect(EEQ_ACCEPT.decode(getBig(one.td.exitRegs(0), RDX))).toMatchObject({
      errorState: 3n,
      errorIsLeaf: 1n,
    });
  });
  it("11: a MAPPED page of a running TD is not removed", () => {
    const one = new OneTd();
    const frame = one.aug(A);
    one.accept(A);
    expect(rax(one.onPage("TDH.MEM.PAGE.REMOVE", A))).toBe("c0000b0600000001");
    expect(hex(one.host, RDX)).toBe("400");
    expect(getBig(one.host, RCX)).toBe(0x8000_0000_0000_04f7n | (BigInt(frame) << 12n));
  });
  it("12: a blocked page is not removed while a vCPU is in the old epoch", () => {
    const one = new OneTd();
    one.aug(A);
    one.block(A);
    expect(rax(one.onPage("TDH.MEM.PAGE.REMOVE", A))).toBe("c0000b0800000001");
    expect(one.track()).toBe(0);
    expect(rax(one.onPage("TDH.MEM.PAGE.REMOVE", A))).toBe("c0000b0800000001");
    expect([hex(one.host, RCX), hex(one.host, RDX)]).toEqual(["0", "0"]);
    leave(one);
    expect(one.onPage("TDH.MEM.PAGE.REMOVE", A)).toBe(0);
  });
  it("13: a second TRACK waits for the vCPU that never left", () => {
    const one = new OneTd();
    one.aug(A);
    one.block(A);
    expect(one.track()).toBe(0);
    expect(rax(one.track())).toBe("8000020100000000");
    leave(one);
    expect(one.track()).toBe(0);
  });
  it("14: a FREE entry is not blocked", () => {
    const one = new OneTd();
    one.tables(A);
    expect(rax(one.block(A))).toBe("c0000b0d00000001");
    expect([hex(one.host, RCX), hex(one.host, RDX)]).toEqual(["8000000000000000", "0"]);
  });
  it("15: blocking twice is information", () => {
    const one = new OneTd();
    one.aug(A);
    one.block(A);
    expect(rax(one.block(A))).toBe("00000b0700000001");
  });
  it("16: a MAPPED 2 MiB page, blocked and tracked, is split into 512 MAPPED pages", () => {
    const one = new OneTd();
    const frame = one.aug(A, 1);
    one.accept(A, 1);
    one.block(A, 1);
    one.track();
    leave(one);
    expect(one.onPage("TDH.MEM.PAGE.DEMOTE", A, 1, { R8: one.takeFrame() * 4096 })).toBe(0);
    expect(one.stateOf(A, 1)).toBe("NL_MAPPED");
    const pages = Array.from(
      { length: 512 },
      (_, i) => `${one.stateOf(A + i * 4096)} ${one.td.sept.payloadHere}`,
    );
    expect(pages).toEqual(Array.from({ length: 512 }, (_, i) => `MAPPED ${frame + i}`));
  });
  it("17: reading a PENDING page with #VE disabled exits with type 6", () => {
    const one = new OneTd();
    one.aug(A);
    expect(access(one.td, 0, A + 0x123, READ)).toBe(ACCESS_TD_EXIT);
    expect([exitWord(one, RAX), exitWord(one, RDX), exitWord(one, R8)]).toEqual(["30", "6", "200000"]);
  });
  it("18: reading where nothing is exits with type 0", () => {
    const one = new OneTd();
    expect(access(one.td, 0, A, READ)).toBe(ACCESS_TD_EXIT);
    expect([exitWord(one, RAX), exitWord(one, RDX)]).toEqual(["30", "0"]);
  });
  it("19: an address bit above the GPA width is a page fault with RSVD", () => {
    const one = new OneTd();
    expect(access(one.td, 0, 2 ** 48 + A, READ)).toBe(ACCESS_PF_RSVD);
    expect(one.td.vcpu(0, VCPU_WORD.STATE)).toBe(VCPU_STATE.ACTIVE);
  });
  it("20: a released page is out of reach until it is accepted, and then zero", () => {
    const one = new OneTd(PAGE_RELEASE);
    const frame = one.aug(A);
    one.accept(A);
    one.content.stamp(frame, 5);
    expect(access(one.td, 0, A, READ)).toBe(ACCESS_OK);
    expect(one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: A })).toBe(0);
    expect(access(one.td, 0, A, READ)).toBe(ACCESS_TD_EXIT);
    one.enter();
    expect(one.accept(A)).toBe(0);
    expect(one.content.content(frame)).toBe(0);
  });
  it("21: releasing a PENDING page tells that it is", () => {
    const one = new OneTd(PAGE_RELEASE);
    one.aug(A);
    expect(rax(one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: A }))).toBe("c0000b0d00000001");
    expect(hex(one.guest, RCX)).toBe("4000000000200000");
  });
  it("22: releasing 2 MiB over 4 KiB pages tells their level", () => {
    const one = new OneTd(PAGE_RELEASE);
    one.aug(A);
    one.accept(A);
    expect(rax(one.tdcall("TDG.MEM.PAGE.RELEASE", { RCX: A + 1 }))).toBe("c0000b0b00000001");
    expect(hex(one.guest, RCX)).toBe("200000");
  });
  it("23: VP.INFO tells width and attributes", () => {
    const one = new OneTd({ vcpus: 2, maxVcpus: 4 });
    expect(one.tdcall("TDG.VP.INFO", {}, 0, 1)).toBe(0);
    expect([RCX, RDX, R8, 9, 10, 11].map((r) => hex(one.guest, r))).toEqual([
      "30",
      "10000000",
      "400000002",
      "1",
      "1",
      "0",
    ]);
  });
  it("24: TD_CTLS bit 0 is fixed in a TD without FLEXIBLE_PENDING_VE", () => {
    const one = new OneTd({ configFlags: 4n });
    const id = 0x1110_0003_0000_0017n;
    expect(rax(one.tdcall("TDG.VM.WR", { RDX: id, R8: 0, R9: 1 }))).toBe("c0000c0300000000");
    expect(rax(one.tdcall("TDG.VM.WR", { RDX: id, R8: 1, R9: 1 }))).toBe("0000000000000000");
  });
});

it("the numbers in the vectors are those of the state table", () => {
  expect([2, 3, 4].map((n) => SEPT_REPORTED.indexOf(n))).toEqual([5, 6, 3]);
});
