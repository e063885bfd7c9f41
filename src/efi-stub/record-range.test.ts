import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  EFI_UNACCEPTED_UNIT_SIZE,
  putUnacceptedTable,
  unacceptedTableBytes,
  unacceptedTableView,
} from "../abi/efi/unaccepted-table.ts";
import { type BitRun, setRuns } from "../flat/bitmap.ts";
import { platformAccept, recordAccepts } from "./early-accept.ts";
import { sparseGuestBytes } from "./guest-bytes.ts";
import { recordUnacceptedRange } from "./record-range.ts";
import type { StubFault } from "./stub-fault.ts";
import { openStubTable, type StubTable } from "./stub-table.ts";

const UNIT = EFI_UNACCEPTED_UNIT_SIZE;
const TABLE_AT = 0x1018;
const BEHIND = 64;

/** A window of `size` bytes of bitmap at physBase, and what recording ranges into it does. */
const window = (physBase: number, size: number, version: 1 | 2 = 1) => {
  const memory = sparseGuestBytes();
  const length = unacceptedTableBytes(version, size);
  const bytes = memory.back(TABLE_AT, length + BEHIND);
  putUnacceptedTable(bytes, { version, unitSize: UNIT, physBase: BigInt(physBase), size });
  const table = openStubTable(memory, TABLE_AT, version) as StubTable;
  const { accept, accepts } = recordAccepts();
  const faults: StubFault[] = [];
  const record = (start: number, end: number) =>
    recordUnacceptedRange(
      memory,
      table,
      { start: BigInt(start), end: BigInt(end) },
      platformAccept("tdx", accept),
      faults,
    );
  const view = unacceptedTableView(bytes.subarray(0, length));
  const runs = (): BitRun[] => [...setRuns(view.unaccepted, view.units)];
  const hex = () => accepts.map(({ start, end }) => `${start.toString(16)}-${end.toString(16)}`);
  return {
    record,
    runs,
    accepts: hex,
    faults,
    view,
    behind: () => [...bytes.subarray(length)],
    raw: accepts,
  };
};

describe("a range inside the window", () => {
  it.each([
    ["two whole units", [0, 2], [], [{ start: 0, end: 2 }]],
    ["a page less than two units: too short, accepted now", [0, 2 - 1 / 512], ["100000000-1003ff000"], []],
    [
      "unaligned at both ends",
      [0.5, 3.5],
      ["100100000-100200000", "100600000-100700000"],
      [{ start: 1, end: 3 }],
    ],
    [
      "unaligned, two units long: one unit is left",
      [0.5, 2.5],
      ["100100000-100200000", "100400000-100500000"],
      [{ start: 1, end: 2 }],
    ],
    ["empty: accepted as an empty range", [3, 3], ["100600000-100600000"], []],
  ])("%s", (_, [from, to], accepts, runs) => {
    const w = window(0x1_0000_0000, 2);
    expect(
      w.record(0x1_0000_0000 + Math.floor(from! * UNIT), 0x1_0000_0000 + Math.floor(to! * UNIT)),
    ).toBeUndefined();
    expect([w.accepts(), w.runs(), w.faults]).toEqual([accepts, runs, []]);
  });

  it("version 2 marks the same units plugged", () => {
    const w = window(0x1_0000_0000, 2, 2);
    w.record(0x1_0000_0000, 0x1_0060_0000);
    expect([...w.view.unaccepted, ...w.view.plugged!]).toEqual([7, 0, 7, 0]);
  });
});

describe("maps that disagree", () => {
  const base = 0x1_0000_0000;
  const end = base + 16 * UNIT;

  it("what is below the window is accepted and reported", () => {
    const w = window(base, 2);
    w.record(base - 4 * UNIT, base + UNIT);
    expect([w.accepts(), w.runs()]).toEqual([["ff800000-100000000"], [{ start: 0, end: 1 }]]);
    expect(w.faults).toMatchObject([{ kind: "range-below-window", physBase: BigInt(base) }]);
  });

  it("a range that ends at physBase goes on to set no bits; one that ends below stops", () => {
    for (const to of [base, base - UNIT]) {
      const w = window(base, 2);
      expect(w.record(base - 4 * UNIT, to)).toBeUndefined();
      expect([w.accepts(), w.runs()]).toEqual([[`ff800000-${to.toString(16)}`], []]);
    }
  });

  it("what reaches past the window's end is accepted, with no fault", () => {
    const w = window(base, 2);
    w.record(end - 2 * UNIT, end + 3 * UNIT);
    expect([w.accepts(), w.runs(), w.faults]).toEqual([
      ["102000000-102600000"],
      [{ start: 14, end: 16 }],
      [],
    ]);
  });

  it("a range that starts exactly at the window's end is handled correctly", () => {
    const w = window(base, 2);
    w.record(end, end + 3 * UNIT);
    expect([w.accepts(), w.runs(), w.faults]).toEqual([["102000000-102600000"], [], []]);
  });

  it("a range wholly above accepts from the window's end, and its unaligned head twice", () => {
    const w = window(base, 2);
    w.record(end + 2 * UNIT - 0x1000, end + 5 * UNIT);
    expect(w.accepts()).toEqual(["1023ff000-102400000", "102000000-102a00000"]);
    expect(w.faults[0]).toMatchObject({
      kind: "range-above-window",
      windowEnd: BigInt(end),
      twice: { start: BigInt(end + 2 * UNIT - 0x1000), end: BigInt(end + 2 * UNIT) },
    });
  });

  it("its negative count sets bits behind the bitmap: those from first to last mask of one word", () => {
    // First bit 18, count -2, so last mask ends at bit 16: nothing is left between them.
    const none = window(base, 2);
    none.record(end + 2 * UNIT, end + 5 * UNIT);
    expect(none.faults.at(-1)).toEqual({ kind: "stray-bits", bitmap: "unaccepted", bits: [] });
    // A window of 64 units, first bit 65, count -1: the last mask ends with the word, 63 bits change.
    const w = window(base, 8);
    w.record(base + 65 * UNIT, base + 68 * UNIT);
    const bits = Array.from({ length: 63 }, (_, i) => 65 + i);
    expect(w.faults.at(-1)).toEqual({ kind: "stray-bits", bitmap: "unaccepted", bits });
    expect(w.runs()).toEqual([]);
    expect(w.behind().slice(0, 9)).toEqual([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
  });

  it("in version 2 the stray bits fall into the plugged bitmap first", () => {
    const w = window(base, 8, 2);
    w.record(base + 65 * UNIT, base + 68 * UNIT);
    expect(w.view.plugged![0]).toBe(0xfe);
  });
});

describe("platforms", () => {
  const outcome = (platform: "tdx" | "snp" | "none", answer: boolean, start = 0n, end = 0x1000n) => {
    const memory = sparseGuestBytes();
    putUnacceptedTable(memory.back(TABLE_AT, 25), { version: 1, unitSize: UNIT, physBase: 0n, size: 1 });
    const table = openStubTable(memory, TABLE_AT, 1) as StubTable;
    return recordUnacceptedRange(
      memory,
      table,
      { start, end },
      platformAccept(platform, () => answer),
      [],
    );
  };

  it("a refused acceptance stops the machine with the platform's words", () => {
    expect(outcome("tdx", false)?.why).toBe("TDX: Failed to accept memory");
    expect(outcome("snp", false)?.why).toMatch(/^SNP/);
    expect(outcome("none", true)?.why).toBe("Cannot accept memory: unknown platform");
    expect(outcome("tdx", true)).toBeUndefined();
  });

  it("a range beyond guest-physical addresses cannot be accepted", () => {
    expect(outcome("tdx", true, 2n ** 60n, 2n ** 60n + 1n)?.fault?.kind).toBe("gpa-width");
  });
});

it("every page of a range inside the window is accepted once or has its unit's bit, never both, and nothing else is", () => {
  const PAGE = 0x1000;
  const PAGES_A_UNIT = UNIT / PAGE;
  const page = fc.integer({ min: 0, max: 24 * PAGES_A_UNIT });
  const near = fc
    .integer({ min: 0, max: 24 })
    .chain((unit) => fc.integer({ min: -1, max: 1 }).map((d) => Math.max(0, unit * PAGES_A_UNIT + d)));
  const bound = fc.oneof(page, near);
  fc.assert(
    fc.property(bound, bound, (a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const w = window(0, 3);
      expect(w.record(from * PAGE, to * PAGE)).toBeUndefined();
      const times = new Uint8Array(25 * PAGES_A_UNIT);
      for (const { start, end } of w.raw) for (let p = start / PAGE; p < end / PAGE; p++) times[p]!++;
      for (const { start, end } of w.runs())
        for (let p = start * PAGES_A_UNIT; p < end * PAGES_A_UNIT; p++) times[p]!++;
      expect(times.every((n, p) => n === (from <= p && p < to ? 1 : 0))).toBe(true);
      expect(w.faults).toEqual([]);
      // From two units on at least one bit is set.
      expect(w.runs().length > 0).toBe(to - from >= 2 * PAGES_A_UNIT);
    }),
    { numRuns: 400 },
  );
});

it("any 64-bit range and any header end in bits, acceptance or a halt, without an exception", () => {
  const word = fc.oneof(
    fc.bigInt(0n, 2n ** 64n - 1n),
    fc.bigInt(0n, 0x2000_0000n),
    fc.constantFrom(2n ** 64n - 1n, 2n ** 63n),
  );
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 31 }).map((n) => 2 ** n),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  );
  fc.assert(
    fc.property(
      word,
      word,
      word,
      unit,
      fc.integer({ min: 0, max: 200 }),
      fc.constantFrom(1, 2),
      (start, end, physBase, unitSize, size, version) => {
        const memory = sparseGuestBytes();
        const bytes = memory.back(TABLE_AT, 512);
        putUnacceptedTable(bytes, { version: version as 1 | 2, unitSize, physBase, size });
        const table = openStubTable(memory, TABLE_AT, version as 1 | 2);
        if ("why" in table) return;
        recordUnacceptedRange(
          memory,
          table,
          { start, end },
          platformAccept("tdx", () => true),
          [],
        );
      },
    ),
    { numRuns: 2000 },
  );
});
