import { word } from "../word.ts";

/**
 * Secure-EPT entry of an L1 VM.
 *
 * `execUser` (Xu) follows X in 1.5.25 and is zero in 1.5.08 and older. In a PENDING 2 MiB leaf bits 20:12
 * hold ACCEPT_COUNTER, the index of the next 4 KiB chunk to zero; the frame is aligned, so they are free.
 *
 * @source TDX module 1.5.25, secure EPT entry layout
 */
export const SEPT_ENTRY = word({
  read: [0, 0],
  write: [1, 1],
  exec: [2, 2],
  memoryType: [5, 3],
  ipatTdmem: [6, 6], // 1 for memory, 0 for MMIO
  leaf: [7, 7], // also set at 4 KiB
  accessed: [8, 8],
  exportedDirty: [9, 9], // the D bit, managed by the module
  execUser: [10, 10],
  locked: [11, 11], // TDEL
  pfn: [51, 12],
  hostPriority: [52, 52], // TDHP
  exported: [53, 53], // TDEX
  blockedForWriting: [54, 54], // TDBW
  blocked: [55, 55], // TDB
  pending: [56, 56], // TDP
  aliases: [60, 58], // one flag for each L2 VM
  suppressVe: [63, 63], // set in every L1 entry, FREE ones too
});

/** What a guest access meets. */
export type GuestView = "exit" | "walk" | "read-write" | "read" | "pending";

interface StateRow {
  /** Seven bits: bit 0 is entry bit 9, bits 4:1 are entry bits 56:53, bits 6:5 are entry bits 7:6. */
  readonly code: number;
  /** The number that RDX of a SEAMCALL and the extended exit qualification report. */
  readonly reported: number;
  readonly guest: GuestView;
}

/**
 * Every state of an entry. The row number is the byte that this project's flat state stores; FREE is row 0,
 * so a fresh table is zero-filled. The first seven rows are all that a TD without migration, partitioning
 * or private MMIO can reach.
 *
 * @source TDX module 1.5.25, secure EPT states; MMIO rows from the 2.0 tables
 */
export const SEPT_STATE_ROWS = {
  FREE: { code: 0x0e, reported: 0, guest: "exit" },
  NL_MAPPED: { code: 0x00, reported: 132, guest: "walk" },
  NL_BLOCKED: { code: 0x08, reported: 129, guest: "exit" },
  MAPPED: { code: 0x60, reported: 4, guest: "read-write" },
  BLOCKED: { code: 0x68, reported: 1, guest: "exit" },
  PENDING: { code: 0x70, reported: 2, guest: "pending" },
  PENDING_BLOCKED: { code: 0x78, reported: 3, guest: "exit" },
  REMOVED: { code: 0x0c, reported: 5, guest: "exit" },
  BLOCKEDW: { code: 0x64, reported: 8, guest: "read" },
  EXPORTED_BLOCKEDW: { code: 0x66, reported: 9, guest: "read" },
  EXPORTED_DIRTY: { code: 0x63, reported: 11, guest: "read-write" },
  EXPORTED_DIRTY_BLOCKEDW: { code: 0x67, reported: 12, guest: "read" },
  PENDING_BLOCKEDW: { code: 0x74, reported: 16, guest: "exit" },
  PENDING_EXPORTED_BLOCKEDW: { code: 0x76, reported: 17, guest: "exit" },
  PENDING_EXPORTED_DIRTY: { code: 0x73, reported: 19, guest: "pending" },
  PENDING_EXPORTED_DIRTY_BLOCKEDW: { code: 0x77, reported: 20, guest: "exit" },
  MMIO_MAPPED: { code: 0x40, reported: 32, guest: "read-write" },
  MMIO_BLOCKED: { code: 0x48, reported: 33, guest: "exit" },
  MMIO_PENDING: { code: 0x50, reported: 34, guest: "pending" },
} as const satisfies Record<string, StateRow>;
export type SeptState = keyof typeof SEPT_STATE_ROWS;

/** State names by the byte that flat state stores. */
export const SEPT_STATES = Object.keys(SEPT_STATE_ROWS) as readonly SeptState[];
/** The byte of a state. */
export const septStateByte = (state: SeptState): number => SEPT_STATES.indexOf(state);

export const SEPT_FREE = 0;
export const SEPT_NL_MAPPED = 1;
export const SEPT_NL_BLOCKED = 2;
export const SEPT_MAPPED = 3;
export const SEPT_BLOCKED = 4;
export const SEPT_PENDING = 5;
export const SEPT_PENDING_BLOCKED = 6;

const rows: readonly StateRow[] = Object.values(SEPT_STATE_ROWS);
/** Reported state number by state byte. */
export const SEPT_REPORTED: Uint8Array = Uint8Array.from(rows, (row) => row.reported);
/** 1 for states of a leaf, by state byte: entry bit 7, code bit 6. */
export const SEPT_IS_LEAF: Uint8Array = Uint8Array.from(rows, (row) => row.code >> 6);

/** Entry bits 9, 56:53 and 7:6 of a state. */
export const septStateBits = (state: SeptState): bigint => {
  const code = BigInt(SEPT_STATE_ROWS[state].code);
  return ((code & 1n) << 9n) | (((code >> 1n) & 0xfn) << 53n) | (((code >> 5n) & 3n) << 6n);
};

const CODES: ReadonlyMap<number, SeptState> = new Map(
  SEPT_STATES.map((state) => [SEPT_STATE_ROWS[state].code, state]),
);
/** The state of an entry word, or undefined for a combination no state has. */
export const septStateOf = (entry: bigint): SeptState | undefined => {
  const code = ((entry >> 9n) & 1n) | (((entry >> 53n) & 0xfn) << 1n) | (((entry >> 6n) & 3n) << 5n);
  return CODES.get(Number(code));
};

/** Write-back, the memory type of every private leaf. */
const WRITE_BACK = 6n;

const hasPermissions = (state: SeptState): bigint =>
  SEPT_STATE_ROWS[state].guest === "read-write" || state === "NL_MAPPED" ? 1n : 0n;

/**
 * The entry word of a private page, a table or nothing, without locks, aliases or accessed bit.
 *
 * @param pfn host frame; in a PENDING 2 MiB leaf the low nine bits are ACCEPT_COUNTER
 */
export const septEntry = (state: SeptState, pfn: number): bigint => {
  const row = SEPT_STATE_ROWS[state];
  const leaf = BigInt(row.code >> 6);
  const memory = state === "FREE" || state === "REMOVED" ? 0n : leaf;
  const rwx = hasPermissions(state);
  const readExec = row.guest === "read" ? 1n : rwx;
  const permissions = readExec | (rwx << 1n) | (readExec << 2n) | (readExec << 10n);
  const type = row.code & 0x20 ? memory * WRITE_BACK : 0n;
  return permissions | (type << 3n) | septStateBits(state) | (BigInt(pfn) << 12n) | (1n << 63n);
};

const ARCH_LEAF = 0x800f_ffff_ffff_f4ffn;
const ARCH_NON_LEAF = 0x0000_0000_0000_0487n;

/**
 * The architectural form that SEAMCALLs report in RCX: a FREE entry shows only bit 63, a non-leaf its
 * permissions, a leaf also memory type, frame and suppress-#VE. No state bit is shown.
 */
export const septEntryArch = (state: SeptState, pfn: number): bigint => {
  if (state === "FREE") return 1n << 63n;
  const leaf = SEPT_STATE_ROWS[state].code >> 6 === 1;
  return septEntry(state, pfn) & (leaf ? ARCH_LEAF : ARCH_NON_LEAF);
};

/**
 * RDX beside it: level, state number, VM.
 *
 * @source TDX module ABI, secure EPT entry information
 */
export const SEPT_ENTRY_INFO = word({ level: [2, 0], state: [15, 8], vm: [17, 16] });
