import fc from "fast-check";
import { expect, it } from "vitest";
import {
  ADDRESS_LIMIT,
  formatAddress,
  formatDuration,
  formatRange,
  formatSize,
  parseDuration,
  parseSize,
  roughSize,
} from "./quantity.ts";

it("reads sizes in powers of two, in bytes and in hexadecimal", () => {
  const sizes: readonly (readonly [unknown, number | undefined])[] = [
    [0, 0],
    ["4G", 0x1_0000_0000],
    ["4GiB", 0x1_0000_0000],
    ["1.5M", 0x18_0000],
    ["4P", ADDRESS_LIMIT],
    ["4097", 4097],
    ["0x1_8000_0000", 0x1_8000_0000],
    ["5P", undefined],
    ["0.3K", undefined],
    ["4X", undefined],
    ["", undefined],
    ["-1", undefined],
    [-1, undefined],
    [1.5, undefined],
    [true, undefined],
    ["0x", undefined],
  ];
  for (const [written, bytes] of sizes) expect([written, parseSize(written)]).toEqual([written, bytes]);
});

it("reads every size it writes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: ADDRESS_LIMIT }), (bytes) => {
      expect(parseSize(formatSize(bytes))).toBe(bytes);
      expect(parseSize(formatAddress(bytes))).toBe(bytes);
    }),
  );
});

it("takes any text and answers a whole number of bytes or undefined", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const bytes = parseSize(text);
      expect(bytes === undefined || (Number.isInteger(bytes) && bytes >= 0 && bytes <= ADDRESS_LIMIT)).toBe(
        true,
      );
    }),
  );
});

it("writes rough sizes with three digits at most", () => {
  const sizes = [0, 1023, 1024, 393216, 1832136704, 2 ** 32, 1020 * 2 ** 20, 3.5 * 2 ** 40];
  expect(sizes.map(roughSize)).toEqual(["0", "1023", "1K", "384K", "1.71G", "4G", "1020M", "3.5T"]);
});

it("reads and writes durations", () => {
  expect(["50s", "300ms", "10us", "7ns", "2m", "1h", 5].map(parseDuration)).toEqual([
    50e9, 300e6, 10e3, 7, 120e9, 3600e9, 5,
  ]);
  expect(["50", "s", "-1s", "1d", "0.1ns"].map((text) => parseDuration(text) ?? "none")).toEqual([
    "none",
    "none",
    "none",
    "none",
    0,
  ]);
  expect([0, 999, 1500, 2.5e6, 50e9].map(formatDuration)).toEqual([
    "0 ns",
    "999 ns",
    "1.5 us",
    "2.5 ms",
    "50 s",
  ]);
});

it("writes ranges as the kernel does, both ends included", () => {
  expect(formatRange(0x1_8000_0000, 0x3_8000_0000)).toBe("0x180000000-0x37fffffff");
  expect(formatRange(16, 16)).toBe("0x10 (empty)");
});
