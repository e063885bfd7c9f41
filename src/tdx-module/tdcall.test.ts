import { describe, expect, it } from "vitest";
import { TDG, TDG_NAMES } from "../abi/tdx/leaves.ts";
import { newRegs, RAX, RCX, RDX, setHalves } from "../abi/tdx/regs.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { NotModelled } from "../not-modelled.ts";
import { hex, OneTd } from "./one-td.ts";
import { tdcall } from "./tdcall.ts";

const A = 0x4000_0000;
const running = (): OneTd => {
  const one = new OneTd();
  one.aug(A, 1);
  return one;
};

describe("RAX of a TDCALL", () => {
  it.each<[string, number, number]>([
    ["a leaf without a name", 200, 0],
    ["a leaf beyond the tables", 0xffff, 0],
    ["a reserved bit", TDG["TDG.MEM.PAGE.ACCEPT"] + 2 ** 24, 0],
    ["a version of a leaf that has none", TDG["TDG.MEM.PAGE.ACCEPT"], 1],
    ["a version of VP.INFO", TDG["TDG.VP.INFO"], 1],
  ])("with %s is refused, and nothing else changes", (_what, leaf, version) => {
    const one = running();
    expect(statusText(one.tdcall(leaf, { RCX: A + 1, RDX: 7 }, version) as Status)).toBe(
      "OPERAND_INVALID(RAX)",
    );
    expect(hex(one.guest, RAX)).toBe("c000010000000000");
    expect(hex(one.guest, RCX)).toBe("40000001");
    expect(hex(one.guest, RDX)).toBe("7");
    expect(one.stateOf(A, 1)).toBe("PENDING");
  });
  it("with a bit of the high half is refused", () => {
    const one = running();
    const regs = newRegs();
    setHalves(regs, RAX, TDG["TDG.MEM.PAGE.ACCEPT"], 1);
    setHalves(regs, RCX, A + 1, 0);
    expect(statusText(tdcall(one.module, one.td, 0, regs) as Status)).toBe("OPERAND_INVALID(RAX)");
    expect(one.stateOf(A, 1)).toBe("PENDING");
  });
  it.each([
    ["TDG.VM.RD", 2],
    ["TDG.VP.VEINFO.GET", 3],
  ] as const)("with a version that %s does not have is refused", (leaf, version) => {
    expect(statusText(running().tdcall(leaf, {}, version) as Status)).toBe("OPERAND_INVALID(RAX)");
  });
  it("with a leaf that has a name is answered, or says that the leaf is not written", () => {
    for (const [leaf, name] of TDG_NAMES) {
      try {
        running().tdcall(leaf, { RCX: 1, RDX: 1 });
      } catch (error) {
        expect(error).toBeInstanceOf(NotModelled);
        expect((error as NotModelled).what).toBe(name);
      }
    }
  });
});

describe("TDG.MEM.PAGE.ATTR.RD", () => {
  it("answers for an address inside a large page with the page, its level and the PENDING bit", () => {
    const one = running();
    expect(one.tdcall("TDG.MEM.PAGE.ATTR.RD", { RCX: A + 0x1f_fabc, RDX: 1 })).toBe(0);
    expect(hex(one.guest, RCX)).toBe("4000000040000001");
    expect(hex(one.guest, RDX)).toBe("0");
    one.accept(A, 1);
    one.tdcall("TDG.MEM.PAGE.ATTR.RD", { RCX: A + 0x1000 });
    expect(hex(one.guest, RCX)).toBe("40000001");
  });
  it("takes no notice of bits 11:0 of a page of 4 KiB", () => {
    const one = new OneTd();
    one.aug(A);
    one.tdcall("TDG.MEM.PAGE.ATTR.RD", { RCX: A + 0xabc });
    expect(hex(one.guest, RCX)).toBe("4000000040000000");
  });
});
