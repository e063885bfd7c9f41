import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { NotModelled } from "../../not-modelled.ts";
import { Btf } from "./btf.ts";
import { kernelOrc, OrcTable, readModuleOrc } from "./orc.ts";
import { encodeBtf } from "./testing/btf-encoding.ts";
import { encodeOrc, ORC_HEADER, type TinyOrc } from "./testing/orc-encoding.ts";
import { TEXT, tinyKernel } from "./testing/tiny-kernel.ts";

const MODULES = 0xffff_ffff_c000_0000n;
const PLACES = 0xffff_ffff_8300_0000n;
const ENTRIES: TinyOrc[] = [
  { at: TEXT, type: 0 },
  { at: TEXT + 0x100n, spReg: "SP", spOffset: 8 },
  { at: TEXT + 0x10bn, spReg: "BP", spOffset: 16, bpReg: "PREV_SP", bpOffset: -16 },
  { at: TEXT + 0x200n, spReg: "SP", type: 4, signal: true },
];
const table = (release: keyof typeof ORC_HEADER): OrcTable => {
  const { places, entries } = encodeOrc(ENTRIES, PLACES, release);
  return OrcTable.decode(places, PLACES, entries, ORC_HEADER[release]);
};

it.each(["6.12", "7.3"] as const)(
  "an instruction has the entry at or before it, in the numbers of %s",
  (release) => {
    const orc = table(release);
    expect(orc.count).toBe(4);
    expect(orc.find(TEXT - 1n)).toBeUndefined();
    expect(orc.find(TEXT + 0x10an)).toMatchObject({ spReg: "SP", spOffset: 8, type: 2, signal: false });
    const middle = { spReg: "BP", spOffset: 16, bpReg: "PREV_SP", bpOffset: -16 };
    expect(orc.find(TEXT + 0x10bn)).toMatchObject(middle);
    expect(orc.find(TEXT + 0x9999n)).toMatchObject({ spReg: "SP", type: 4, signal: true });
    expect(orc.movedBy(0x20_0000n).find(TEXT + 0x20_010bn)).toMatchObject(middle);
  },
);

it("entries of an unknown form are not guessed at", () => {
  const { places, entries } = encodeOrc(ENTRIES, PLACES);
  expect(() => OrcTable.decode(places, PLACES, entries, new Uint8Array(20))).toThrow(NotModelled);
});

it("places out of order and too few entries are refused", () => {
  const backward = encodeOrc([...ENTRIES].reverse(), PLACES);
  const decode = (places: Uint8Array, entries: Uint8Array) =>
    OrcTable.decode(places, PLACES, entries, ORC_HEADER["6.12"]);
  expect(() => decode(backward.places, backward.entries)).toThrow(
    "byte 4: expected instructions in ascending order",
  );
  expect(() => decode(backward.places, new Uint8Array(23))).toThrow(
    "expected 4 entries of 6 bytes, found 23 bytes",
  );
});

it("the kernel's own table is found by its symbols; a kernel without has none", () => {
  const data = new Uint8Array(64);
  const { places, entries } = encodeOrc(ENTRIES, TEXT + 0x100_0014n);
  data.set(ORC_HEADER["6.12"]);
  data.set(places, 20);
  data.set(entries, 36);
  const symbols = {
    __start_orc_unwind_ip: 0x100_0014,
    __stop_orc_unwind_ip: 0x100_0024,
    __start_orc_unwind: 0x100_0024,
    __stop_orc_unwind: 0x100_003c,
  };
  expect(kernelOrc(tinyKernel(symbols, {}, data))?.find(TEXT + 0x100n)).toMatchObject({ spReg: "SP" });
  expect(kernelOrc(tinyKernel({}))).toBeUndefined();
});

it("a module's table is read from the guest's memory", async () => {
  const member = (name: string, type: number, byte: number) => [name, type, 8 * byte];
  const types = Btf.decode(
    encodeBtf([
      { kind: "INT", name: "unsigned long", size: 8, words: [64] },
      { kind: "STRUCT", name: "module", size: 64, count: 1, words: member("arch", 3, 16) },
      {
        kind: "STRUCT",
        name: "mod_arch_specific",
        size: 24,
        count: 3,
        words: [
          ...member("num_orcs", 1, 0),
          ...member("orc_unwind_ip", 1, 8),
          ...member("orc_unwind", 1, 16),
        ],
      },
    ]),
  );
  const { places, entries } = encodeOrc(ENTRIES, MODULES + 0x1000n);
  const module = BigUint64Array.of(0n, 0n, 4n, MODULES + 0x1000n, MODULES + 0x2000n, 0n);
  const memory = new Map([
    [MODULES, new Uint8Array(module.buffer)],
    [MODULES + 0x1000n, places],
    [MODULES + 0x2000n, entries],
  ]);
  const read = async (address: bigint, length: number) =>
    memory.get(address & ~0xfffn)!.slice(Number(address & 0xfffn), Number(address & 0xfffn) + length);
  const orc = await readModuleOrc(types, read, MODULES, table("6.12"));
  expect(orc.find(TEXT + 0x10bn)).toMatchObject({ spReg: "BP" });
  module[2] = 0xffff_ffffn;
  await expect(readModuleOrc(types, read, MODULES, table("6.12"))).rejects.toThrow(DecodeError);
});

it("any table is read or refused with DecodeError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 96 }), (places, entries) => {
      try {
        const orc = OrcTable.decode(places, PLACES, entries, ORC_HEADER["7.3"]);
        for (const at of [0n, PLACES, TEXT]) orc.find(at);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
