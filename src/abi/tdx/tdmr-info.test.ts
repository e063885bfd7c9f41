import fc from "fast-check";
import { expect, it } from "vitest";
import {
  CMR_LIST_BYTES,
  decodeCmrList,
  decodeTdmrInfo,
  encodeCmrList,
  encodeTdmrInfo,
  pamtBytes,
  type TdmrInfo,
} from "./tdmr-info.ts";

const GIB = 1n << 30n;
const INFO: TdmrInfo = {
  base: 4n * GIB,
  size: 2n * GIB,
  pamt1G: { base: 0x1000n, size: 0x1000n },
  pamt2M: { base: 0x2000n, size: 0x4000n },
  pamt4K: { base: 0x10_0000n, size: 0x80_0000n },
  reserved: [{ offset: 0x20_0000n, size: 0x1000n }],
};

it("lays the structure out in 64-bit words", () => {
  const view = new DataView(encodeTdmrInfo(INFO).buffer);
  const words = Array.from({ length: 12 }, (_, i) => view.getBigUint64(8 * i, true));
  expect(words).toEqual([
    0x1_0000_0000n,
    0x8000_0000n,
    0x1000n,
    0x1000n,
    0x2000n,
    0x4000n,
    0x10_0000n,
    0x80_0000n,
    0x20_0000n,
    0x1000n,
    0n,
    0n,
  ]);
});
it("reads back what it wrote", () => {
  expect(decodeTdmrInfo(encodeTdmrInfo(INFO))).toEqual(INFO);
});
it("decodes any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (bytes) => {
      expect(decodeTdmrInfo(bytes).reserved.length).toBeLessThanOrEqual(28);
      expect(decodeCmrList(bytes).length).toBeLessThanOrEqual(32);
    }),
  );
});
it("sizes the metadata: 4 MiB a gigabyte for 4 KiB pages, a page at least", () => {
  expect(pamtBytes(GIB, 4096n)).toBe(4n << 20n);
  expect(pamtBytes(GIB, 2n << 20n)).toBe(8192n);
  expect(pamtBytes(GIB, GIB)).toBe(4096n);
});
it("ends a list of convertible ranges at the first size of zero", () => {
  const list = [
    { base: 0x1000n, size: 0x9f000n },
    { base: GIB, size: 3n * GIB },
  ];
  expect(encodeCmrList(list).length).toBe(CMR_LIST_BYTES);
  expect(decodeCmrList(encodeCmrList(list))).toEqual(list);
});
