import { expect, it } from "vitest";
import { predictTable } from "./stub-table.ts";

const range = (start: number, end: number) => ({ start, end });

// The worked examples of the stub's own tests: base, bytes of a bitmap, end of the window.
it.each([
  [[range(0x1_0000_0000, 0x1_8000_0000)], 0x1_0000_0000, 128, 0x1_8000_0000],
  [[range(0x1_0000_1000, 0x1_3fff_f000)], 0x1_0000_0000, 64, 0x1_4000_0000],
  [[range(0x1_0000_0000, 0x1_003f_f000)], 0x1_0000_0000, 1, 0x1_0100_0000],
  [[range(0x80_0000, 0xbf_f000), range(0x1_0000_0000, 0x8_8000_0000)], 0x80_0000, 2176, 0x8_8080_0000],
  [[range(0x7c00_0000, 0x7c40_0000), range(0x1_0000_0000, 0x1_4000_0000)], 0x7c00_0000, 196, 0x1_4000_0000],
])("the table of %j starts at %i and has %i bytes a bitmap", (ranges, start, size, end) => {
  expect(predictTable(1, ranges)).toEqual({ start, end, size, bytes: 24 + size });
  expect(predictTable(2, ranges)?.bytes).toBe(24 + 2 * size);
});

it("without ranges there is no table", () => {
  expect(predictTable(2, [])).toBeUndefined();
});
