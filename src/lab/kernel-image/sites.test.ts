import { expect, it } from "vitest";
import { codeRanges, instructionSites } from "./sites.ts";
import { TEXT, TEXT_BYTES, tinyKernel } from "./testing/tiny-kernel.ts";

const TDCALL = [0x66, 0x0f, 0x01, 0xcc];

it("TDCALL and CPUID instructions are found with the function they lie in", () => {
  const { elf, symbols } = tinyKernel(
    { __tdcall: 0x100, native_cpuid: 0x200 },
    { 282: TDCALL, 516: [0x0f, 0xa2], [TEXT_BYTES - 2]: [0x0f, 0xa2] },
  );
  expect(instructionSites(elf, symbols, "TDCALL")).toEqual([
    { address: TEXT + 0x11an, place: { name: "__tdcall", offset: 0x1a } },
  ]);
  expect(instructionSites(elf, symbols, "CPUID").map(({ address }) => address)).toEqual([
    TEXT + 0x204n,
    TEXT + 0x1ffen,
  ]);
});

it("text and init text are searched, and nothing else", () => {
  const { elf, symbols } = tinyKernel(
    { _etext: 0x100, _sinittext: 0x1000, _einittext: 0x1100 },
    { 2048: TDCALL },
  );
  expect(codeRanges(elf, symbols).map(({ start, bytes }) => [start, bytes.length])).toEqual([
    [TEXT, 0x100],
    [TEXT + 0x1000n, 0x100],
  ]);
  expect(instructionSites(elf, symbols, "TDCALL")).toEqual([]);
});

it("an image whose text has no bytes is refused", () => {
  const { elf, symbols } = tinyKernel({ _etext: 0x900_0000 });
  expect(() => codeRanges(elf, symbols)).toThrow(
    "kernel text, byte 0: expected code from _stext to _etext, found none",
  );
});
