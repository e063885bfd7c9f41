import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { decodeElf, type Elf } from "./elf.ts";
import { Kallsyms, readKallsyms } from "./kallsyms.ts";
import type { KallsymsAddresses } from "./kallsyms-addresses.ts";
import { encodeKallsyms, type TinySymbol } from "./testing/kallsyms-encoding.ts";
import { tinyElf } from "./testing/tiny-elf.ts";

const BASE = 0xffff_ffff_8100_0000n;
const RODATA = 0xffff_ffff_8200_0000n;
const LAYOUTS = ["offsets before names", "offsets after names", "place-relative"] as const;
type Layout = KallsymsAddresses["layout"];

const elfOf = (rodata: Uint8Array): Elf =>
  decodeElf(
    tinyElf([
      { vaddr: BASE, paddr: 0x100_0000n, bytes: Uint8Array.of(0x90) },
      { vaddr: RODATA, paddr: 0x200_0000n, bytes: rodata },
    ]),
  );
const imageOf = (symbols: readonly TinySymbol[], layout: Layout): Elf =>
  elfOf(encodeKallsyms(symbols, layout, { base: BASE, address: RODATA }));
const read = (symbols: readonly TinySymbol[], layout: Layout): Kallsyms =>
  Kallsyms.of(readKallsyms(imageOf(symbols, layout)));

/** Enough for several groups of 256, with a name twice and two names at one address. */
const SYMBOLS: TinySymbol[] = [
  { type: "T", name: "_text", value: 0 },
  { type: "T", name: "accept_memory", value: 0x1000 },
  { type: "T", name: "__accept_memory", value: 0x1000 },
  { type: "t", name: "twice", value: 0x2000 },
  ...Array.from({ length: 600 }, (_, n) => ({ type: "t", name: `function_${n}`, value: 0x3000 + 16 * n })),
  { type: "t", name: "twice", value: 0x9000 },
  { type: "B", name: `${"long".repeat(50)}`, value: 0x7fff_0000 },
];
const ABSOLUTE: TinySymbol[] = [
  { type: "A", name: "__per_cpu_start", value: 0, absolute: true },
  { type: "A", name: "per_cpu_thing", value: 0x1000, absolute: true },
];

describe.each(LAYOUTS)("the layout with %s", (layout) => {
  const symbols = layout === "place-relative" ? SYMBOLS : [...ABSOLUTE, ...SYMBOLS];
  const table = read(symbols, layout);

  it("is recognised, and every symbol read", () => {
    expect(table.data.layout).toBe(layout);
    expect(table.base).toBe(BASE);
    expect(table.count).toBe(symbols.length);
    const found = Array.from({ length: table.count }, (_, n) => `${table.typeAt(n)} ${table.nameAt(n)}`);
    expect(found).toEqual(symbols.map(({ type, name }) => `${type} ${name}`));
  });

  it("gives addresses by name, the first of several, and all of them", () => {
    expect(table.addressOf("accept_memory")).toBe(BASE + 0x1000n);
    expect(table.addressOf("twice")).toBe(BASE + 0x2000n);
    expect(table.all("twice")).toEqual([BASE + 0x2000n, BASE + 0x9000n]);
    expect(table.addressOf("absent")).toBeUndefined();
    expect(table.all("absent")).toEqual([]);
    expect(table.addressOf("long".repeat(50))).toBe(BASE + 0x7fff_0000n);
  });

  it("names an address by the symbol before it, the first of those at one address", () => {
    expect(table.nearest(BASE + 0x101cn)).toEqual({ name: "accept_memory", offset: 0x1c });
    expect(table.nearest(BASE)).toEqual({ name: "_text", offset: 0 });
    expect(table.nearest(BASE - 1n)).toBeUndefined();
    expect(table.nearest(BASE + 0x7fff_0000n + 0x20_0000n)).toBeUndefined();
    expect(table.next(BASE + 0x1000n)).toBe(BASE + 0x2000n);
    expect(table.next(BASE + 0x7fff_0000n)).toBeUndefined();
  });

  it("moves with the kernel", () => {
    const moved = table.withBase(0xffff_ffff_aec0_0000n);
    expect(moved.addressOf("accept_memory")).toBe(0xffff_ffff_aec0_1000n);
    expect(moved.nearest(0xffff_ffff_aec0_1004n)).toEqual({ name: "accept_memory", offset: 4 });
    expect(table.addressOf("accept_memory")).toBe(BASE + 0x1000n);
  });
});

it("symbols that do not move keep their value, and name no address", () => {
  const table = read([...ABSOLUTE, ...SYMBOLS], "offsets after names");
  const moved = table.withBase(0xffff_ffff_aec0_0000n);
  expect(moved.addressOf("per_cpu_thing")).toBe(0x1000n);
  expect(moved.nearest(0x1000n)).toBeUndefined();
});

/** More than one group: with one marker alone, other bytes may look like a list too. */
it("any list of symbols survives the encoding", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_.$]{1,40}$/);
  const symbol = fc.record({ type: fc.constantFrom(..."TtDdBbRr"), name, step: fc.nat({ max: 4096 }) });
  fc.assert(
    fc.property(
      fc.array(symbol, { minLength: 257, maxLength: 700 }),
      fc.constantFrom(...LAYOUTS),
      (list, layout) => {
        let value = 0;
        const symbols = list.map(({ type, name, step }) => ({ type, name, value: (value += step) }));
        symbols[0]!.value = 0;
        const table = read(symbols, layout);
        const found = symbols.map((_, n) => [table.nameAt(n), table.addressAt(n)]);
        expect(found).toEqual(symbols.map((each) => [each.name, BASE + BigInt(each.value)]));
      },
    ),
    { numRuns: 60 },
  );
});

it("an image without symbols says so", () => {
  const message = "kallsyms, byte 0: expected a symbol list (CONFIG_KALLSYMS), found none";
  expect(() => readKallsyms(elfOf(new Uint8Array(4096)))).toThrow(message);
});

it("a damaged list is read or throws DecodeError", () => {
  const rodata = encodeKallsyms(SYMBOLS, "offsets after names", { base: BASE, address: RODATA });
  const change = fc.tuple(fc.nat({ max: rodata.length - 1 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), fc.nat({ max: rodata.length }), (changes, cut) => {
      const bytes = rodata.slice(0, cut < 100 ? rodata.length : cut);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      try {
        Kallsyms.of(readKallsyms(elfOf(bytes)));
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
    { numRuns: 100 },
  );
});
