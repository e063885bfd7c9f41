import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GIB, MIB } from "../units.ts";
import { HostInputError } from "./host-input-error.ts";
import { readHostLog } from "./host-log.ts";

const LOG = [
  "[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009ebff] usable",
  "[    0.000000] BIOS-e820: [mem 0x000000000009ec00-0x00000000000fffff] reserved",
  "[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff]  System RAM",
  "......",
  "[    5.205693] virt/tdx: BIOS enabled: private KeyID range [64, 128)",
  "virt/tdx: CMR: [0x100000, 0x80000000)",
  "[   29.884504] virt/tdx: 1050644 KB allocated for PAMT",
  "[   29.884513] virt/tdx: module initialized",
].join("\n");

describe("a host's kernel log", () => {
  it("tells of memory in whole pages, convertible ranges, key ids and what became of TDX", () => {
    const log = readHostLog(LOG, "host.log");
    expect(log.memory).toEqual([
      { start: 0, end: 0x9_e000, node: 0 },
      { start: MIB, end: 2 * GIB, node: 0 },
    ]);
    expect(log.cmrs).toEqual([{ start: MIB, end: 2 * GIB, where: "host.log:6" }]);
    expect([log.keyIds, log.pamtKb, log.error, log.isInitialized, log.cutAt]).toEqual([
      { first: 64, end: 128 },
      1_050_644,
      undefined,
      true,
      4,
    ]);
  });
  it("that contradicts itself is refused with the first contradiction and its line", () => {
    const cmrs = (...ranges: string[]): string => ranges.map((range) => `virt/tdx: CMR: ${range}`).join("\n");
    const said = (text: string): string => {
      try {
        readHostLog(text, "host.log");
        return "";
      } catch (error) {
        expect(error).toBeInstanceOf(HostInputError);
        return error instanceof Error ? error.message : "";
      }
    };
    expect(said(cmrs("[0x1000, 0x3000)", "[0x2000, 0x4000)"))).toBe(
      "host.log:2: convertible memory range: expected no overlap with [0x1000, 0x3000) of host.log:1, found [0x2000, 0x4000)",
    );
    expect(said(cmrs("[0x3000, 0x4000)", "[0x1000, 0x2000)"))).toBe(
      "host.log:2: convertible memory range: expected a start behind [0x3000, 0x4000) of host.log:1, found [0x1000, 0x2000)",
    );
    expect(said(cmrs("[0x1000, 0x1000)"))).toContain("expected an end above the start");
    expect(said(cmrs("[0x1000, 0x1800)"))).toContain("expected bounds at multiples of 4 KiB");
    expect(said(cmrs("[0x1000, 0x10000000001000)"))).toContain("host.log:1: address: expected less than");
    const many = Array.from(
      { length: 33 },
      (_, i) => `[0x${(2 * i + 1).toString(16)}000, 0x${(2 * i + 2).toString(16)}000)`,
    );
    expect(said(cmrs(...many))).toBe(
      "host.log:33: convertible memory ranges: expected at most 32, found [0x41000, 0x42000)",
    );
    const e820 = "BIOS-e820: [mem 0x0000000000000000-0x0000000000001fff] usable";
    expect(said(`${e820}\n${e820}`)).toContain("host.log:2: memory range: expected no overlap");
  });
  it("keeps whole pages of RAM: nothing of a range that holds none", () => {
    const log = "BIOS-e820: [mem 0x1000-0x13ff] usable\nBIOS-e820: [mem 0x1800-0x3fff] usable";
    expect(readHostLog(log, "x").memory).toEqual([{ start: 0x2000, end: 0x4000, node: 0 }]);
    expect(() => readHostLog("BIOS-e820: [mem 0x2000-0x1000] usable", "x")).toThrow(
      "x:1: memory range: expected an end above the start, found 0x2000-0x1000",
    );
  });
  it("of any text is read, or refused with a HostInputError", () => {
    const line = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.maxSafeNat(), fc.maxSafeNat())
        .map(([a, b]) => `CMR: [0x${a.toString(16)}, 0x${b.toString(16)})`),
      fc
        .tuple(fc.maxSafeNat(), fc.maxSafeNat())
        .map(([a, b]) => `BIOS-e820: [mem 0x${a.toString(16)}-0x${b.toString(16)}] usable`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
        try {
          readHostLog(lines.join("\n"), "x");
        } catch (error) {
          expect(error).toBeInstanceOf(HostInputError);
        }
      }),
    );
  });
});

it.each([
  ["[64, 32)", "found [64, 32)"],
  ["[0, 64)", "found [0, 64)"],
  ["[60, 100)", "found [60, 100)"],
  ["[64, 65536)", "found [64, 65536)"],
])("refuses private key ids %s, and says where", (range, found) => {
  const text = `first\nvirt/tdx: BIOS enabled: private KeyID range ${range}\n`;
  expect(() => readHostLog(text, "host.log")).toThrow(
    `host.log:2: private key ids: expected a range above 0 that ends at a power of two up to 32768, ${found}`,
  );
});
