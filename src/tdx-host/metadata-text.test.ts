import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GIB, MIB } from "../units.ts";
import { HostInputError } from "./host-input-error.ts";
import { readMetadataDump } from "./metadata-text.ts";

const DUMP = `# platform
0x9000000100000000: 0x2
0x9000000300000080: 0x100000
0x9000000300000100: 0x7ff00000
0x9000000300000081 = 0x100000000
0x9000000300000101 0x80000000
0x9100000100000008: 0x40
0x9100000100000009: 0x10
0x3100000200000000: 0x3200
`;

const said = (text: string): string => {
  try {
    readMetadataDump(text, "dump");
    return "";
  } catch (error) {
    expect(error).toBeInstanceOf(HostInputError);
    return error instanceof Error ? error.message : "";
  }
};

describe("a dump of the module's metadata", () => {
  it("tells of convertible memory, limits and the extensions' pool", () => {
    expect(readMetadataDump(DUMP, "dump")).toEqual({
      cmrs: [
        { start: MIB, end: 2 * GIB, where: "dump:4" },
        { start: 4 * GIB, end: 6 * GIB, where: "dump:6" },
      ],
      maxTdmrs: 64,
      maxReserved: 16,
      packages: 1,
      extensionPages: 12_800,
    });
  });
  it("that contradicts itself is refused with the first contradiction and its line", () => {
    expect(said("what")).toBe(
      "dump:1: line: expected an identifier and a value such as 0x9000000100000000: 0x5, found what",
    );
    expect(said("0x9000000100000fff: 0x1")).toBe(
      "dump:1: identifier: expected a field of the module, found 0x9000000100000fff",
    );
    expect(said("0x9100000100000008: 0x10000")).toBe(
      "dump:1: MAX_TDMRS: expected a value of 16 bits, found 0x10000",
    );
    expect(said("0x9100000300000008: 0x1")).toBe(
      "dump:1: MAX_TDMRS: expected an identifier for 16 bits, found one for 64",
    );
    expect(said(`${DUMP}0x9000000100000000: 0x3`)).toBe(
      "dump:10: NUM_CMRS: expected 0x2 as in dump:2, found 0x3",
    );
    expect(said(DUMP.replace(": 0x2\n", ": 0x3\n"))).toBe(
      "dump:2: CMR_SIZE[2]: expected more than 0, found no line",
    );
    expect(said(DUMP.replace(": 0x2\n", ": 0x1\n"))).toBe(
      "dump:6: CMR_SIZE[1]: expected 0, as NUM_CMRS is 1, found 0x80000000",
    );
    expect(said(DUMP.replace(": 0x40\n", ": 0x0\n"))).toBe("dump:7: MAX_TDMRS: expected at least 1, found 0");
    expect(said(DUMP.replace("0x7ff00000", "0x17ff00000"))).toContain(
      "dump:6: convertible memory range: expected no overlap",
    );
    expect(said("")).toBe("dump: convertible memory: expected at least one range, found none");
  });
  it("of any text is read, or refused with a HostInputError", () => {
    const hex = fc.bigInt(0n, 2n ** 64n - 1n).map((n) => `0x${n.toString(16)}`);
    const known = fc.constantFrom(
      "0x9000000100000000",
      "0x9000000300000081",
      "0x9000000300000100",
      "0x9100000100000008",
    );
    const line = fc.oneof(
      fc.string(),
      fc.tuple(fc.oneof(hex, known), hex).map(([id, value]) => `${id}: ${value}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        try {
          readMetadataDump(lines.join("\n"), "x");
        } catch (error) {
          expect(error).toBeInstanceOf(HostInputError);
        }
      }),
    );
  });
});
