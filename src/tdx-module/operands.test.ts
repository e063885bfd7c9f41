import { describe, expect, it } from "vitest";
import { TDH_NAMES } from "../abi/tdx/leaves.ts";
import { R8, R9, RCX, RDX } from "../abi/tdx/regs.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { NotModelled } from "../not-modelled.ts";
import { GIB } from "../units.ts";
import { hex, OneTd } from "./one-td.ts";
import { TD_WORD, type Td, VCPU_WORD } from "./td.ts";

const A = 0x4000_0000;
const said = (result: Status): string => statusText(result);
const tdvpr = (td: Td, vcpu = 0): number => td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME) * 4096;

describe("operands of SEAMCALLs", () => {
  it.each<[string, bigint | number, string]>([
    ["misaligned", GIB + 8, "OPERAND_INVALID(R8)"],
    ["with a key id", 2 ** 46 + GIB, "OPERAND_INVALID(R8)"],
    ["above MAXPA", 2n ** 52n, "OPERAND_INVALID(R8)"],
    ["outside every TDMR", 0x1000, "OPERAND_ADDR_RANGE_ERROR(R8)"],
    ["far outside", 2 ** 45, "OPERAND_ADDR_RANGE_ERROR(R8)"],
    ["in a reserved area", 2 * GIB + 0x1000, "PAGE_METADATA_INCORRECT(R8)"],
    ["in use", GIB, "PAGE_METADATA_INCORRECT(R8)"],
  ])("a new page %s is refused", (_what, r8, expected) => {
    const reserved = [{ offset: GIB + 0x1000, size: 0x1000 }];
    const one = new OneTd({ module: { tdmrs: [{ base: GIB, size: 4 * GIB, reserved }] } });
    one.tables(A);
    expect(said(one.onPage("TDH.MEM.PAGE.AUG", A, 0, { R8: r8 }))).toBe(expected);
    expect(said(one.onPage("TDH.MEM.PAGE.AUG", A, 0, { R8: one.page() }))).toBe("SUCCESS");
  });
  it("a 2 MiB page must be aligned, free in every part, and not reserved", () => {
    const reserved = [{ offset: GIB + 0x1000, size: 0x1000 }];
    const one = new OneTd({ module: { tdmrs: [{ base: GIB, size: 4 * GIB, reserved }] } });
    one.tables(A, 1);
    const aug = (r8: number): string => said(one.onPage("TDH.MEM.PAGE.AUG", A, 1, { R8: r8 }));
    expect(aug(3 * GIB + 4096)).toBe("OPERAND_INVALID(R8)");
    expect(aug(2 * GIB)).toBe("PAGE_METADATA_INCORRECT(R8)");
    expect(aug(0)).toBe("OPERAND_ADDR_RANGE_ERROR(R8)");
    expect(aug(GIB)).toBe("PAGE_METADATA_INCORRECT(R8)");
    expect(aug(3 * GIB)).toBe("SUCCESS");
  });
  it("a TD handle must be a TDR, by the operand that carries it", () => {
    const one = new OneTd();
    one.tables(A);
    const aug = (rdx: number): string =>
      said(one.onPage("TDH.MEM.PAGE.AUG", A, 0, { RDX: rdx, R8: one.page() }));
    expect(aug(one.page())).toBe("PAGE_METADATA_INCORRECT(RDX)");
    expect(aug(tdvpr(one.td))).toBe("PAGE_METADATA_INCORRECT(RDX)");
    expect(aug(one.tdr + 1)).toBe("OPERAND_INVALID(RDX)");
    expect(aug(0x1000)).toBe("OPERAND_ADDR_RANGE_ERROR(RDX)");
    expect(said(one.seamcall("TDH.MEM.TRACK", { RCX: one.page() }))).toBe("PAGE_METADATA_INCORRECT(RCX)");
    expect(said(one.seamcall("TDH.VP.ENTER", { RCX: one.tdr }))).toBe("PAGE_METADATA_INCORRECT(RCX)");
    expect(said(one.seamcall("TDH.VP.ENTER", { RCX: BigInt(tdvpr(one.td)) | (1n << 53n) }))).toBe(
      "OPERAND_INVALID(RCX)",
    );
  });
  it("levels are those that the leaf takes", () => {
    const one = new OneTd();
    one.tables(A);
    const rows = (["AUG", "DEMOTE", "PROMOTE", "REMOVE"] as const).map((name) => {
      const levels = [0, 1, 2, 3, 4].filter((level) => {
        const at = level > 2 ? 0 : A;
        return said(one.onPage(`TDH.MEM.PAGE.${name}`, at, level)) !== "OPERAND_INVALID(RCX)";
      });
      return `${name} ${levels}`;
    });
    const sept = (["SEPT.ADD", "SEPT.RD", "SEPT.REMOVE", "RANGE.BLOCK", "RANGE.UNBLOCK"] as const).map(
      (name) => {
        const fits = [0, 1, 2, 3, 4].filter((level) => {
          return said(one.onPage(`TDH.MEM.${name}`, level > 2 ? 0 : A, level)) !== "OPERAND_INVALID(RCX)";
        });
        return `${name} ${fits}`;
      },
    );
    expect([...rows, ...sept]).toEqual([
      "AUG 0,1",
      "DEMOTE 1,2",
      "PROMOTE 1,2",
      "REMOVE 0,1,2",
      "SEPT.ADD 1,2,3",
      "SEPT.RD 0,1,2,3",
      "SEPT.REMOVE 1,2,3",
      "RANGE.BLOCK 0,1,2,3",
      "RANGE.UNBLOCK 0,1,2,3",
    ]);
  });
  it("a GPA is aligned to its level, in both halves", () => {
    const one = new OneTd({ gpaw: 52 });
    one.tables(0, 0);
    const rd = (gpa: number, level: number): string => said(one.onPage("TDH.MEM.SEPT.RD", gpa, level));
    expect([rd(2 ** 32, 3), rd(2 ** 38, 3), rd(2 ** 39, 3), rd(0, 4)]).toEqual([
      "OPERAND_INVALID(RCX)",
      "OPERAND_INVALID(RCX)",
      "SUCCESS",
      "SUCCESS",
    ]);
    expect([rd(2 ** 39, 4), rd(2 ** 47, 4), rd(2 ** 48, 4)]).toEqual([
      "OPERAND_INVALID(RCX)",
      "OPERAND_INVALID(RCX)",
      "SUCCESS",
    ]);
  });
  it("an entry is reported with all of its host address", () => {
    const one = new OneTd({
      module: {
        tdmrs: [
          { base: GIB, size: GIB },
          { base: 10 * 2 ** 40, size: GIB },
        ],
      },
    });
    one.tables(A);
    expect(said(one.onPage("TDH.MEM.PAGE.AUG", A, 0, { R8: 10 * 2 ** 40 + 0x5000 }))).toBe("SUCCESS");
    expect(said(one.onPage("TDH.MEM.SEPT.RD", A))).toBe("SUCCESS");
    expect([hex(one.host, RCX), hex(one.host, RDX)]).toEqual(["80000a00000050f0", "200"]);
  });
  it("a TD that is lost answers nothing else", () => {
    const one = new OneTd();
    one.tables(A);
    one.td.words[TD_WORD.FATAL] = 1;
    expect(said(one.onPage("TDH.MEM.PAGE.AUG", A, 0, { R8: one.page() }))).toBe("TD_FATAL");
    expect(said(one.track())).toBe("TD_FATAL");
  });
  it("a walk that ends early tells where and at what", () => {
    const one = new OneTd();
    expect(said(one.onPage("TDH.MEM.PAGE.AUG", A, 0, { R8: one.page() }))).toBe("EPT_WALK_FAILED(RCX)");
    expect([hex(one.host, RCX), hex(one.host, RDX)]).toEqual(["8000000000000000", "3"]);
    one.aug(A, 1);
    expect(said(one.onPage("TDH.MEM.PAGE.AUG", A, 0, { R8: one.page() }))).toBe("EPT_WALK_FAILED(RCX)");
    expect(hex(one.host, RDX)).toBe("201");
  });
  it("RAX must be a leaf that exists, in a version that it has", () => {
    const one = new OneTd();
    expect(said(one.seamcall(200))).toBe("OPERAND_INVALID(RAX)");
    expect(said(one.seamcall(0xffff))).toBe("OPERAND_INVALID(RAX)");
    expect(said(one.seamcall("TDH.MEM.PAGE.AUG", {}, 1))).toBe("OPERAND_INVALID(RAX)");
    expect(said(one.seamcall("TDH.MEM.SEPT.REMOVE", {}, 2))).toBe("OPERAND_INVALID(RAX)");
    expect(said(one.seamcall(6 + 2 ** 24))).toBe("OPERAND_INVALID(RAX)");
  });
  it("a leaf that has a name is written, or says that it is not", () => {
    const one = new OneTd();
    for (const [leaf, name] of TDH_NAMES) {
      try {
        one.seamcall(leaf, { RCX: 1, RDX: 1 });
      } catch (error) {
        expect(error).toBeInstanceOf(NotModelled);
        expect((error as NotModelled).what.split(" ")[0]).toBe(name);
      }
    }
  });
});

describe("metadata of host pages", () => {
  const rdmd = (one: OneTd, hpa: number): string => {
    const result = said(one.seamcall("TDH.PHYMEM.PAGE.RDMD", { RCX: hpa }));
    return `${result} ${[RCX, RDX, R8, R9].map((r) => hex(one.host, r)).join(" ")}`;
  };
  it("tells type, owner, size and epoch", () => {
    const one = new OneTd();
    const frame = one.aug(A, 1);
    const tdr = one.tdr.toString(16);
    expect(rdmd(one, one.tdr)).toBe(`SUCCESS ${PAGE_TYPE.TDR} 0 0 0`);
    expect(rdmd(one, tdvpr(one.td))).toBe(`SUCCESS ${PAGE_TYPE.TDVPR} ${tdr} 0 0`);
    expect(rdmd(one, frame * 4096 + 0x5000)).toBe(`SUCCESS ${PAGE_TYPE.REG} ${tdr} 1 0`);
    one.block(A, 1);
    expect(rdmd(one, frame * 4096)).toBe(`SUCCESS ${PAGE_TYPE.REG} ${tdr} 1 1`);
    expect(rdmd(one, one.page())).toBe("SUCCESS 0 0 0 0");
    expect(rdmd(one, 0x1000)).toBe("OPERAND_ADDR_RANGE_ERROR(RCX) 0 0 0 0");
    expect(rdmd(one, one.tdr + 1)).toBe("OPERAND_INVALID(RCX) 0 0 0 0");
  });
  it("lets only free pages be written back, with any key id", () => {
    const one = new OneTd();
    const wbinvd = (hpa: number): string => said(one.seamcall("TDH.PHYMEM.PAGE.WBINVD", { RCX: hpa }));
    const page = one.page();
    expect([wbinvd(page), wbinvd(page + 40 * 2 ** 46), wbinvd(one.tdr), wbinvd(0x1000)]).toEqual([
      "SUCCESS",
      "SUCCESS",
      "PAGE_METADATA_INCORRECT(RCX)",
      "OPERAND_ADDR_RANGE_ERROR(RCX)",
    ]);
  });
});
