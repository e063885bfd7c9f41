import { type FieldsOf, struct } from "../bytes.ts";
import { structKind, type TableBody } from "./subtable-listing.ts";
import { listRows, rawRows, type TableRow } from "./table-rows.ts";

/** The structures of an HMAT. @source ACPI 6.5, 5.2.28 */
export const HMAT_STRUCTURE = {
  /** The initiator nearest to a memory domain. */
  proximity: struct("HMAT memory proximity domain attributes", 40, {
    type: [0, "u16"],
    reserved: [2, "u16"],
    length: [4, "u32"],
    flags: [8, "u16"],
    reserved1: [10, "u16"],
    initiator: [12, "u32"],
    memory: [16, "u32"],
    reserved2: [20, "u32"],
    reserved3: [24, "u64"],
    reserved4: [32, "u64"],
  }),
  /** A matrix of latencies or bandwidths: initiator domains, target domains, entries row by row. */
  locality: struct("HMAT system locality latency and bandwidth", 32, {
    type: [0, "u16"],
    reserved: [2, "u16"],
    length: [4, "u32"],
    flags: [8, "u8"],
    dataType: [9, "u8"],
    reserved1: [10, "u16"], // its low byte is the least transfer size since ACPI 6.4
    initiators: [12, "u32"],
    targets: [16, "u32"],
    reserved2: [20, "u32"],
    entryBaseUnit: [24, "u64"],
  }),
  /** A cache in front of memory; SMBIOS handles follow. */
  cache: struct("HMAT memory side cache", 32, {
    type: [0, "u16"],
    reserved: [2, "u16"],
    length: [4, "u32"],
    memory: [8, "u32"],
    reserved1: [12, "u32"],
    size: [16, "u64"], // bytes
    attributes: [24, "u32"],
    reserved2: [28, "u16"],
    handles: [30, "u16"],
  }),
} as const;
export type HmatLocality = FieldsOf<typeof HMAT_STRUCTURE.locality>;

const HEAD = { type: "Structure Type", reserved: "Reserved", length: "Length" } as const;
const FIXED = 40;
const ENTRY = 2;
const DOMAIN = 4;
const HANDLE = 2;

/** Rows of the lists behind a locality structure; counts that do not fit are cut to what is there. */
const matrixRows = (bytes: Uint8Array, at: number, end: number): TableRow[] => {
  const { size } = HMAT_STRUCTURE.locality;
  const { initiators, targets } = HMAT_STRUCTURE.locality.decode(bytes, at);
  const start = at + size;
  const most = (from: number, width: number, wanted: number): number =>
    Math.max(0, Math.min(wanted, Math.floor((end - from) / width)));
  const first = most(start, DOMAIN, initiators);
  const second = most(start + first * DOMAIN, DOMAIN, targets);
  const matrix = start + (first + second) * DOMAIN;
  const entries = most(matrix, ENTRY, initiators * targets);
  return [
    ...listRows("Initiator Proximity Domain List", "u32", bytes, start, first),
    ...listRows("Target Proximity Domain List", "u32", bytes, start + first * DOMAIN, second),
    ...listRows("Entry", "u16", bytes, matrix, entries),
    ...rawRows("Data", bytes, matrix + entries * ENTRY, end),
  ];
};

const handleRows = (bytes: Uint8Array, at: number, end: number): TableRow[] => {
  const { size } = HMAT_STRUCTURE.cache;
  const { handles } = HMAT_STRUCTURE.cache.decode(bytes, at);
  const count = Math.min(handles, Math.floor((end - at - size) / HANDLE));
  return [
    ...listRows("SMBIOS Handle", "u16", bytes, at + size, count),
    ...rawRows("Data", bytes, at + size + count * HANDLE, end),
  ];
};

/** The parts of an HMAT under iasl's names. @source ACPICA source/common/dmtbinfo1.c */
export const HMAT_LISTING: TableBody = {
  title: "Heterogeneous Memory Attributes Table",
  fixed: { size: FIXED, rows: (bytes) => listRows("Reserved", "u32", bytes, FIXED - 4, 1) },
  type: [0, 2],
  length: [4, 4],
  kinds: [
    structKind("Memory Proximity Domain Attributes", HMAT_STRUCTURE.proximity, {
      ...HEAD,
      flags: ["Flags (decoded below)", [["Processor Proximity Domain Valid", 0, 0]]],
      reserved1: "Reserved1",
      initiator: "Attached Initiator Proximity Domain",
      memory: "Memory Proximity Domain",
      reserved2: "Reserved2",
      reserved3: "Reserved3",
      reserved4: "Reserved4",
    }),
    structKind(
      "System Locality Latency and Bandwidth Information",
      HMAT_STRUCTURE.locality,
      {
        ...HEAD,
        flags: ["Flags (decoded below)", [["Memory Hierarchy", 3, 0]]],
        dataType: "Data Type",
        reserved1: "Reserved1",
        initiators: "Initiator Proximity Domains #",
        targets: "Target Proximity Domains #",
        reserved2: "Reserved2",
        entryBaseUnit: "Entry Base Unit",
      },
      matrixRows,
    ),
    structKind(
      "Memory Side Cache Information",
      HMAT_STRUCTURE.cache,
      {
        ...HEAD,
        memory: "Memory Proximity Domain",
        reserved1: "Reserved1",
        size: "Memory Side Cache Size",
        attributes: [
          "Cache Attributes (decoded below)",
          [
            ["Total Cache Levels", 3, 0],
            ["Cache Level", 7, 4],
            ["Cache Associativity", 11, 8],
            ["Write Policy", 15, 12],
            ["Cache Line Size", 31, 16],
          ],
        ],
        reserved2: "Reserved2",
        handles: "SMBIOS Handle #",
      },
      handleRows,
    ),
  ],
};
