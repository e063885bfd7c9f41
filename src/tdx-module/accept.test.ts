import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { getBig, RAX, RCX, RDX } from "../abi/tdx/regs.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { ACCESS_OK, access, READ } from "./access.ts";
import { hex, OneTd } from "./one-td.ts";
import { INTERRUPTED, TD_EXIT } from "./outcome.ts";
import { VCPU_WORD } from "./td.ts";

const A = 0x4000_0000;
const answer = (outcome: number): string => (outcome < 0 ? `${outcome}` : statusText(outcome as Status));

describe("TDG.MEM.PAGE.ACCEPT", () => {
  it.each([
    ["1 GiB", A + 2],
    ["level 7", A + 7],
    ["a reserved bit of 11:3", A + 0x800],
    ["a reserved bit of 63:52", 2n ** 52n + BigInt(A)],
    ["bit 63", 2n ** 63n + BigInt(A)],
    ["a shared GPA", 2 ** 47 + A],
    ["a GPA above the width", 2 ** 48 + A],
    ["2 MiB off its alignment", A + 0x1000 + 1],
  ])("refuses %s as OPERAND_INVALID(RCX)", (_what, rcx) => {
    const one = new OneTd();
    one.aug(A, 1);
    expect(answer(one.tdcall("TDG.MEM.PAGE.ACCEPT", { RCX: rcx }))).toBe("OPERAND_INVALID(RCX)");
    expect(one.stateOf(A, 1)).toBe("PENDING");
  });
  it("tries 1 GiB, 2 MiB and 4 KiB as Linux does, and ends with the host's size", () => {
    const one = new OneTd();
    one.aug(A);
    expect([2, 1, 0].map((level) => answer(one.accept(A, level)))).toEqual([
      "OPERAND_INVALID(RCX)",
      "PAGE_SIZE_MISMATCH(level 1)",
      "SUCCESS",
    ]);
  });
  it("keeps registers that it does not define", () => {
    const one = new OneTd();
    one.aug(A);
    const before = { RCX: A, RDX: 2n, RBX: 3n, R8: 8n, R15: 0xffff_ffff_ffff_ffffn };
    one.tdcall("TDG.MEM.PAGE.ACCEPT", before);
    expect([RAX, RCX, RDX, 3, 8, 15].map((r) => getBig(one.guest, r))).toEqual([
      0n,
      BigInt(A),
      2n,
      3n,
      8n,
      0xffff_ffff_ffff_ffffn,
    ]);
  });
  it("tells the host the level at which a table is missing", () => {
    const one = new OneTd();
    expect(one.accept(A)).toBe(TD_EXIT);
    expect(hex(one.td.exitRegs(0), RDX)).toBe("1800000001");
    one.enter();
    one.tables(A, 1);
    expect(one.accept(A, 1)).toBe(TD_EXIT);
    expect(hex(one.td.exitRegs(0), RDX)).toBe("900000001");
  });
  it("takes any number of interruptions and zeroes every chunk once", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 8 }), (arrivals) => {
        const one = new OneTd();
        const frame = one.aug(A, 1);
        one.content.stampRun(frame, 512, 7);
        let done = 0;
        for (const polls of arrivals) {
          one.td.interruptIn(0, polls);
          const outcome = one.accept(A, 1);
          if (outcome === 0) return;
          expect(outcome).toBe(INTERRUPTED);
          done += polls;
          expect(one.stateOf(A, 1)).toBe("PENDING");
          expect(one.td.sept.payloadHere - frame).toBe(done);
          expect(one.content.content(frame + done - 1)).toBe(0);
          expect(one.content.content(frame + done)).toBe(7);
          one.td.clearInterrupt(0);
        }
        expect(one.accept(A, 1)).toBe(0);
        expect(one.content.content(frame + 511)).toBe(0);
      }),
    );
  });
  it("goes on one chunk at a time while an interrupt stays undelivered", () => {
    const one = new OneTd();
    const frame = one.aug(A, 1);
    one.td.interruptIn(0, 1);
    for (let chunk = 1; chunk < 512; chunk++) {
      expect(one.accept(A, 1)).toBe(INTERRUPTED);
      one.stateOf(A, 1);
      expect(one.td.sept.payloadHere - frame).toBe(chunk);
    }
    expect(one.accept(A, 1)).toBe(0);
    expect(one.td.vcpu(0, VCPU_WORD.INTERRUPT_IN)).toBe(1);
  });
  it("counts the polls of a whole accept towards an interrupt that comes later", () => {
    const one = new OneTd();
    one.aug(A, 1);
    one.aug(A + 2 ** 21, 1);
    one.td.interruptIn(0, 600);
    expect(one.accept(A, 1)).toBe(0);
    expect(one.td.vcpu(0, VCPU_WORD.INTERRUPT_IN)).toBe(600 - 511);
    expect(one.accept(A + 2 ** 21, 1)).toBe(INTERRUPTED);
    one.stateOf(A + 2 ** 21, 1);
    expect(one.td.sept.payloadHere % 512).toBe(89);
  });
  it("a 4 KiB accept does not look for interrupts", () => {
    const one = new OneTd();
    one.aug(A);
    one.td.interruptIn(0, 1);
    expect(one.accept(A)).toBe(0);
  });
  it.each(["block", "remove", "split"])("starts afresh after a %s in the middle", (how) => {
    const one = new OneTd();
    const frame = one.aug(A, 1);
    one.content.stampRun(frame, 512, 7);
    one.td.interruptIn(0, 100);
    one.accept(A, 1);
    one.td.clearInterrupt(0);
    one.block(A, 1);
    one.stateOf(A, 1);
    expect(one.td.sept.payloadHere).toBe(frame);
    one.track();
    access(one.td, 0, 2 ** 40, READ);
    if (how === "remove") {
      expect(one.onPage("TDH.MEM.PAGE.REMOVE", A, 1)).toBe(0);
      expect(hex(one.host, RCX)).toBe((frame * 4096).toString(16));
      expect(one.onPage("TDH.MEM.PAGE.AUG", A, 1, { R8: frame * 4096 })).toBe(0);
    }
    if (how === "block") one.onPage("TDH.MEM.RANGE.UNBLOCK", A, 1);
    if (how === "split") one.onPage("TDH.MEM.PAGE.DEMOTE", A, 1, { R8: one.takeFrame() * 4096 });
    one.enter();
    one.content.stampRun(frame, 512, 9);
    if (how === "split") for (let i = 0; i < 512; i++) expect(one.accept(A + i * 4096)).toBe(0);
    else expect(one.accept(A, 1)).toBe(0);
    expect([0, 99, 100, 511].map((i) => one.content.content(frame + i))).toEqual([0, 0, 0, 0]);
  });
  it("takes 1 GiB in a module that does, made by merging PENDING pages", () => {
    const one = new OneTd({ finalize: false, module: { behaviour: { acceptMaxLevel: 2 }, maxTds: 1 } });
    one.tables(A, 1);
    const first = one.page(2);
    for (let i = 0; i < 512; i++) {
      const r8 = first + i * 2 ** 21;
      expect(one.onPage("TDH.MEM.PAGE.AUG", A + i * 2 ** 21, 1, { R8: r8 })).toBe(0);
    }
    one.block(A, 2);
    expect(one.onPage("TDH.MEM.PAGE.PROMOTE", A, 2)).toBe(0);
    expect(one.stateOf(A, 2)).toBe("PENDING");
    one.seamcall("TDH.MR.FINALIZE", { RCX: one.tdr });
    one.enter();
    expect(answer(one.accept(A, 1))).toBe("-1");
    one.enter();
    expect(one.accept(A, 2)).toBe(0);
    expect(answer(one.accept(A + 2 ** 21, 1))).toBe("PAGE_ALREADY_ACCEPTED(level 2)");
    expect(access(one.td, 0, A + 2 ** 30 - 1, READ)).toBe(ACCESS_OK);
  });
  it("works in 4- and 5-level trees, up to the last page below the shared bit", () => {
    for (const gpaw of [48, 52, 53, 36]) {
      const one = new OneTd({ gpaw });
      const last = 2 ** (gpaw - 1) - 4096;
      one.aug(last);
      expect([gpaw, answer(one.accept(last)), answer(one.accept(last + 4096))]).toEqual([
        gpaw,
        "SUCCESS",
        "OPERAND_INVALID(RCX)",
      ]);
      expect(one.td.sept.levels).toBe(gpaw > 49 ? 5 : 4);
    }
  });
});
