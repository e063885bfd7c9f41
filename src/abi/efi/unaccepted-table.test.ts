import fc from "fast-check";
import { expect, it } from "vitest";
import { setRange } from "../../flat/bitmap.ts";
import { GIB, MIB } from "../../units.ts";
import { DecodeError } from "../bytes.ts";
import {
  EFI_UNACCEPTED_UNIT_SIZE,
  putUnacceptedTable,
  UNACCEPTED_TABLE_HEADER,
  type UnacceptedTableVersion,
  unacceptedTableBytes,
  unacceptedTableView,
} from "./unaccepted-table.ts";

const table = (version: UnacceptedTableVersion, physBase: bigint, size: number): Uint8Array => {
  const bytes = new Uint8Array(unacceptedTableBytes(version, size));
  putUnacceptedTable(bytes, { version, unitSize: EFI_UNACCEPTED_UNIT_SIZE, physBase, size });
  return bytes;
};

it("the header of a 2 GiB window at 4 GiB is the one of the kernel", () => {
  const header = "01 00 00 00 00 00 20 00 00 00 00 00 01 00 00 00 80 00 00 00 00 00 00 00";
  const bytes = table(1, 0x1_0000_0000n, 128);
  expect([...bytes.subarray(0, 24)]).toEqual(header.split(" ").map((byte) => Number.parseInt(byte, 16)));
  expect(bytes).toHaveLength(152);
  expect(unacceptedTableView(bytes)).toMatchObject({
    physBase: 4 * GIB,
    units: 1024,
    windowEnd: 6 * GIB,
    plugged: undefined,
  });
});

it("the two bitmaps of version 2 share no byte, wherever the second one starts", () => {
  for (const size of [1, 3, 8, 13]) {
    const bytes = table(2, 0n, size);
    const view = unacceptedTableView(bytes);
    setRange(view.unaccepted, 0, view.units);
    expect(view.plugged!.every((byte) => byte === 0)).toBe(true);
    expect([...bytes.subarray(24)]).toEqual([...new Array(size).fill(0xff), ...new Array(size).fill(0)]);
    expect(view.plugged!.byteOffset - view.unaccepted.byteOffset).toBe(size);
  }
});

it("a 4 KiB bitmap covers 64 GiB and one of 256 MiB covers 4 PiB", () => {
  expect(unacceptedTableView(table(1, 0n, 4096)).windowEnd).toBe(64 * GIB);
  const header = UNACCEPTED_TABLE_HEADER.encode({
    version: 1,
    unitSize: EFI_UNACCEPTED_UNIT_SIZE,
    physBase: 0n,
    size: BigInt(256 * MIB),
  });
  const bytes = new Uint8Array(unacceptedTableBytes(1, 256 * MIB));
  bytes.set(header);
  expect(unacceptedTableView(bytes).windowEnd).toBe(2 ** 52);
});

it.each([
  [{ version: 3 }, 0],
  [{ version: 0 }, 0],
  [{ unitSize: 0 }, 4],
  [{ physBase: 0x1000n }, 8],
  [{ physBase: 2n ** 63n }, 8],
  [{ size: 2n }, 16],
  [{ size: 2n ** 64n - 1n }, 16],
])("refuses a header with %o at byte %i", (wrong, offset) => {
  const good = { version: 1, unitSize: EFI_UNACCEPTED_UNIT_SIZE, physBase: 0n, size: 1n };
  const bytes = new Uint8Array(25);
  bytes.set(UNACCEPTED_TABLE_HEADER.encode({ ...good, ...wrong }));
  expect(() => unacceptedTableView(bytes)).toThrow(DecodeError);
  expect(() => unacceptedTableView(bytes)).toThrow(`byte ${offset}:`);
});

it("any bytes are a table or are refused with DecodeError", () => {
  const start = fc.constantFrom([1, 0, 0, 0, 0, 0, 0x20], [2, 0, 0, 0, 0, 0, 0x20], []);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 64 }), (head, rest) => {
      const bytes = Uint8Array.from([...head, ...rest]);
      try {
        const view = unacceptedTableView(bytes);
        expect(view.unaccepted).toHaveLength(view.size);
        expect(view.plugged?.length ?? view.size).toBe(view.size);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
