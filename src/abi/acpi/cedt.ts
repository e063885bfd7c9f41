import { struct } from "../bytes.ts";
import { structKind, type TableBody } from "./subtable-listing.ts";
import { ACPI_TABLE_HEADER } from "./table-header.ts";
import { listRows, rawRows, type TableRow } from "./table-rows.ts";

/** The structures of a CEDT, which says where CXL memory may appear. @source CXL 3.1, 9.18.1 */
export const CEDT_STRUCTURE = {
  hostBridge: struct("CEDT CXL host bridge (CHBS)", 32, {
    type: [0, "u8"],
    reserved: [1, "u8"],
    length: [2, "u16"],
    uid: [4, "u32"],
    version: [8, "u32"], // 0: CXL 1.1; 1: CXL 2.0
    reserved1: [12, "u32"],
    base: [16, "u64"],
    rangeLength: [24, "u64"], // bytes
  }),
  /** A window of host-physical addresses; the UIDs of its host bridges follow. */
  fixedWindow: struct("CEDT CXL fixed memory window (CFMWS)", 36, {
    type: [0, "u8"],
    reserved: [1, "u8"],
    length: [2, "u16"],
    reserved1: [4, "u32"],
    base: [8, "u64"],
    windowSize: [16, "u64"], // bytes
    interleaveWays: [24, "u8"], // encoded: 0 to 4 are powers of two, 8 to 10 are 3, 6 and 12
    arithmetic: [25, "u8"],
    reserved2: [26, "u16"],
    granularity: [28, "u32"],
    restrictions: [32, "u16"],
    qtgId: [34, "u16"],
  }),
  /** How windows with XOR arithmetic of one granularity are decoded; the maps follow. */
  xorMath: struct("CEDT CXL XOR interleave math (CXIMS)", 8, {
    type: [0, "u8"],
    reserved: [1, "u8"],
    length: [2, "u16"],
    reserved1: [4, "u16"],
    granularity: [6, "u8"], // encoded, as the windows have it
    maps: [7, "u8"],
  }),
  /** Which root complex event collector reports for a downstream port. */
  portAssociation: struct("CEDT RCEC downstream port association (RDPAS)", 17, {
    type: [0, "u8"],
    reserved: [1, "u8"],
    length: [2, "u16"],
    segment: [4, "u16"],
    bdf: [6, "u16"],
    protocol: [8, "u8"], // 0: CXL.io; 1: CXL.cachemem
    base: [9, "u64"],
  }),
} as const;

const HEAD = { type: "Subtable Type", reserved: "Reserved", length: "Length" } as const;
const TARGET = 4;

const targetRows = (bytes: Uint8Array, at: number, end: number): TableRow[] => {
  const start = at + CEDT_STRUCTURE.fixedWindow.size;
  const count = Math.floor((end - start) / TARGET);
  return [
    ...listRows("First Target", "u32", bytes, start, Math.min(1, count)),
    ...listRows("Next Target", "u32", bytes, start + TARGET, Math.max(0, count - 1)),
    ...rawRows("Data", bytes, start + count * TARGET, end),
  ];
};

const MAP = 8;

/** The XOR maps; a count that does not fit is cut to what is there. */
const mapRows = (bytes: Uint8Array, at: number, end: number): TableRow[] => {
  const { size } = CEDT_STRUCTURE.xorMath;
  const { maps } = CEDT_STRUCTURE.xorMath.decode(bytes, at);
  const count = Math.min(maps, Math.floor((end - at - size) / MAP));
  return [
    ...listRows("XOR Map", "u64", bytes, at + size, count),
    ...rawRows("Data", bytes, at + size + count * MAP, end),
  ];
};

/**
 * The parts of a CEDT under the names of an iasl that knows them; those of CXIMS and RDPAS are the specification's.
 *
 * @source ACPICA source/common/dmtbinfo1.c; CXL 3.1, 9.18.1.4 and 9.18.1.5
 */
export const CEDT_LISTING: TableBody = {
  title: "CXL Early Discovery Table",
  fixed: { size: ACPI_TABLE_HEADER.size, rows: () => [] },
  type: [0, 1],
  length: [2, 2],
  kinds: [
    structKind("CXL Host Bridge Structure", CEDT_STRUCTURE.hostBridge, {
      ...HEAD,
      uid: "Associated host bridge",
      version: "Specification version",
      reserved1: "Reserved",
      base: "Register base",
      rangeLength: "Register length",
    }),
    structKind(
      "CXL Fixed Memory Window Structure",
      CEDT_STRUCTURE.fixedWindow,
      {
        ...HEAD,
        reserved1: "Reserved",
        base: "Window base address",
        windowSize: "Window size",
        interleaveWays: "Interleave Members (2^n)",
        arithmetic: "Interleave Arithmetic",
        reserved2: "Reserved",
        granularity: "Granularity",
        restrictions: "Restrictions",
        qtgId: "QtgId",
      },
      targetRows,
    ),
    structKind(
      "CXL XOR Interleave Math Structure",
      CEDT_STRUCTURE.xorMath,
      {
        ...HEAD,
        reserved1: "Reserved",
        granularity: "Interleave Granularity (HBIG)",
        maps: "Number of XOR Maps",
      },
      mapRows,
    ),
    structKind("RCEC Downstream Port Association Structure", CEDT_STRUCTURE.portAssociation, {
      ...HEAD,
      segment: "RCEC Segment Number",
      bdf: "RCEC BDF",
      protocol: "Protocol Type",
      base: "Base Address",
    }),
  ],
};
