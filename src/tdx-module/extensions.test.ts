import { describe, expect, it } from "vitest";
import { HpaList } from "../abi/tdx/hpa-list.ts";
import { R8, RCX } from "../abi/tdx/regs.ts";
import { NotModelled } from "../not-modelled.ts";
import { hfn } from "../units.ts";
import { SYS_WORD } from "./sys-state.ts";
import { BareModule } from "./testing/bare-module.ts";

const ADD = "TDH.EXT.MEM.ADD";
const LIST = 0x12345;
const FIRST = 0x10_0000; // frame number of 4 GiB, where the TDMR starts

const withPool = (extensionPages: number): BareModule =>
  new BareModule({ extensionPages }, { features: ["EXT", "QUOTE"] }).bringUp({ R9: 1n << 50n }, 1);
/** Puts a list of `count` pages from frame `first` on into host memory; the word that names it. */
const list = (bare: BareModule, count: number, first = FIRST): bigint => {
  const pages = new HpaList(hfn(LIST));
  for (let i = 0; i < count; i++) pages.push(hfn(first + i));
  bare.module.host.write(LIST * 4096, pages.content);
  return pages.info;
};
const field = (bare: BareModule, id: bigint): bigint => {
  expect(bare.call("TDH.SYS.RD", { RDX: id })).toBe("SUCCESS");
  return bare.register(R8);
};
const wanted = (bare: BareModule): bigint => field(bare, 0x3100_0002_0000_0000n);
const required = (bare: BareModule): bigint => field(bare, 0x3100_0000_0000_0001n);

describe("TDH.EXT.MEM.ADD", () => {
  it("takes a full list, whose word is the one of the patches", () => {
    const bare = withPool(512);
    const info = list(bare, 512);
    expect(info).toBe(0xff80_0000_1234_5000n);
    expect([required(bare), wanted(bare)]).toEqual([1n, 512n]);
    expect(bare.call(ADD, { RCX: info })).toBe("SUCCESS");
    expect([required(bare), wanted(bare)]).toEqual([1n, 0n]);
    expect(bare.call("TDH.EXT.INIT")).toBe("SUCCESS");
    expect(required(bare)).toBe(0n);
  });
  it("advances the first entry in RCX when it is interrupted, and goes on from there", () => {
    const bare = withPool(512);
    bare.module.sys.words[SYS_WORD.INTERRUPT_EVERY] = 200;
    expect(bare.call(ADD, { RCX: list(bare, 512) })).toBe("INTERRUPTED_RESUMABLE");
    // 200 entries of 8 bytes: first entry 200 in bits 11:3.
    expect(bare.register(RCX)).toBe(0xff80_0000_1234_5000n + 200n * 8n);
    expect(bare.call(ADD, { RCX: bare.register(RCX) })).toBe("INTERRUPTED_RESUMABLE");
    expect(bare.call(ADD, { RCX: bare.register(RCX) })).toBe("SUCCESS");
    expect(wanted(bare)).toBe(0n);
    expect(bare.call("TDH.EXT.INIT")).toBe("INTERRUPTED_RESUMABLE");
    expect(bare.call("TDH.EXT.INIT")).toBe("INTERRUPTED_RESUMABLE");
    expect(bare.call("TDH.EXT.INIT")).toBe("SUCCESS");
  });
  it("refuses a word with reserved bits, an empty rest, or a list that is not the host's", () => {
    const bare = withPool(512);
    const info = list(bare, 2);
    for (const bad of [info | 1n, info | (1n << 52n), info | (2n << 3n), info | (63n << 46n)]) {
      expect(bare.call(ADD, { RCX: bad })).toBe("OPERAND_INVALID(RCX)");
    }
    expect(wanted(bare)).toBe(512n);
  });
  it("stops at a bad entry, keeps the ones before it, and names it in RCX", () => {
    const bare = withPool(512);
    expect(bare.call("TDH.MNG.CREATE", { RCX: (FIRST + 3) * 4096, RDX: 33 })).toBe("SUCCESS");
    expect(bare.call(ADD, { RCX: list(bare, 8) })).toBe("PAGE_METADATA_INCORRECT(NEW_PAGE_LIST_ENTRY)");
    expect(bare.register(RCX)).toBe((7n << 55n) | 0x1234_5000n | (3n << 3n));
    expect(wanted(bare)).toBe(509n);
    expect(bare.call(ADD, { RCX: list(bare, 1, 100) })).toBe("OPERAND_ADDR_RANGE_ERROR(NEW_PAGE_LIST_ENTRY)");
  });
  it("never gives a page back", () => {
    const bare = withPool(1);
    expect(bare.call(ADD, { RCX: list(bare, 1) })).toBe("SUCCESS");
    const page = FIRST * 4096;
    expect(bare.call("TDH.PHYMEM.PAGE.RECLAIM", { RCX: page })).toBe("PAGE_METADATA_INCORRECT(RCX)");
    expect(bare.call("TDH.MNG.CREATE", { RCX: page, RDX: 33 })).toBe("PAGE_METADATA_INCORRECT(RCX)");
    expect(() => bare.call("TDH.PHYMEM.PAGE.RDMD", { RCX: page })).toThrow(NotModelled);
  });
});

describe("pages for the extensions of a module with dynamic PAMT", () => {
  it("are refused as long as their block has no pair", () => {
    const options = { features: ["EXT", "QUOTE", "DYNAMIC_PAMT"] as const };
    const bare = new BareModule({ extensionPages: 2 }, options).bringUp(
      { R8: 32n | (1n << 16n), R9: 1n << 50n },
      1,
    );
    expect(bare.call(ADD, { RCX: list(bare, 2) })).toBe("MISSING_PAMT_PAGE_PAIR(NEW_PAGE_LIST_ENTRY)");
    const block = FIRST * 4096;
    const pair = { RDX: block + 100 * 4096, R8: block + 101 * 4096 };
    expect(bare.call("TDH.PHYMEM.PAMT.ADD", { RCX: block + 1, ...pair })).toBe("SUCCESS");
    expect(bare.call(ADD, { RCX: list(bare, 2) })).toBe("SUCCESS");
    expect(bare.call("TDH.PHYMEM.PAMT.REMOVE", { RCX: block + 1 })).toBe("PAMT_PAGE_NOT_EMPTY(0)");
  });
});

describe("extensions that nobody asked for", () => {
  it("want nothing when no add-on feature was chosen", () => {
    const bare = new BareModule({ extensionPages: 512 }, { features: ["EXT", "QUOTE"] }).bringUp();
    expect([required(bare), wanted(bare)]).toEqual([0n, 0n]);
  });
  it("are unknown leaves on a module without them", () => {
    const bare = new BareModule().bringUp();
    expect(bare.call(ADD, { RCX: list(bare, 1) })).toBe("OPERAND_INVALID(RAX)");
    expect(bare.call("TDH.EXT.INIT")).toBe("OPERAND_INVALID(RAX)");
  });
});
