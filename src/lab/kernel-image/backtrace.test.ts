import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Backtrace, backtrace, frameText, type UnwindRegisters } from "./backtrace.ts";
import type { OrcEntry } from "./orc.ts";
import { SortedSymbols } from "./sorted-symbols.ts";

const STACK = 0x7000n;
const CALL = { spOffset: 8, bpOffset: 0, spReg: "SP", bpReg: "UNDEFINED", type: 2, signal: false } as const;
const END: OrcEntry = { ...CALL, spReg: "UNDEFINED", type: 1 };

/** Functions of 256 bytes: their number tells the entry. */
const finder = (entries: Readonly<Record<number, OrcEntry>>) => (at: bigint) => entries[Number(at >> 8n)];

/** Stack words from STACK upward; anything else cannot be read. */
const stack =
  (...words: readonly bigint[]) =>
  async (address: bigint, length: number): Promise<Uint8Array> => {
    const at = Number(address - STACK);
    const bytes = new Uint8Array(BigUint64Array.from(words).buffer);
    if (at < 0 || at + length > bytes.length) throw new Error(`no memory at ${address}`);
    return bytes.slice(at, at + length);
  };

const addresses = ({ frames }: Backtrace) => frames.map(({ address }) => address);
const START: UnwindRegisters = { rip: 0x110n, rsp: STACK, rbp: 0xbbn };

describe("one frame", () => {
  it("a return address above the stack pointer", async () => {
    const found = await backtrace(finder({ 1: CALL, 2: END }), START, stack(0x220n));
    expect(found).toEqual({
      frames: [
        { address: 0x110n, isReturn: false },
        { address: 0x220n, isReturn: true },
      ],
      end: "end of stack",
    });
  });

  it.each<[string, Partial<OrcEntry>, Partial<UnwindRegisters>]>([
    ["RBP", { spReg: "BP", spOffset: 0 }, { rbp: STACK + 16n }],
    ["R10", { spReg: "R10", spOffset: 0 }, { r10: STACK + 16n }],
    ["R13", { spReg: "R13", spOffset: -8 }, { r13: STACK + 24n }],
    ["RDI", { spReg: "DI", spOffset: 16 }, { rdi: STACK }],
    ["RDX", { spReg: "DX", spOffset: 16 }, { rdx: STACK }],
    ["RAX", { spReg: "AX", spOffset: 16 }, { rax: STACK }],
    ["a word at RSP", { spReg: "SP_INDIRECT", spOffset: 8 }, { rsp: STACK }],
    ["a word by RBP", { spReg: "BP_INDIRECT", spOffset: -16 }, { rbp: STACK + 32n }],
  ])("the caller's stack pointer from %s", async (_, entry, registers) => {
    // [0] = STACK + 8 for the indirect one by RSP, [1] = the return address, [2] = STACK + 16 for the other
    const read = stack(STACK + 8n, 0x220n, STACK + 16n);
    const find = finder({ 1: { ...CALL, ...entry }, 2: END });
    expect(addresses(await backtrace(find, { ...START, ...registers }, read))).toEqual([0x110n, 0x220n]);
  });

  it("the caller's RBP is taken from the stack and used for the next one", async () => {
    const first: OrcEntry = { ...CALL, spOffset: 16, bpReg: "PREV_SP", bpOffset: -16 };
    const second: OrcEntry = { ...CALL, spReg: "BP", spOffset: 16 };
    const read = stack(STACK + 16n, 0x220n, 0n, 0x330n);
    expect(addresses(await backtrace(finder({ 1: first, 2: second, 3: END }), START, read))).toEqual([
      0x110n,
      0x220n,
      0x330n,
    ]);
  });

  it("a return address belongs to the function of its call, even behind its end", async () => {
    const found = await backtrace(finder({ 1: CALL, 2: END }), START, stack(0x300n));
    expect(found.end).toBe("end of stack");
    const symbols = new SortedSymbols([
      { name: "caller", address: 0x200n },
      { name: "next", address: 0x300n },
    ]);
    expect(found.frames.map((frame) => frameText(symbols, frame))).toEqual(["0x110", "caller+0x100"]);
  });
});

describe("an interrupt", () => {
  const interrupted: OrcEntry = { ...CALL, spOffset: 0, type: 4, signal: true };

  it("leads to the interrupted instruction, which is no return address", async () => {
    const read = stack(0x200n, 0x10n, 0x2n, STACK + 40n, 0x18n, 0x330n);
    const found = await backtrace(finder({ 1: interrupted, 2: CALL, 3: END }), START, read);
    expect(found.frames.map(({ address, isReturn }) => [address, isReturn])).toEqual([
      [0x110n, false],
      [0x200n, false],
      [0x330n, true],
    ]);
  });

  it("whole registers give the next frame what it needs", async () => {
    const words = new Array<bigint>(22).fill(0n);
    words[7] = STACK + 21n * 8n; // R10
    words[16] = 0x200n; // RIP
    words[17] = 0x10n; // CS
    words[20] = 0x330n;
    const find = finder({
      1: { ...interrupted, type: 3 },
      2: { ...CALL, spReg: "R10", spOffset: 0 },
      3: END,
    });
    expect(addresses(await backtrace(find, START, stack(...words)))).toEqual([0x110n, 0x200n, 0x330n]);
  });

  it("of a program ends it", async () => {
    const read = stack(0x200n, 0x33n, 0x2n, 0n, 0x2bn);
    expect(await backtrace(finder({ 1: interrupted }), START, read)).toMatchObject({ end: "user mode" });
  });
});

it.each<[string, Readonly<Record<number, OrcEntry>>, bigint[]]>([
  ["no unwind entry for 0x110", {}, []],
  ["code at 0x110 cannot be unwound", { 1: { ...CALL, type: 0 } }, []],
  ["the stack pointer at 0x110 is in a register that is not known", { 1: { ...CALL, spReg: "R10" } }, []],
  ["unwind entry of unknown type 7", { 1: { ...CALL, type: 7 } }, []],
  ["the stack does not go on upward", { 1: { ...CALL, spOffset: 0 } }, []],
  ["memory cannot be read: no memory at 28672", { 1: CALL }, []],
])("it ends with a reason: %s", async (end, entries, words) => {
  expect(await backtrace(finder(entries), START, stack(...words))).toEqual({
    frames: [{ address: 0x110n, isReturn: false }],
    end,
  });
});

it("a chain without an end is cut at 128 frames", async () => {
  const found = await backtrace(() => CALL, START, stack(...new Array<bigint>(300).fill(0x220n)));
  expect([found.frames.length, found.end]).toEqual([128, "more than 128 frames"]);
});

it("any entries over any memory end", async () => {
  const register = fc.constantFrom("SP", "BP", "SP_INDIRECT", "BP_INDIRECT", "R10", "PREV_SP", "UNDEFINED");
  const entry = fc.record({
    spOffset: fc.integer({ min: -64, max: 64 }),
    bpOffset: fc.integer({ min: -64, max: 64 }),
    spReg: register,
    bpReg: register,
    type: fc.integer({ min: 0, max: 7 }),
    signal: fc.boolean(),
  });
  const word = fc.oneof(
    fc.nat({ max: 1023 }).map(BigInt),
    fc.nat({ max: 400 }).map((n) => STACK + BigInt(n)),
  );
  const property = async (entries: OrcEntry[], words: bigint[]): Promise<void> => {
    const find = (at: bigint) => entries[Number(at % BigInt(entries.length))];
    const { frames } = await backtrace(find, { ...START, rip: 0x200n }, stack(...words));
    expect(frames.length).toBeLessThanOrEqual(128);
  };
  const list = fc.array(entry, { minLength: 1, maxLength: 5 });
  await fc.assert(fc.asyncProperty(list, fc.array(word, { maxLength: 60 }), property), { numRuns: 300 });
});
