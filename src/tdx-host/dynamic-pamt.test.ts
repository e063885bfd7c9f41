import { describe, expect, it } from "vitest";
import { getBig, R8, R9, R10, R11, RCX, RDX } from "../abi/tdx/regs.ts";
import { SEPT_FREE } from "../abi/tdx/sept-entry.ts";
import { statusText } from "../abi/tdx/status.ts";
import { addTables, createTd, tdrOf } from "../tdx-module/create-td.ts";
import { MODELLED_FEATURES, TdxModule } from "../tdx-module/module.ts";
import { VCPU_WORD } from "../tdx-module/td.ts";
import { GIB, MIB } from "../units.ts";
import { DynamicPamt } from "./dynamic-pamt.ts";
import { enableTdxNow } from "./init-module.ts";
import { TdMemory } from "./td-memory.ts";
import { hostRig } from "./testing/host-rig.ts";

const BLOCK = 2 * MIB;
const GPA = GIB;
/** Blocks that neither the host nor its TDs use otherwise. */
const A = 8 * GIB;
const B = 8 * GIB + BLOCK;
const PAGE = 4096;

/** A host with dynamic PAMT that is up, and its SEAMCALLs as text. */
const rig = () => {
  const host = hostRig({
    features: [...MODELLED_FEATURES, "DYNAMIC_PAMT"],
    policy: { dynamicPamt: true },
  });
  expect(enableTdxNow(host)).toBe(0);
  type Call = Parameters<typeof host.seamcall>;
  const call = (leaf: Call[0], operands: NonNullable<Call[1]>): string =>
    statusText(host.seamcall(leaf, operands));
  const add = (block: number, first: number, second: number): string =>
    call("TDH.PHYMEM.PAMT.ADD", { RCX: block + 1, RDX: first, R8: second });
  const remove = (block: number): string => call("TDH.PHYMEM.PAMT.REMOVE", { RCX: block + 1 });
  const register = (index: number): number => host.regs[2 * index]! + host.regs[2 * index + 1]! * 2 ** 32;
  return { host, module: host.module, call, add, remove, register };
};

/** The same with a TD, whose control pages and tables have their pairs. */
const withTd = () => {
  const made = rig();
  const memory = new TdMemory(made.host.pages);
  const pairs = new DynamicPamt(made.module, memory);
  const takeFrame = (): number => {
    const frame = memory.takeFrame();
    pairs.get(frame);
    return frame;
  };
  const td = createTd(made.module, { takeFrame, enter: false });
  addTables(made.module, td, GPA, 0, takeFrame);
  const page = (leaf: "TDH.MEM.PAGE.AUG", hpa: number, level: number, gpa = GPA): string =>
    made.call(leaf, { RCX: gpa + level, RDX: tdrOf(td), R8: hpa });
  return { ...made, memory, pairs, td, takeFrame, page };
};

describe("TDH.PHYMEM.PAMT.ADD and REMOVE", () => {
  it("show in the metadata: a page of a pair is PAMT, a free one is described by its block until there is a pair", () => {
    const { add, call, register } = rig();
    const read = (hpa: number): readonly (string | number)[] => {
      const result = call("TDH.PHYMEM.PAGE.RDMD", { RCX: hpa });
      // RCX type, RDX owner, R8 size class.
      return [result, register(1), register(2), register(8)];
    };
    expect(read(A)).toEqual(["SUCCESS", 0, 0, 1]);
    expect(add(A, B, A + PAGE)).toBe("SUCCESS");
    expect(read(A)).toEqual(["SUCCESS", 0, 0, 0]);
    for (const page of [B, A + PAGE]) expect(read(page)).toEqual(["SUCCESS", 15, 0, 0]);
    expect(read(B + PAGE)).toEqual(["SUCCESS", 0, 0, 1]);
    expect(call("TDH.PHYMEM.PAGE.RDMD", { RCX: A + 3 })).toBe("OPERAND_INVALID(RCX)");
    // A page that is reserved is marked in the bitmap as those of pairs are.
    expect(read(0)).toEqual(["SUCCESS", 15, 0, 0]);
  });
  it("show as the entry of their block, which names them, and leave that of their GiB free", () => {
    const { add, call, host } = rig();
    add(A, B, B + PAGE);
    const read = (hpa: number): (string | bigint)[] => {
      const result = call("TDH.PHYMEM.PAGE.RDMD", { RCX: hpa });
      return [result, ...[RCX, RDX, R8, R10, R11].map((register) => getBig(host.regs, register))];
    };
    expect(read(A + 1)).toEqual(["SUCCESS", 0x8000_0000_0000_000fn, 0n, 1n, BigInt(B), BigInt(B + PAGE)]);
    expect(read(B + 1)).toEqual(["SUCCESS", 0n, 0n, 1n, 0n, 0n]);
    expect(read(A + 2)).toEqual(["SUCCESS", 0n, 0n, 2n, 0n, 0n]);
    const refused = ["OPERAND_INVALID(RCX)", 0n, 0n, 0n, 0n, 0n];
    for (const hpa of [A + PAGE + 1, A + BLOCK + 2, A + 9, A + 2 ** 52]) expect(read(hpa)).toEqual(refused);
    expect(read(64 * GIB + 1)[0]).toBe("OPERAND_ADDR_RANGE_ERROR(RCX)");
  });
  it("show a large page of a TD at its own size, whatever smaller one is asked for", () => {
    const { page, call, register } = withTd();
    expect(page("TDH.MEM.PAGE.AUG", B + BLOCK, 1, GPA + 16 * BLOCK)).toBe("SUCCESS");
    for (const hpa of [B + BLOCK + 1, B + BLOCK, B + BLOCK + PAGE]) {
      expect(call("TDH.PHYMEM.PAGE.RDMD", { RCX: hpa })).toBe("SUCCESS");
      expect([register(RCX), register(R8)]).toEqual([3, 1]);
    }
  });
  it("give a block its pair and take it back", () => {
    const { add, remove, register, module } = rig();
    expect(add(A, B, B + PAGE)).toBe("SUCCESS");
    expect(module.pairs?.isPamtPage(B / PAGE)).toBe(true);
    expect(add(A, B + 2 * PAGE, B + 3 * PAGE)).toBe("HPA_RANGE_NOT_FREE(RCX)");
    expect(remove(A)).toBe("SUCCESS");
    expect([register(2), register(8)]).toEqual([B, B + PAGE]);
    expect(remove(A)).toBe("NO_PAMT_PAGE_PAIR(RCX)");
  });
  it("take pages of the block itself", () => {
    const { add, remove } = rig();
    expect([add(A, A, A + PAGE), remove(A)]).toEqual(["SUCCESS", "SUCCESS"]);
  });
  it("refuse what is no block or no free page, and change nothing", () => {
    const { add, remove, call, module } = rig();
    const before = module.save();
    expect(call("TDH.PHYMEM.PAMT.ADD", { RCX: A, RDX: B, R8: B + PAGE })).toBe("OPERAND_INVALID(RCX)");
    expect(add(A + PAGE, B, B + PAGE)).toBe("OPERAND_INVALID(RCX)");
    expect(add(64 * GIB, B, B + PAGE)).toBe("OPERAND_ADDR_RANGE_ERROR(RCX)");
    expect(add(A, B + 1, B + PAGE)).toBe("OPERAND_INVALID(RDX)");
    expect(add(A, B, 64 * GIB)).toBe("OPERAND_ADDR_RANGE_ERROR(R8)");
    expect(add(A, B, B)).toBe("PAGE_NOT_FREE(R8)");
    expect(add(A, 0, B)).toBe("PAGE_NOT_FREE(RDX)");
    // Both pages are looked for before the block is.
    expect(add(64 * GIB, B, 64 * GIB)).toBe("OPERAND_ADDR_RANGE_ERROR(R8)");
    expect(add(64 * GIB, 64 * GIB, B + 1)).toBe("OPERAND_ADDR_RANGE_ERROR(RDX)");
    expect(remove(B)).toBe("NO_PAMT_PAGE_PAIR(RCX)");
    expect(module.save()).toEqual(before);
    add(A, B, B + PAGE);
    expect(add(B + BLOCK, B + 2 * PAGE, B)).toBe("PAGE_NOT_FREE(R8)");
    expect(add(A, 64 * GIB, B + PAGE)).toBe("OPERAND_ADDR_RANGE_ERROR(RDX)");
    expect(add(A, 0, B)).toBe("HPA_RANGE_NOT_FREE(RCX)");
  });
  it("are no leaves of a module without dynamic PAMT", () => {
    const host = hostRig();
    enableTdxNow(host);
    expect(statusText(host.seamcall("TDH.PHYMEM.PAMT.ADD", { RCX: A + 1, RDX: B, R8: B + PAGE }))).toBe(
      "OPERAND_INVALID(RAX)",
    );
  });
  it("are part of the module's state", () => {
    const { add, module } = rig();
    for (let i = 0; i < 20; i++) add(A + i * BLOCK, 9 * GIB + i * BLOCK, 9 * GIB + i * BLOCK + PAGE);
    const saved = module.save();
    const other = new TdxModule({ sys: module.sysInfo, features: module.features });
    other.load(saved);
    expect(other.save()).toEqual(saved);
    expect(other.pairs?.pairOf((A + 19 * BLOCK) / PAGE)).toEqual([
      (9 * GIB + 19 * BLOCK) / PAGE,
      (9 * GIB + 19 * BLOCK) / PAGE + 1,
    ]);
  });
});

describe("pages of a TD on a module with dynamic PAMT", () => {
  it("of 4 KiB need a pair for their block, of 2 MiB none and no page of one", () => {
    const { page, add, remove } = withTd();
    expect(page("TDH.MEM.PAGE.AUG", A, 0)).toBe("MISSING_PAMT_PAGE_PAIR(R8)");
    expect(add(A, B, B + PAGE)).toBe("SUCCESS");
    expect(page("TDH.MEM.PAGE.AUG", A, 0)).toBe("SUCCESS");
    expect(page("TDH.MEM.PAGE.AUG", B, 0, GPA + PAGE)).toBe("PAGE_METADATA_INCORRECT(R8)");
    expect(remove(A)).toBe("PAMT_PAGE_NOT_EMPTY(0)");
    const large = GPA + 16 * BLOCK;
    expect(page("TDH.MEM.PAGE.AUG", A, 1, large)).toBe("PAGE_METADATA_INCORRECT(R8)");
    expect(page("TDH.MEM.PAGE.AUG", B, 1, large)).toBe("PAGE_METADATA_INCORRECT(R8)");
    expect(page("TDH.MEM.PAGE.AUG", B + BLOCK, 1, large)).toBe("SUCCESS");
    expect(add(B + BLOCK, B + 2 * PAGE, B + 3 * PAGE)).toBe("HPA_RANGE_NOT_FREE(RCX)");
  });
  it("the last of a block that is removed says so in bit 62 of RCX", () => {
    const { page, add, call, register, td } = withTd();
    add(A, B, B + PAGE);
    page("TDH.MEM.PAGE.AUG", A, 0);
    page("TDH.MEM.PAGE.AUG", A + PAGE, 0, GPA + PAGE);
    const drop = (gpa: number): string => {
      for (const leaf of ["TDH.MEM.RANGE.BLOCK", "TDH.MEM.PAGE.REMOVE"] as const) {
        const said = call(leaf, { RCX: gpa, RDX: tdrOf(td) });
        if (said !== "SUCCESS") return said;
        if (leaf === "TDH.MEM.RANGE.BLOCK") call("TDH.MEM.TRACK", { RCX: tdrOf(td) });
      }
      return `0x${register(1).toString(16)}`;
    };
    expect(drop(GPA)).toBe(`0x${A.toString(16)}`);
    expect(drop(GPA + PAGE)).toBe(`0x${(A + PAGE + 2 ** 62).toString(16)}`);
  });
  it("as the last table of a block that goes", () => {
    const { add, call, register, td } = withTd();
    add(A, B, B + PAGE);
    const entries = [GPA + 32 * BLOCK + 1, GPA + 33 * BLOCK + 1];
    const on = (leaf: "TDH.MEM.RANGE.BLOCK" | "TDH.MEM.SEPT.REMOVE", RCX: number): string =>
      call(leaf, { RCX, RDX: tdrOf(td) });
    entries.forEach((RCX, i) => {
      expect(call("TDH.MEM.SEPT.ADD", { RCX, RDX: tdrOf(td), R8: A + i * PAGE })).toBe("SUCCESS");
    });
    const left = entries.map((entry) => {
      on("TDH.MEM.RANGE.BLOCK", entry);
      call("TDH.MEM.TRACK", { RCX: tdrOf(td) });
      expect(on("TDH.MEM.SEPT.REMOVE", entry)).toBe("SUCCESS");
      return register(RCX);
    });
    expect(left).toEqual([A, A + PAGE + 2 ** 62]);
  });
  it("as the last page that is reclaimed, in bit 62 of R9", () => {
    const { page, add, call, register, td } = withTd();
    add(A, B, B + PAGE);
    page("TDH.MEM.PAGE.AUG", A, 0);
    page("TDH.MEM.PAGE.AUG", A + PAGE, 0, GPA + PAGE);
    const tdr = tdrOf(td);
    const steps = [
      ["TDH.VP.FLUSH", td.vcpu(0, VCPU_WORD.TDVPR_FRAME) * PAGE],
      ["TDH.MNG.VPFLUSHDONE", tdr],
      ["TDH.PHYMEM.CACHE.WB", 0],
      ["TDH.MNG.KEY.FREEID", tdr],
    ] as const;
    for (const [leaf, operand] of steps) expect(call(leaf, { RCX: operand })).toBe("SUCCESS");
    const left = [A, A + PAGE].map((hpa) => {
      expect(call("TDH.PHYMEM.PAGE.RECLAIM", { RCX: hpa })).toBe("SUCCESS");
      return register(R9);
    });
    expect(left).toEqual([0, 2 ** 62]);
  });
  it("are split with a pair in R12 and R13, which merging gives back", () => {
    const { page, call, register, td, takeFrame, module } = withTd();
    const gpa = GPA + 16 * BLOCK;
    expect(page("TDH.MEM.PAGE.AUG", A, 1, gpa)).toBe("SUCCESS");
    const on = (leaf: "TDH.MEM.RANGE.BLOCK" | "TDH.MEM.PAGE.PROMOTE"): string =>
      call(leaf, { RCX: gpa + 1, RDX: tdrOf(td) });
    const demote = (first: number, second: number): string =>
      call("TDH.MEM.PAGE.DEMOTE", {
        RCX: gpa + 1,
        RDX: tdrOf(td),
        R8: table * PAGE,
        R12: first,
        R13: second,
      });
    const table = takeFrame();
    on("TDH.MEM.RANGE.BLOCK");
    call("TDH.MEM.TRACK", { RCX: tdrOf(td) });
    expect(demote(B + 1, B)).toBe("OPERAND_INVALID(R12)");
    expect(demote(B, 0)).toBe("PAGE_NOT_FREE(R13)");
    expect(demote(B, B + PAGE)).toBe("SUCCESS");
    expect(module.pairs?.has(A / PAGE)).toBe(true);
    on("TDH.MEM.RANGE.BLOCK");
    call("TDH.MEM.TRACK", { RCX: tdrOf(td) });
    expect(on("TDH.MEM.PAGE.PROMOTE")).toBe("SUCCESS");
    expect([register(12), register(13), module.pairs?.has(A / PAGE)]).toEqual([B, B + PAGE, false]);
    td.sept.walk(gpa, 0, 1);
    expect(td.sept.stateHere).not.toBe(SEPT_FREE);
  });
});

it("the host brings a pair with the first page of a block and takes it back with the last", () => {
  const { host, module } = rig();
  const memory = new TdMemory(host.pages);
  const pairs = new DynamicPamt(module, memory);
  const calls: number[] = [];
  pairs.onCall = (leaf) => calls.push(leaf);
  const free = host.pages.freeBytes;
  const frame = A / PAGE;
  for (const page of [frame, frame + 1, frame + 512]) expect(pairs.get(page)).toBe(true);
  expect([pairs.pairs, memory.bytes, free - host.pages.freeBytes]).toEqual([2, 4 * PAGE, 4 * PAGE]);
  pairs.put(frame);
  expect(pairs.pairs).toBe(2);
  pairs.put(frame + 1);
  pairs.removeAll();
  expect([pairs.pairs, memory.bytes, host.pages.freeBytes, calls]).toEqual([0, 0, free, [58, 58, 59, 59]]);
  host.pages.takeAny(host.pages.freeBytes - PAGE);
  expect([pairs.get(frame), pairs.pairs, host.pages.freeBytes]).toEqual([false, 0, PAGE]);
});

it("the host brings no pair where the module has no metadata, and keeps the two pages", () => {
  const { host, module } = rig();
  const memory = new TdMemory(host.pages);
  const pairs = new DynamicPamt(module, memory);
  const free = host.pages.freeBytes;
  const calls: string[] = [];
  pairs.onCall = (_leaf, result) => calls.push(statusText(result));
  expect(pairs.get((256 * GIB) / PAGE)).toBe(false);
  expect([pairs.pairs, memory.bytes, host.pages.freeBytes]).toEqual([0, 0, free]);
  expect(calls).toEqual(["OPERAND_ADDR_RANGE_ERROR(RCX)"]);
});
