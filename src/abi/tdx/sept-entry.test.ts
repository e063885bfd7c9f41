import { expect, it } from "vitest";
import {
  SEPT_BLOCKED,
  SEPT_ENTRY,
  SEPT_ENTRY_INFO,
  SEPT_FREE,
  SEPT_IS_LEAF,
  SEPT_MAPPED,
  SEPT_NL_BLOCKED,
  SEPT_NL_MAPPED,
  SEPT_PENDING,
  SEPT_PENDING_BLOCKED,
  SEPT_REPORTED,
  SEPT_STATE_ROWS,
  SEPT_STATES,
  type SeptState,
  septEntry,
  septEntryArch,
  septStateBits,
  septStateByte,
  septStateOf,
} from "./sept-entry.ts";

/** Entry and architectural form for host frame 0x12345, worked out by hand from the bit table. */
const GOLDEN: readonly [SeptState, bigint, bigint][] = [
  ["FREE", 0x80e0_0000_0000_0000n, 0x8000_0000_0000_0000n],
  ["NL_MAPPED", 0x8000_0000_1234_5407n, 0x0000_0000_0000_0407n],
  ["NL_BLOCKED", 0x8080_0000_1234_5000n, 0n],
  ["MAPPED", 0x8000_0000_1234_54f7n, 0x8000_0000_1234_54f7n],
  ["BLOCKED", 0x8080_0000_1234_50f0n, 0x8000_0000_1234_50f0n],
  ["PENDING", 0x8100_0000_1234_50f0n, 0x8000_0000_1234_50f0n],
  ["PENDING_BLOCKED", 0x8180_0000_1234_50f0n, 0x8000_0000_1234_50f0n],
  ["BLOCKEDW", 0x8040_0000_1234_54f5n, 0x8000_0000_1234_54f5n],
  ["EXPORTED_DIRTY", 0x8020_0000_1234_56f7n, 0x8000_0000_1234_54f7n],
];
it.each(GOLDEN)("encodes %s bit by bit", (state, entry, arch) => {
  const pfn = state === "FREE" ? 0 : 0x12345;
  expect(septEntry(state, pfn)).toBe(entry);
  expect(septEntryArch(state, pfn)).toBe(arch);
  expect(septStateOf(entry)).toBe(state);
});
it("shows ACCEPT_COUNTER in bits 20:12 of a PENDING 2 MiB leaf", () => {
  expect(SEPT_ENTRY.decode(septEntry("PENDING", 0x12200 + 3)).pfn).toBe(0x12203n);
});
it("tells every state from its bits, and only those", () => {
  for (const state of SEPT_STATES) expect(septStateOf(septStateBits(state))).toBe(state);
  const known = new Set<number>(Object.values(SEPT_STATE_ROWS).map((row) => row.code));
  expect(known.size).toBe(SEPT_STATES.length);
  const unknown = Array.from({ length: 128 }, (_, code) => code).filter((code) => !known.has(code));
  for (const code of unknown) {
    const bits = (BigInt(code & 1) << 9n) | (BigInt((code >> 1) & 15) << 53n) | (BigInt(code >> 5) << 6n);
    expect(septStateOf(bits)).toBeUndefined();
  }
});
it("has bit 8 of a number for non-leaves and the manual's numbers for all", () => {
  expect(SEPT_STATES.map((state, byte) => `${state} ${SEPT_REPORTED[byte]}`).join(", ")).toBe(
    "FREE 0, NL_MAPPED 132, NL_BLOCKED 129, MAPPED 4, BLOCKED 1, PENDING 2, PENDING_BLOCKED 3, REMOVED 5, " +
      "BLOCKEDW 8, EXPORTED_BLOCKEDW 9, EXPORTED_DIRTY 11, EXPORTED_DIRTY_BLOCKEDW 12, PENDING_BLOCKEDW 16, " +
      "PENDING_EXPORTED_BLOCKEDW 17, PENDING_EXPORTED_DIRTY 19, PENDING_EXPORTED_DIRTY_BLOCKEDW 20, " +
      "MMIO_MAPPED 32, MMIO_BLOCKED 33, MMIO_PENDING 34",
  );
});
it("numbers the rows as the constants do", () => {
  const bytes = [
    SEPT_FREE,
    SEPT_NL_MAPPED,
    SEPT_NL_BLOCKED,
    SEPT_MAPPED,
    SEPT_BLOCKED,
    SEPT_PENDING,
    SEPT_PENDING_BLOCKED,
  ];
  expect(bytes.map((byte) => SEPT_STATES[byte])).toEqual([
    "FREE",
    "NL_MAPPED",
    "NL_BLOCKED",
    "MAPPED",
    "BLOCKED",
    "PENDING",
    "PENDING_BLOCKED",
  ]);
  expect(septStateByte("PENDING")).toBe(SEPT_PENDING);
  expect(bytes.map((byte) => SEPT_IS_LEAF[byte])).toEqual([0, 0, 0, 1, 1, 1, 1]);
});
it("packs level, state and VM for RDX", () => {
  expect(SEPT_ENTRY_INFO.encode({ level: 1n, state: 132n, vm: 0n })).toBe(0x8401n);
});
