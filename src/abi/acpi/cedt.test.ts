import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { acpiTable } from "./table-header.ts";
import { listTable } from "./table-listing.ts";

const HEADER = 36;

/** Rows behind the header as "offset+bytes label: value", and what is wrong, for structures given byte by byte. */
const listed = (...structures: readonly (readonly number[])[]) => {
  const listing = listTable(acpiTable("CEDT", 1, Uint8Array.from(structures.flat())));
  return {
    rows: (listing?.rows ?? [])
      .filter(({ offset }) => offset >= HEADER)
      .map(({ offset, bytes, label, value }) => `${offset}+${bytes} ${label}: ${value}`),
    diagnoses: listing?.diagnoses ?? [],
  };
};

/** CXIMS: granularity 1 (512 bytes), two maps 0x2020900 and 0x4041200. */
const CXIMS = [
  2, 0, 24, 0, 0, 0, 1, 2, 0x00, 0x09, 0x02, 0x02, 0, 0, 0, 0, 0x00, 0x12, 0x04, 0x04, 0, 0, 0, 0,
];
/** RDPAS: segment 0x0001, collector 0x35:1c.4 (0x35e4), CXL.cachemem, registers at 0x20_9000_0000. */
const RDPAS = [3, 0, 17, 0, 0x01, 0x00, 0xe4, 0x35, 1, 0, 0, 0, 0x90, 0x20, 0, 0, 0];

describe("a CXL XOR interleave math structure (CXIMS)", () => {
  it("has its granularity and each of its maps", () => {
    expect(listed(CXIMS)).toEqual({
      rows: [
        "36+1 Subtable Type: 02",
        "37+1 Reserved: 00",
        "38+2 Length: 0018",
        "40+2 Reserved: 0000",
        "42+1 Interleave Granularity (HBIG): 01",
        "43+1 Number of XOR Maps: 02",
        "44+8 XOR Map: 0000000002020900",
        "52+8 XOR Map: 0000000004041200",
      ],
      diagnoses: [],
    });
  });
  it("without maps has none", () => {
    const { rows } = listed([2, 0, 8, 0, 0, 0, 0, 0]);
    expect(rows.slice(-1)).toEqual(["43+1 Number of XOR Maps: 00"]);
  });
  it("that tells of more maps than there are lists those that are there, and bytes behind them as they are", () => {
    const { rows } = listed(CXIMS.with(7, 200));
    expect(rows.slice(-2)).toEqual(["44+8 XOR Map: 0000000002020900", "52+8 XOR Map: 0000000004041200"]);
    const { rows: fewer } = listed(CXIMS.with(7, 1));
    expect(fewer.at(-2)).toBe("44+8 XOR Map: 0000000002020900");
    expect(fewer.at(-1)).toMatch(/^52\+8 Data: /);
  });
});

describe("an RCEC downstream port association structure (RDPAS)", () => {
  it("has the collector, the protocol and the registers of the port", () => {
    expect(listed(RDPAS)).toEqual({
      rows: [
        "36+1 Subtable Type: 03",
        "37+1 Reserved: 00",
        "38+2 Length: 0011",
        "40+2 RCEC Segment Number: 0001",
        "42+2 RCEC BDF: 35E4",
        "44+1 Protocol Type: 01",
        "45+8 Base Address: 0000002090000000",
      ],
      diagnoses: [],
    });
  });
  it("stands beside others, each from where the one before ends", () => {
    const { rows, diagnoses } = listed(RDPAS, CXIMS, RDPAS);
    expect(rows.filter((row) => row.includes("Subtable Type"))).toEqual([
      "36+1 Subtable Type: 03",
      "53+1 Subtable Type: 02",
      "77+1 Subtable Type: 03",
    ]);
    expect(diagnoses).toEqual([]);
  });
});

it("a structure whose length is wrong is told with its offset, and nothing is read behind the table", () => {
  for (const length of [0, 3, 7, 200]) {
    const { rows, diagnoses } = listed(RDPAS, CXIMS.with(2, length));
    expect([length, diagnoses.length > 0]).toEqual([length, true]);
    expect(rows.every((row) => Number(/^\d+/.exec(row)?.[0]) < HEADER + 17 + 24)).toBe(true);
  }
});

it("any bytes are listed, every byte once", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), fc.nat(30), fc.uint8Array({ maxLength: 26 })), { maxLength: 6 }),
      (parts) => {
        const body = parts.flatMap(([type, length, rest]) => [type, 0, length, 0, ...rest]);
        const { rows } = listed(body);
        let end = HEADER;
        for (const row of rows) {
          const [, offset, bytes] = /^(\d+)\+(\d+)/.exec(row) ?? [];
          if (bytes === "0") continue;
          expect(Number(offset)).toBeGreaterThanOrEqual(end);
          end = Number(offset) + Number(bytes);
        }
        expect(end).toBeLessThanOrEqual(HEADER + body.length);
      },
    ),
  );
});
