import { expect, it } from "vitest";
import { decompress } from "./decompress.ts";
import { decodeElf, PROGRAM_HEADER } from "./elf.ts";
import { SETUP_HEADER } from "./setup-header.ts";
import { TEXT, tinyKernel } from "./testing/tiny-kernel.ts";
import { unpackingOf } from "./unpacking.ts";

const SIZE = 3 * 2 ** 20;
/** Offsets from the kernel's start of a 64-bit word, a 32-bit one, and one that moves the other way. */
const [WORD, HALF, INVERSE] = [16, 32, 48];

const tiny = tinyKernel({ startup_64: 0 });

/** A kernel in a bzImage, with an address of each kind in its text, and the lists of their places behind it. */
const kernel = (compression: "zstd" | "gzip" = "zstd", loadflags = 1) => {
  const places = [0, WORD, 0, INVERSE, 0, HALF].map((at) =>
    at === 0 ? 0 : Number(BigInt.asIntN(32, TEXT)) + at,
  );
  const file = new Uint8Array(Buffer.concat([tiny.elf.file, Buffer.from(Int32Array.from(places).buffer)]));
  const text = new DataView(file.buffer, Number(decodeElf(file).segments[0]!.offset));
  text.setBigUint64(WORD, 0x1_ffff_f000n, true);
  text.setUint32(HALF, 0x8100_0000, true);
  text.setUint32(INVERSE, 0x10, true);
  const end = { name: "", index: 0, type: 0, flags: 0n, addr: 0n, size: 0n, link: 0, info: 0 };
  const last = { ...end, offset: BigInt(tiny.elf.file.length), addralign: 0n, entsize: 0n };
  const elf = { ...decodeElf(file), sections: [{ ...last, bytes: new Uint8Array() }] };
  const header = {
    ...SETUP_HEADER.decode(new Uint8Array(SETUP_HEADER.size)),
    ...{ prefAddress: 0x100_0000n, initSize: 2 ** 26, loadflags, code32Start: 2 ** 20, payloadOffset: 0x3c4 },
  };
  const payload = { offset: 0, compression, bytes: new Uint8Array(2 ** 20), size: SIZE };
  const bzImage = { header, version: "", protectedMode: new Uint8Array(), payload };
  return { ...tiny, elf, bzImage };
};

it("the stand-in is the kernel's headers without a byte for a segment, zeroes, and one place to relocate", async () => {
  const { elf } = kernel();
  const unpacking = unpackingOf(kernel())!;
  expect([unpacking.start, unpacking.payloadAt]).toEqual([0x10_0000n, 0x10_03c4]);
  const standIn = await decompress("stand-in", unpacking.standIn(), "zstd", SIZE);
  const told = decodeElf(standIn);
  expect(told.entry).toBe(elf.entry);
  expect(told.segments.map(({ paddr }) => paddr)).toEqual(elf.segments.map(({ paddr }) => paddr));
  expect(told.segments.map(({ filesz }) => filesz)).toEqual(elf.segments.map(() => 0n));
  const headers = 64 + elf.segments.length * PROGRAM_HEADER.size;
  const rest = standIn.subarray(headers, SIZE - 4);
  expect(rest.findIndex((byte) => byte !== 0)).toBe(-1);
  const place = new DataView(standIn.buffer, standIn.byteOffset).getInt32(SIZE - 4, true);
  expect(BigInt.asUintN(64, BigInt(place)) - TEXT).toBe(BigInt(unpacking.witness));
});

it("addresses move with the kernel, a word's upper half too, and a difference the other way", () => {
  const unpacking = unpackingOf(kernel())!;
  const bytes = unpacking.unpacked();
  const view = new DataView(bytes.buffer);
  unpacking.relocate(bytes, 0x20_0000);
  expect(view.getBigUint64(WORD, true)).toBe(0x2_001f_f000n);
  expect(view.getUint32(HALF, true)).toBe(0x8120_0000);
  expect(view.getInt32(INVERSE, true)).toBe(0x10 - 0x20_0000);
  const second = Number(tiny.elf.segments[1]!.paddr) - 0x100_0000;
  expect(bytes.subarray(second)).toEqual(new Uint8Array(tiny.elf.segments[1]!.bytes));
});

it("a kernel of another compression, or put elsewhere, or without lists, is left to its decompressor", () => {
  expect(unpackingOf(kernel("gzip"))).toBeUndefined();
  expect(unpackingOf(kernel("zstd", 0))).toBeUndefined();
  expect(unpackingOf({ ...kernel(), elf: tiny.elf })).toBeUndefined();
  expect(unpackingOf(tiny)).toBeUndefined();
});
