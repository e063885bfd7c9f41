import { describe, expect, it } from "vitest";
import type { TdmrInfo } from "../abi/tdx/tdmr-info.ts";
import { BareModule, TDMR } from "./testing/bare-module.ts";

const GIB = 1n << 30n;
const MIB = 1n << 20n;
/** A second TDMR of 1 GiB behind the first, its metadata behind the other's. */
const SECOND: TdmrInfo = {
  base: 6n * GIB,
  size: GIB,
  pamt4K: { base: GIB + 16n * MIB, size: 4n * MIB },
  pamt2M: { base: GIB + 20n * MIB, size: 0x2000n },
  pamt1G: { base: GIB + 20n * MIB + 0x2000n, size: 0x1000n },
  reserved: [],
};
const config = (...tdmrs: readonly TdmrInfo[]): string => new BareModule().start().config(tdmrs);
const area = (offset: bigint, size: bigint): { offset: bigint; size: bigint } => ({ offset, size });

describe("TDMRs in TDH.SYS.CONFIG", () => {
  it("pass when they ascend, lie in convertible memory, and have metadata of their own", () => {
    expect(config(TDMR, SECOND)).toBe("SUCCESS");
  });
  it("are whole GiB, at whole GiB, within the address width, one behind the other", () => {
    expect(config({ ...TDMR, base: 4n * GIB + 4096n })).toBe("INVALID_TDMR(TDMR 0)");
    expect(config({ ...TDMR, size: GIB / 2n })).toBe("INVALID_TDMR(TDMR 0)");
    expect(config({ ...TDMR, size: 0n })).toBe("INVALID_TDMR(TDMR 0)");
    expect(config({ ...TDMR, base: 1n << 46n })).toBe("INVALID_TDMR(TDMR 0)");
    expect(config({ ...TDMR, base: 2n ** 64n - GIB, size: 2n * GIB })).toBe("INVALID_TDMR(TDMR 0)");
    expect(config(TDMR, { ...SECOND, base: 3n * GIB })).toBe("NON_ORDERED_TDMR(TDMR 1)");
    expect(config(TDMR, { ...SECOND, base: 5n * GIB })).toBe("NON_ORDERED_TDMR(TDMR 1)");
  });
  it("reserve runs of pages that ascend inside, empty ones last", () => {
    const reserved = (...areas: TdmrInfo["reserved"]): string => config({ ...TDMR, reserved: areas });
    expect(reserved(area(0n, 4096n), area(4096n, 4096n))).toBe("SUCCESS");
    expect(reserved(area(4096n, 4096n), area(0n, 4096n))).toBe(
      "NON_ORDERED_RESERVED_IN_TDMR(TDMR 0, area 1)",
    );
    expect(reserved(area(0n, 8192n), area(4096n, 4096n))).toBe(
      "NON_ORDERED_RESERVED_IN_TDMR(TDMR 0, area 1)",
    );
    expect(reserved(area(0n, 0n), area(4096n, 4096n))).toBe("NON_ORDERED_RESERVED_IN_TDMR(TDMR 0, area 0)");
    expect(reserved(area(1n, 4096n))).toBe("INVALID_RESERVED_IN_TDMR(TDMR 0, area 0)");
    expect(reserved(area(0n, 4095n))).toBe("INVALID_RESERVED_IN_TDMR(TDMR 0, area 0)");
    expect(reserved(area(2n * GIB - 4096n, 8192n))).toBe("INVALID_RESERVED_IN_TDMR(TDMR 0, area 0)");
    expect(reserved(area(2n ** 64n - 4096n, 4096n))).toBe("INVALID_RESERVED_IN_TDMR(TDMR 0, area 0)");
  });
  it("need memory that is convertible wherever it is not reserved", () => {
    const top = { ...TDMR, base: 7n * GIB };
    expect(config(top)).toBe("TDMR_OUTSIDE_CMRS(TDMR 0)");
    expect(config({ ...top, reserved: [area(GIB, GIB)] })).toBe("SUCCESS");
    expect(config({ ...TDMR, base: 0n, size: GIB })).toBe("TDMR_OUTSIDE_CMRS(TDMR 0)");
    expect(config({ ...TDMR, base: 0n, size: GIB, reserved: [area(0n, MIB)] })).toBe("SUCCESS");
  });
  it("may span convertible ranges that touch, and no others", () => {
    const split = (gap: bigint): string =>
      new BareModule({
        cmrs: [
          { base: MIB, size: 5n * GIB - MIB },
          { base: 5n * GIB + gap, size: 3n * GIB - gap },
        ],
      })
        .start()
        .config([TDMR]);
    expect(split(0n)).toBe("SUCCESS");
    expect(split(4096n)).toBe("TDMR_OUTSIDE_CMRS(TDMR 0)");
  });
});

describe("metadata tables in TDH.SYS.CONFIG", () => {
  it("are runs of pages, large enough, within the address width", () => {
    expect(config({ ...TDMR, pamt4K: { base: GIB, size: 8n * MIB - 4096n } })).toBe(
      "INVALID_PAMT(TDMR 0, 4K)",
    );
    expect(config({ ...TDMR, pamt2M: { base: 2n * GIB, size: 0x3000n } })).toBe("INVALID_PAMT(TDMR 0, 2M)");
    expect(config({ ...TDMR, pamt1G: { base: 2n * GIB, size: 0n } })).toBe("INVALID_PAMT(TDMR 0, 1G)");
    expect(config({ ...TDMR, pamt1G: { base: 2n * GIB + 1n, size: 4096n } })).toBe(
      "INVALID_PAMT(TDMR 0, 1G)",
    );
    expect(config({ ...TDMR, pamt1G: { base: 1n << 46n, size: 4096n } })).toBe("INVALID_PAMT(TDMR 0, 1G)");
  });
  it("overlap no other table", () => {
    expect(config({ ...TDMR, pamt2M: { base: GIB, size: 0x4000n } })).toBe(
      "PAMT_OVERLAP(TDMR 0, 4K, TDMR 0)",
    );
    expect(config({ ...TDMR, pamt1G: TDMR.pamt2M })).toBe("PAMT_OVERLAP(TDMR 0, 2M, TDMR 0)");
    expect(config(TDMR, { ...SECOND, pamt2M: TDMR.pamt2M })).toBe("PAMT_OVERLAP(TDMR 1, 2M, TDMR 0)");
  });
  it("overlap no memory that a TDMR leaves available, its own included", () => {
    const inside = { base: 4n * GIB + 64n * MIB, size: 8n * MIB };
    expect(config({ ...TDMR, pamt4K: inside })).toBe("PAMT_OVERLAP(TDMR 0, 4K, TDMR 0)");
    expect(config({ ...TDMR, pamt4K: inside, reserved: [area(64n * MIB, 8n * MIB)] })).toBe("SUCCESS");
    expect(config(TDMR, { ...SECOND, pamt4K: { base: 5n * GIB, size: 4n * MIB } })).toBe(
      "PAMT_OVERLAP(TDMR 1, 4K, TDMR 0)",
    );
    expect(config({ ...TDMR, pamt1G: { base: 6n * GIB, size: 4096n } }, SECOND)).toBe(
      "PAMT_OVERLAP(TDMR 0, 1G, TDMR 1)",
    );
  });
  it("lie in convertible memory", () => {
    expect(config({ ...TDMR, pamt1G: { base: 0n, size: 4096n } })).toBe("PAMT_OUTSIDE_CMRS(TDMR 0, 1G)");
  });
});
