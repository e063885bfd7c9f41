import { describe, expect, it } from "vitest";
import { NO_FIELD_ID } from "../abi/tdx/metadata-field-id.ts";
import { R8, RAX, RCX, RDX } from "../abi/tdx/regs.ts";
import { seamcallsUpTo } from "./seamcall.ts";
import { BareModule, TDMR } from "./testing/bare-module.ts";

const GIB = 2 ** 30;
const KEY_CONFIG = "TDH.SYS.KEY.CONFIG";
const TDMR_INIT = "TDH.SYS.TDMR.INIT";

describe("the way of a module to READY", () => {
  it("takes the calls in their order, and refuses each that comes too early or twice", () => {
    const bare = new BareModule();
    expect(bare.call("TDH.SYS.LP.INIT")).toBe("SYS_LP_INIT_NOT_PENDING");
    expect(bare.call("TDH.SYS.CONFIG")).toBe("SYS_CONFIG_NOT_PENDING");
    expect(bare.call(KEY_CONFIG)).toBe("SYS_KEY_CONFIG_NOT_PENDING");
    expect(bare.call(TDMR_INIT, { RCX: TDMR.base })).toBe("SYS_NOT_READY");
    expect(bare.call("TDH.SYS.INIT", { RCX: 1 })).toBe("OPERAND_INVALID(RCX)");
    expect(bare.call("TDH.SYS.INIT")).toBe("SUCCESS");
    expect(bare.call("TDH.SYS.INIT")).toBe("SYS_INIT_NOT_PENDING");
    expect(bare.call("TDH.SYS.LP.INIT", { RCX: 5, R8: 5 })).toBe("SUCCESS");
    expect([bare.register(RCX), bare.register(R8)]).toEqual([0n, 0n]);
    expect(bare.call("TDH.SYS.LP.INIT")).toBe("SYS_LP_INIT_DONE");
    expect(bare.config([TDMR])).toBe("SYS_CONFIG_NOT_PENDING");
    expect(bare.call("TDH.SYS.LP.INIT", {}, { lp: 1 })).toBe("SUCCESS");
    expect(bare.config([TDMR])).toBe("SUCCESS");
    expect(bare.config([TDMR])).toBe("SYS_CONFIG_NOT_PENDING");
    expect(bare.call(KEY_CONFIG)).toBe("SUCCESS");
    expect(bare.call(KEY_CONFIG)).toBe("KEY_CONFIGURED");
    expect(bare.call("TDH.MNG.CREATE", { RCX: 4 * GIB, RDX: 33 })).toBe("SYS_NOT_READY");
    expect(bare.call(KEY_CONFIG, {}, { lp: 1 })).toBe("SUCCESS");
    expect(bare.call(KEY_CONFIG, {}, { lp: 1 })).toBe("SYS_KEY_CONFIG_NOT_PENDING");
    expect(bare.call("TDH.MNG.CREATE", { RCX: 4 * GIB, RDX: 33 })).toBe("OPERAND_ADDR_RANGE_ERROR(RCX)");
  });
  it("refuses a list of convertible memory that contradicts itself, at TDH.SYS.INIT", () => {
    const lists = [
      [{ base: 0x1001n, size: 0x1000n }],
      [{ base: 0x1000n, size: 0x800n }],
      [{ base: 2n ** 52n, size: 0x1000n }],
      [
        { base: 0x2000n, size: 0x1000n },
        { base: 0x1000n, size: 0x1000n },
      ],
      [
        { base: 0x1000n, size: 0x2000n },
        { base: 0x2000n, size: 0x1000n },
      ],
    ];
    for (const cmrs of lists) expect(new BareModule({ cmrs }).call("TDH.SYS.INIT")).toBe("CMR_LIST_INVALID");
    const gap = [
      { base: 0x1000n, size: 0x1000n },
      { base: 0n, size: 0n },
      { base: 0x2000n, size: 0x1000n },
    ];
    expect(new BareModule({ cmrs: gap }).call("TDH.SYS.INIT")).toBe("SUCCESS");
  });
  it("lets nobody else have the global key id", () => {
    const bare = new BareModule().bringUp();
    expect(bare.call("TDH.MNG.CREATE", { RCX: 4 * GIB, RDX: 32 })).toBe("HKID_NOT_FREE");
    expect(bare.call("TDH.MNG.CREATE", { RCX: 4 * GIB, RDX: 33 })).toBe("SUCCESS");
  });
});

describe("TDH.SYS.CONFIG", () => {
  it("refuses bad operands", () => {
    const bare = new BareModule().start();
    expect(bare.config([TDMR], { RCX: 0x8_0100 })).toBe("OPERAND_INVALID(RCX)");
    expect(bare.config([TDMR], { RDX: 0 })).toBe("OPERAND_INVALID(RDX)");
    expect(bare.config([TDMR], { RDX: 65 })).toBe("OPERAND_INVALID(RDX)");
    expect(bare.config([TDMR], { R8: 31 })).toBe("OPERAND_INVALID(R8)");
    expect(bare.config([TDMR], { R8: 32 + 2 ** 17 })).toBe("OPERAND_INVALID(R8)");
    expect(bare.config([TDMR], { R8: 32 + 2 ** 16 })).toBe("OPERAND_INVALID(R8)");
    expect(bare.config([TDMR], { RDX: 2 })).toBe("NON_ORDERED_TDMR(TDMR 1)");
    expect(bare.config([TDMR], {}, 1)).toBe("OPERAND_INVALID(RAX)");
    expect(bare.config([TDMR])).toBe("SUCCESS");
  });
  it("takes an add-on feature only in version 1, and only one that the module has", () => {
    const withExt = new BareModule({}, { features: ["EXT", "QUOTE"] }).start();
    expect(withExt.config([TDMR], { R9: 1n << 51n }, 1)).toBe("OPERAND_INVALID(R9)");
    expect(withExt.config([TDMR], {}, 2)).toBe("OPERAND_INVALID(RAX)");
    expect(withExt.config([TDMR], { R9: 1n << 50n }, 1)).toBe("SUCCESS");
    const noQuote = new BareModule({}, { features: ["EXT"] }).start();
    expect(noQuote.config([TDMR], { R9: 1n << 50n }, 1)).toBe("OPERAND_INVALID(R9)");
  });
});

describe("TDH.SYS.TDMR.INIT", () => {
  it("makes 4 MiB a call, and a GiB usable when it is whole", () => {
    const bare = new BareModule().start();
    bare.config([TDMR]);
    for (const lp of [0, 1]) bare.call(KEY_CONFIG, {}, { lp });
    const rdmd = (hpa: number): string => bare.call("TDH.PHYMEM.PAGE.RDMD", { RCX: hpa });
    for (let call = 1; call <= 255; call++) {
      expect(bare.call(TDMR_INIT, { RCX: TDMR.base })).toBe("SUCCESS");
      expect(bare.register(RDX)).toBe(TDMR.base);
    }
    expect(rdmd(4 * GIB)).toBe("OPERAND_ADDR_RANGE_ERROR(RCX)");
    bare.call(TDMR_INIT, { RCX: TDMR.base });
    expect(bare.register(RDX)).toBe(BigInt(5 * GIB));
    expect([rdmd(4 * GIB), rdmd(5 * GIB)]).toEqual(["SUCCESS", "OPERAND_ADDR_RANGE_ERROR(RCX)"]);
    for (let call = 1; call <= 256; call++) bare.call(TDMR_INIT, { RCX: TDMR.base });
    expect([bare.register(RDX), rdmd(6 * GIB - 4096)]).toEqual([BigInt(6 * GIB), "SUCCESS"]);
    expect(bare.call(TDMR_INIT, { RCX: TDMR.base })).toBe("TDMR_ALREADY_INITIALIZED");
    expect(bare.register(RDX)).toBe(0n);
  });
  it("refuses an address that is no TDMR's base", () => {
    const bare = new BareModule().bringUp();
    for (const RCX of [5 * GIB, 4 * GIB + 4096, 0]) {
      expect(bare.call(TDMR_INIT, { RCX })).toBe("OPERAND_INVALID(RCX)");
    }
  });
  it("made many times at once leaves what it leaves made one by one", () => {
    const ready = (): BareModule => {
      const bare = new BareModule().start();
      bare.config([TDMR]);
      for (const lp of [0, 1]) bare.call(KEY_CONFIG, {}, { lp });
      return bare;
    };
    for (const most of [1, 255, 256, 300, 511, 512, 513, 1000]) {
      const [one, many] = [ready(), ready()];
      for (let call = 0; call < Math.min(most, 512); call++) one.call(TDMR_INIT, { RCX: TDMR.base });
      many.regs.set(one.regs);
      many.regs[2 * RAX] = 36;
      expect(seamcallsUpTo(many.module, many.regs, most, 6 * GIB)).toBe(Math.min(most, 512));
      expect([...many.regs]).toEqual([...one.regs]);
      expect(many.module.save()).toEqual(one.module.save());
    }
  });
  it("with dynamic PAMT takes a bitmap of 32 KiB a GiB, and makes 16 MiB a call", () => {
    const bare = new BareModule({}, { features: ["DYNAMIC_PAMT"] }).start();
    const pamt4K = { base: BigInt(GIB), size: 0x1_0000n };
    expect(bare.config([{ ...TDMR, pamt4K: { ...pamt4K, size: 0xf000n } }], { R8: 32 + 2 ** 16 })).toBe(
      "INVALID_PAMT(TDMR 0, 4K)",
    );
    expect(bare.config([{ ...TDMR, pamt4K }], { R8: 32 + 2 ** 16 })).toBe("SUCCESS");
    for (const lp of [0, 1]) bare.call(KEY_CONFIG, {}, { lp });
    let calls = 0;
    while (bare.call(TDMR_INIT, { RCX: TDMR.base }) === "SUCCESS") calls++;
    expect(calls).toBe(128);
    expect(bare.call("TDH.MNG.CREATE", { RCX: 4 * GIB, RDX: 33 })).toBe("MISSING_PAMT_PAGE_PAIR(RCX)");
  });
});

describe("TDH.SYS.RD", () => {
  const read = (bare: BareModule, id: bigint): bigint | string => {
    const said = bare.call("TDH.SYS.RD", { RDX: id });
    return said === "SUCCESS" ? bare.register(R8) : said;
  };
  it("tells the host what it needs before TDMRs exist", () => {
    const cmrs = [
      { base: 0x10_0000n, size: 0x7f00_0000n },
      { base: 0x1_0000_0000n, size: 0x8000_0000n },
    ];
    const bare = new BareModule({ cmrs }).start();
    expect(read(bare, 0x9000_0001_0000_0000n)).toBe(2n);
    expect(read(bare, 0x9000_0003_0000_0081n)).toBe(0x1_0000_0000n);
    expect(read(bare, 0x9000_0003_0000_0100n)).toBe(0x7f00_0000n);
    expect(read(bare, 0x9000_0003_0000_0102n)).toBe(0n);
    expect(read(bare, 0x9100_0001_0000_0008n)).toBe(64n);
    expect(read(bare, 0x9100_0001_0000_0009n)).toBe(16n);
    for (const size of [0x10n, 0x11n, 0x12n]) expect(read(bare, 0x9100_0001_0000_0000n + size)).toBe(16n);
    expect(read(bare, 0x0000_0002_0000_0000n)).toBe(2n);
    expect(read(bare, 0x9900_0001_0000_0008n)).toBe(576n);
  });
  it("names the next field, the host's own ones included", () => {
    const bare = new BareModule().start();
    expect(read(bare, NO_FIELD_ID)).toBe("METADATA_FIRST_FIELD_ID_IN_CONTEXT");
    expect(bare.register(RDX)).toBe(0x0000_0002_0000_0000n);
    read(bare, 0x9100_0001_0000_0008n);
    expect(bare.register(RDX)).toBe(0x9100_0001_0000_0009n);
  });
  it("refuses a processor that has not joined, and a field that the module does not have", () => {
    expect(read(new BareModule(), 0x9000_0001_0000_0000n)).toBe("SYS_LP_INIT_NOT_DONE");
    const bare = new BareModule().start();
    expect(read(bare, 0x3100_0000_0000_0001n)).toBe("METADATA_FIELD_ID_INCORRECT");
    expect(read(bare, 0x9000_0003_0000_00a0n)).toBe("METADATA_FIELD_ID_INCORRECT");
    expect(() => read(bare, 0x8800_0002_0000_0001n)).toThrow("TDH.SYS.RD of BUILD_DATE");
  });
});

it("a snapshot holds how far the module has come, TDMRs included", () => {
  const bare = new BareModule().start();
  const started = bare.module.save();
  bare.bringUp();
  const ready = bare.module.save();
  bare.module.load(started);
  expect(bare.call("TDH.MNG.CREATE", { RCX: 4 * GIB, RDX: 33 })).toBe("SYS_NOT_READY");
  bare.module.load(ready);
  expect(bare.call("TDH.MNG.CREATE", { RCX: 4 * GIB, RDX: 33 })).toBe("SUCCESS");
});
