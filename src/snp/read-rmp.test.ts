import fc from "fast-check";
import { expect, it } from "vitest";
import { RMP_ENTRY_BYTES, RMP_HEAD_BYTES } from "../abi/snp/rmp-entry.ts";
import { looksLikeRmp, RmpError, RmpReader, readRmp } from "./read-rmp.ts";

/** A dump whose entries are the given low quadwords by index. */
const dump = (entries: { readonly [index: number]: bigint }, count = 1024): Uint8Array => {
  const bytes = new Uint8Array(RMP_HEAD_BYTES + count * RMP_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, raw] of Object.entries(entries))
    view.setBigUint64(RMP_HEAD_BYTES + Number(index) * RMP_ENTRY_BYTES, raw, true);
  return bytes;
};

const ASSIGNED = 1n;
const LARGE = 2n;
const VALIDATED = 1n << 62n;
const guest = (asid: bigint, gfn: bigint): bigint => (asid << 51n) | (gfn << 12n);

it("lists what is assigned, by size, guest and address", () => {
  const bytes = dump({
    3: ASSIGNED | VALIDATED | guest(5n, 7n),
    512: ASSIGNED | LARGE | guest(5n, 1024n),
  });
  expect(readRmp(bytes)).toEqual([
    { frame: 3, pages: 1, gfn: 7, asid: 5, validated: true },
    { frame: 512, pages: 512, gfn: 1024, asid: 5, validated: false },
  ]);
});

it.each([
  ["a reserved bit", { 2: 8n }, "RMP entry 2 at offset 0x4020: expected no reserved bit set, found 0x8"],
  ["validated, not assigned", { 1: VALIDATED }, "RMP entry 1 at offset 0x4010: expected an assigned page"],
  [
    "a 2 MiB entry off its place",
    { 1: ASSIGNED | LARGE | guest(5n, 0n) },
    "a 2 MiB entry at a multiple of 512",
  ],
  [
    "a 2 MiB entry of a small page",
    { 0: ASSIGNED | LARGE | guest(5n, 1n) },
    "a 2 MiB entry of a 2 MiB guest page",
  ],
  ["a firmware page that is validated", { 0: ASSIGNED | VALIDATED }, "a guest's page where it is validated"],
  [
    "an assigned page inside a 2 MiB entry",
    { 0: ASSIGNED | LARGE | guest(5n, 512n), 9: ASSIGNED | guest(5n, 9n) },
    "RMP entry 9 at offset 0x4090: expected none inside the 2 MiB entry 0, found an assigned page",
  ],
  [
    "two validated pages for one address",
    { 0: ASSIGNED | LARGE | VALIDATED | guest(5n, 512n), 600: ASSIGNED | VALIDATED | guest(5n, 514n) },
    "RMP entry 600 at offset 0x6580: expected one such page, and entry 0 is one, found a page that is validated for 0x202000 of guest 5",
  ],
])("refuses %s, and says where", (_, entries, message) => {
  expect(() => readRmp(dump(entries))).toThrow(RmpError);
  expect(() => readRmp(dump(entries))).toThrow(message);
});

it("refuses a length that is no whole table", () => {
  expect(() => readRmp(new Uint8Array(3))).toThrow(
    "RMP: expected 16384 bytes and a multiple of 16, found 3 bytes",
  );
});

it.each([1, 16, 4097, 2 ** 16])("reads a dump in pieces of %i bytes as it reads it whole", (piece) => {
  const bytes = dump({ 3: ASSIGNED | VALIDATED | guest(5n, 7n), 512: ASSIGNED | LARGE | guest(5n, 1024n) });
  const entries: unknown[] = [];
  const reader = new RmpReader((entry) => entries.push(entry));
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  reader.end();
  expect([entries, reader.pages]).toEqual([readRmp(bytes), 1024]);
});

it("tells a small page validated before the large one that has it too", () => {
  const bytes = dump({
    3: ASSIGNED | VALIDATED | guest(5n, 514n),
    512: ASSIGNED | LARGE | VALIDATED | guest(5n, 512n),
  });
  expect(() => readRmp(bytes)).toThrow("and entry 3 is one, found a page that is validated for 0x202000");
});

it("knows a table by its first entries, unless nothing in them is assigned", () => {
  const bytes = dump({ 3: ASSIGNED | guest(5n, 7n) });
  expect([looksLikeRmp(bytes), looksLikeRmp(dump({})), looksLikeRmp(dump({ 3: 8n }))]).toEqual([
    true,
    false,
    false,
  ]);
});

it("any bytes are read or refused by its own error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 256 }), fc.boolean(), (tail, whole) => {
      const bytes = new Uint8Array(RMP_HEAD_BYTES + (whole ? tail.length - (tail.length % 16) : tail.length));
      bytes.set(tail.subarray(0, bytes.length - RMP_HEAD_BYTES), RMP_HEAD_BYTES);
      try {
        readRmp(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(RmpError);
      }
    }),
  );
});
