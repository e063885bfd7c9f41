import { describe, expect, it } from "vitest";
import type { TdhLeaf } from "../abi/tdx/leaves.ts";
import { R8, RCX, RDX } from "../abi/tdx/regs.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { encodeTdParams, type TdParams } from "../abi/tdx/td-params.ts";
import { LIFECYCLE } from "../abi/tdx/td-state.ts";
import { NotModelled } from "../not-modelled.ts";
import { GIB } from "../units.ts";
import { ACCESS_TD_EXIT, access, READ } from "./access.ts";
import { createTd, framesFrom, tdrOf } from "./create-td.ts";
import { TdxModule } from "./module.ts";
import { hex, OneTd, type Operands } from "./one-td.ts";
import { seamcall } from "./seamcall.ts";
import { TD_WORD, type Td, VCPU_WORD } from "./td.ts";

const A = 0x4000_0000;
const said = (result: Status): string => statusText(result);
const tdvpr = (td: Td, vcpu = 0): number => td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME) * 4096;

/** A module with a TD whose TDR is `tdr`, as far as `calls` take it. */
const begin = (): {
  one: OneTd;
  tdr: number;
  page: () => number;
  call: (leaf: TdhLeaf, operands: Operands, version?: number) => string;
} => {
  const one = new OneTd({ module: { maxTds: 3 } });
  const tdr = one.page();
  return {
    one,
    tdr,
    page: () => one.page(),
    call: (leaf, operands, version = 0) => said(one.seamcall(leaf, operands, version)),
  };
};
const PARAMS: TdParams = {
  attributes: 1n << 28n,
  xfam: 3n,
  maxVcpus: 1,
  numL2Vms: 0,
  msrConfig: 0,
  eptpControls: 0x1en,
  configFlags: 6n,
  tscFrequency: 40,
  mrConfigId: new Uint8Array(48),
  mrOwner: new Uint8Array(48),
  mrOwnerConfig: new Uint8Array(48),
  archCapabilities: 0n,
  cpuid: [],
};
const PARAMS_HPA = 0x10_0000;

describe("building a TD", () => {
  it("goes through its states in one order only", () => {
    const { one, tdr, page, call } = begin();
    const first = page();
    expect(call("TDH.MNG.KEY.CONFIG", { RCX: tdr })).toBe("PAGE_METADATA_INCORRECT(RCX)");
    expect(call("TDH.MNG.CREATE", { RCX: tdr, RDX: 5 })).toBe("OPERAND_INVALID(RDX)");
    expect(call("TDH.MNG.CREATE", { RCX: tdr, RDX: 32 })).toBe("HKID_NOT_FREE");
    expect(call("TDH.MNG.CREATE", { RCX: tdr, RDX: 33 })).toBe("SUCCESS");
    expect(call("TDH.MNG.CREATE", { RCX: tdr, RDX: 34 })).toBe("PAGE_METADATA_INCORRECT(RCX)");
    expect(call("TDH.MNG.ADDCX", { RCX: first, RDX: tdr })).toBe("TD_KEYS_NOT_CONFIGURED");
    expect(call("TDH.MNG.KEY.CONFIG", { RCX: tdr })).toBe("SUCCESS");
    expect(call("TDH.MNG.KEY.CONFIG", { RCX: tdr })).toBe("LIFECYCLE_STATE_INCORRECT");
    expect(call("TDH.MEM.TRACK", { RCX: tdr })).toBe("TDCS_NOT_ALLOCATED");
    for (let i = 0; i < 6; i++) expect(call("TDH.MNG.ADDCX", { RCX: page(), RDX: tdr })).toBe("SUCCESS");
    expect(call("TDH.MEM.TRACK", { RCX: tdr })).toBe("OP_STATE_INCORRECT(0)");
    one.module.host.write(PARAMS_HPA, encodeTdParams(PARAMS));
    expect(call("TDH.MNG.INIT", { RCX: tdr, RDX: PARAMS_HPA })).toBe("SUCCESS");
    expect(call("TDH.MNG.INIT", { RCX: tdr, RDX: PARAMS_HPA })).toBe("OP_STATE_INCORRECT(1)");
    expect(call("TDH.MNG.ADDCX", { RCX: page(), RDX: tdr })).toBe("OP_STATE_INCORRECT(1)");
    expect(call("TDH.MR.FINALIZE", { RCX: tdr })).toBe("NO_VCPUS");
    const vp = page();
    expect(call("TDH.VP.CREATE", { RCX: vp, RDX: tdr })).toBe("SUCCESS");
    expect(call("TDH.VP.INIT", { RCX: vp })).toBe("TDCX_NUM_INCORRECT");
    for (let i = 0; i < 5; i++) expect(call("TDH.VP.ADDCX", { RCX: page(), RDX: vp })).toBe("SUCCESS");
    expect(call("TDH.VP.INIT", { RCX: vp }, 2)).toBe("OPERAND_INVALID(RAX)");
    expect(call("TDH.VP.INIT", { RCX: vp, R8: 2n ** 32n }, 1)).toBe("OPERAND_INVALID(R8)");
    expect(call("TDH.VP.INIT", { RCX: vp, RDX: 0x1234 }, 1)).toBe("SUCCESS");
    expect(call("TDH.VP.INIT", { RCX: vp })).toBe("VCPU_STATE_INCORRECT(2)");
    expect(call("TDH.VP.ADDCX", { RCX: page(), RDX: vp })).toBe("VCPU_STATE_INCORRECT(2)");
    expect(call("TDH.VP.ENTER", { RCX: vp })).toBe("OP_STATE_INCORRECT(1)");
    expect(call("TDH.MR.FINALIZE", { RCX: tdr })).toBe("SUCCESS");
    expect(call("TDH.VP.CREATE", { RCX: page(), RDX: tdr })).toBe("OP_STATE_INCORRECT(2)");
    expect(call("TDH.VP.ENTER", { RCX: vp })).toBe("SUCCESS");
    expect(call("TDH.VP.ENTER", { RCX: vp })).toBe("VCPU_STATE_INCORRECT(4)");
  });
  it.each<[string, Partial<TdParams>]>([
    ["ATTRIBUTES", { attributes: 1n << 1n }],
    ["ATTRIBUTES", { attributes: (1n << 29n) | 1n }],
    ["ATTRIBUTES", { attributes: (1n << 63n) | (1n << 16n) }],
    ["XFAM", { xfam: 1n }],
    ["XFAM", { xfam: 1n << 40n }],
    ["MAX_VCPUS", { maxVcpus: 0 }],
    ["MAX_VCPUS", { maxVcpus: 577 }],
    ["NUM_L2_VMS", { numL2Vms: 4 }],
    ["EXEC_CONTROLS", { configFlags: 0x20n }],
    ["EXEC_CONTROLS", { configFlags: 0x18n }],
    ["EPTP_CONTROLS", { eptpControls: 0x1cn }],
    ["EPTP_CONTROLS", { eptpControls: 0x2en }],
    ["EPTP_CONTROLS", { configFlags: 7n }],
    ["EPTP_CONTROLS", { eptpControls: 0x5en }],
    ["TSC_FREQUENCY", { tscFrequency: 3 }],
    ["TSC_FREQUENCY", { tscFrequency: 401 }],
    ["RDX", { msrConfig: 2 }],
  ])("blames %s of TD_PARAMS", (field, change) => {
    const { one, tdr, page, call } = begin();
    call("TDH.MNG.CREATE", { RCX: tdr, RDX: 33 });
    call("TDH.MNG.KEY.CONFIG", { RCX: tdr });
    for (let i = 0; i < 6; i++) call("TDH.MNG.ADDCX", { RCX: page(), RDX: tdr });
    one.module.host.write(PARAMS_HPA, encodeTdParams({ ...PARAMS, ...change }));
    const before = one.module.save();
    expect(call("TDH.MNG.INIT", { RCX: tdr, RDX: PARAMS_HPA })).toBe(`OPERAND_INVALID(${field})`);
    expect(one.module.save()).toEqual(before);
  });
  it("blames RDX for reserved bytes and for where TD_PARAMS lies", () => {
    const { one, tdr, page, call } = begin();
    call("TDH.MNG.CREATE", { RCX: tdr, RDX: 33 });
    call("TDH.MNG.KEY.CONFIG", { RCX: tdr });
    for (let i = 0; i < 6; i++) call("TDH.MNG.ADDCX", { RCX: page(), RDX: tdr });
    for (const at of [20, 42, 79, 232, 255]) {
      one.module.host.write(PARAMS_HPA, encodeTdParams(PARAMS).with(at, 1));
      expect([at, call("TDH.MNG.INIT", { RCX: tdr, RDX: PARAMS_HPA })]).toEqual([at, "OPERAND_INVALID(RDX)"]);
    }
    for (const hpa of [PARAMS_HPA + 512, 2n ** 52n, 32n << 46n]) {
      expect(call("TDH.MNG.INIT", { RCX: tdr, RDX: hpa })).toBe("OPERAND_INVALID(RDX)");
    }
    expect(call("TDH.MNG.INIT", { RCX: tdr, RDX: 2 * PARAMS_HPA })).toBe("OPERAND_INVALID(XFAM)");
  });
  it("gives out no more vCPUs than MAX_VCPUS, and no x2APIC id twice", () => {
    const one = new OneTd({ finalize: false, vcpus: 2, maxVcpus: 3, topology: true });
    const add = (): number => {
      const page = one.page();
      one.seamcall("TDH.VP.CREATE", { RCX: page, RDX: one.tdr });
      for (let i = 0; i < 5; i++) one.seamcall("TDH.VP.ADDCX", { RCX: one.page(), RDX: page });
      return page;
    };
    const third = add();
    expect(said(one.seamcall("TDH.VP.INIT", { RCX: third, R8: 1 }, 1))).toBe("X2APIC_ID_NOT_UNIQUE(1)");
    expect(one.seamcall("TDH.VP.INIT", { RCX: third, R8: 7 }, 1)).toBe(0);
    expect(said(one.seamcall("TDH.VP.INIT", { RCX: add(), R8: 8 }, 1))).toBe("MAX_VCPUS_EXCEEDED");
  });
});

describe("taking a TD down", () => {
  it("needs flushes, the caches written back, and every page reclaimed, the TDR last", () => {
    const one = new OneTd({ vcpus: 2 });
    const frame = one.aug(A, 1);
    const { td, tdr } = one;
    const tables = Array.from({ length: 3 }, (_, slot) => td.sept.tableFrame[slot + 1]! * 4096).slice(
      0,
      td.sept.tableCount - 1,
    );
    const call = (leaf: TdhLeaf, operands: Operands): string => said(one.seamcall(leaf, operands));
    const reclaim = (hpa: number): string => call("TDH.PHYMEM.PAGE.RECLAIM", { RCX: hpa });
    expect(call("TDH.VP.FLUSH", { RCX: tdvpr(td, 0) })).toBe("OPERAND_BUSY(RCX)");
    for (const vcpu of [0, 1]) expect(access(td, vcpu, 2 ** 40, READ)).toBe(ACCESS_TD_EXIT);
    expect(call("TDH.MNG.VPFLUSHDONE", { RCX: tdr })).toBe("FLUSHVP_NOT_DONE");
    expect(call("TDH.VP.FLUSH", { RCX: tdvpr(td, 0) })).toBe("SUCCESS");
    expect(call("TDH.VP.FLUSH", { RCX: tdvpr(td, 0) })).toBe("VCPU_NOT_ASSOCIATED");
    expect(call("TDH.VP.FLUSH", { RCX: tdvpr(td, 1) })).toBe("SUCCESS");
    expect(call("TDH.PHYMEM.CACHE.WB", { RCX: 0 })).toBe("NO_HKID_READY_TO_WBCACHE");
    expect(call("TDH.MNG.KEY.FREEID", { RCX: tdr })).toBe("LIFECYCLE_STATE_INCORRECT");
    expect(reclaim(frame * 4096)).toBe("LIFECYCLE_STATE_INCORRECT");
    expect([RCX, RDX, R8].map((r) => hex(one.host, r))).toEqual(["3", tdr.toString(16), "1"]);
    expect(call("TDH.MNG.VPFLUSHDONE", { RCX: tdr })).toBe("SUCCESS");
    expect(one.onPage("TDH.MEM.PAGE.REMOVE", A, 1) === 0).toBe(false);
    expect(call("TDH.MEM.TRACK", { RCX: tdr })).toBe("TD_KEYS_NOT_CONFIGURED");
    expect(call("TDH.MNG.KEY.FREEID", { RCX: tdr })).toBe("WBCACHE_NOT_COMPLETE");
    expect(call("TDH.PHYMEM.CACHE.WB", { RCX: 2 })).toBe("OPERAND_INVALID(RCX)");
    expect(call("TDH.PHYMEM.CACHE.WB", { RCX: 1 })).toBe("WBCACHE_RESUME_ERROR");
    expect(call("TDH.PHYMEM.CACHE.WB", { RCX: 0 })).toBe("SUCCESS");
    expect(call("TDH.MNG.KEY.FREEID", { RCX: tdr })).toBe("SUCCESS");
    expect(td.lifecycle).toBe(LIFECYCLE.TEARDOWN);
    expect(reclaim(tdr)).toBe("TD_ASSOCIATED_PAGES_EXIST");
    expect(reclaim(frame * 4096 + 4096)).toBe("OPERAND_INVALID(RCX)");
    expect(reclaim(frame * 4096)).toBe("SUCCESS");
    expect(reclaim(frame * 4096)).toBe("PAGE_METADATA_INCORRECT(RCX)");
    for (const table of tables) expect(reclaim(table)).toBe("SUCCESS");
    const control = Array.from({ length: 6 + 2 * 6 }, (_, i) => tdr + 4096 * (1 + i));
    for (const page of control) expect(reclaim(page)).toBe("SUCCESS");
    expect(td.words[TD_WORD.CHILD_COUNT]).toBe(0);
    expect(reclaim(tdr)).toBe("SUCCESS");
    expect(td.isAlive).toBe(false);
    expect(one.module.keys.firstFree()).toBe(32);
  });
  it("leaves a module that can build the same TD again", () => {
    const m = new TdxModule({ tdmrs: [{ base: GIB, size: GIB }], maxTds: 2 });
    const fresh = m.save();
    const a = createTd(m, { takeFrame: framesFrom(GIB / 4096), enter: false });
    const b = createTd(m, { takeFrame: framesFrom(GIB / 4096 + 100), enter: false });
    expect([tdrOf(a), tdrOf(b), a.number, b.number]).toEqual([GIB, GIB + 100 * 4096, 0, 1]);
    expect(() => createTd(m, { takeFrame: framesFrom(GIB / 4096 + 200) })).toThrow(NotModelled);
    const both = m.save();
    m.load(fresh);
    expect([a.isAlive, b.isAlive]).toEqual([false, false]);
    m.load(both);
    expect([a.isAlive, b.isAlive]).toEqual([true, true]);
    expect(seamcall(m, new Uint32Array(32).with(0, 38).with(2, tdrOf(b)))).toBe(0);
    expect([a.epoch, b.epoch]).toEqual([1, 2]);
  });
});
