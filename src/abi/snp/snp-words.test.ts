import fc from "fast-check";
import { expect, it } from "vitest";
import {
  PSC_ENTRY,
  PSC_MSR_REQUEST,
  PSC_MSR_RESPONSE,
  TERMINATE_REQUEST,
  terminateReasonText,
} from "./ghcb.ts";
import { pvalidateResultName, RMP_ENTRY, RMPADJUST_ATTRIBUTES } from "./rmp-entry.ts";

it("packs an RMP entry of a validated 2 MiB guest page", () => {
  const entry = {
    assigned: 1n,
    pageSize: 1n,
    immutable: 0n,
    gpaPage: 0x140200n,
    asid: 3n,
    vmsa: 0n,
    validated: 1n,
  };
  // 0x140200 << 12 | 3 << 51 | 1 << 62 | 3
  expect(RMP_ENTRY.encode(entry)).toBe(0x4018_0001_4020_0003n);
  expect(RMP_ENTRY.reserved).toBe(0x8000_0000_0000_0ff8n);
});

it("packs page state changes as the protocol prints them", () => {
  expect(PSC_MSR_REQUEST.encode({ code: 0x14n, gfn: 0x12345n, operation: 1n })).toBe(0x0010_0000_1234_5014n);
  expect(PSC_MSR_RESPONSE.decode(0x8000_0000_0000_0015n)).toEqual({ code: 0x15n, error: 0x8000_0000n });
  expect(PSC_ENTRY.encode({ currentPage: 0n, gfn: 0x140200n, operation: 2n, pageSize: 1n })).toBe(
    0x0120_0001_4020_0000n,
  );
  expect(PSC_ENTRY.reserved).toBe(0xfe00_0000_0000_0000n);
});

it("packs the request to end the guest, and names the reason", () => {
  expect(TERMINATE_REQUEST.encode({ code: 0x100n, reasonSet: 1n, reason: 2n })).toBe(0x2_1100n);
  expect(terminateReasonText(1, 2)).toBe("linux pvalidate (set 1, code 2)");
  expect(terminateReasonText(7, 9)).toBe("reason (set 7, code 9)");
});

it("names results, and keeps the number of one that has no name", () => {
  expect([0, 6, 255, 9].map(pvalidateResultName)).toEqual([
    "SUCCESS",
    "FAIL_SIZEMISMATCH",
    "NO_UPDATE",
    "PVALIDATE result 9",
  ]);
});

it("words survive decode and encode, reserved bits aside", () => {
  for (const codec of [RMP_ENTRY, PSC_ENTRY, PSC_MSR_REQUEST, RMPADJUST_ATTRIBUTES])
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (raw) => {
        expect(codec.encode(codec.decode(raw) as never)).toBe(raw & ~codec.reserved);
      }),
    );
});
