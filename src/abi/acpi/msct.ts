import { struct } from "../bytes.ts";
import { tableError } from "./diagnosis.ts";
import type { ListedPart, TableBody } from "./subtable-listing.ts";
import { rawRows, rowReader, type TableRow } from "./table-rows.ts";

/** The largest machine the firmware can make of this one. @source ACPI 6.5, 5.2.19 */
export const MSCT_HEADER = struct(
  "MSCT",
  56,
  {
    proximityOffset: [36, "u32"], // byte of the first proximity structure
    maxProximityDomains: [40, "u32"], // highest number, not count
    maxClockDomains: [44, "u32"],
    maxAddress: [48, "u64"],
  },
  "holes",
);
export const MSCT_PROXIMITY = struct("MSCT maximum proximity domain information", 22, {
  revision: [0, "u8"],
  length: [1, "u8"],
  rangeStart: [2, "u32"],
  rangeEnd: [6, "u32"],
  processorCapacity: [10, "u32"],
  memoryCapacity: [14, "u64"], // bytes
});

const HEADER_ROWS = rowReader(MSCT_HEADER, {
  proximityOffset: "Proximity Offset",
  maxProximityDomains: "Max Proximity Domains",
  maxClockDomains: "Max Clock Domains",
  maxAddress: "Max Physical Address",
});
const PROXIMITY_ROWS = rowReader(MSCT_PROXIMITY, {
  revision: "Revision",
  length: "Length",
  rangeStart: "Domain Range Start",
  rangeEnd: "Domain Range End",
  processorCapacity: "Processor Capacity",
  memoryCapacity: "Memory Capacity",
});

const list = (bytes: Uint8Array): ListedPart => {
  const least = MSCT_HEADER.size;
  if (bytes.length < least)
    return { rows: [], diagnoses: [tableError(4, `a length of ${least} or more`, `${bytes.length}`)] };
  const rows: TableRow[] = HEADER_ROWS(bytes, 0);
  const start = MSCT_HEADER.get(bytes, "proximityOffset");
  if (start < least || start > bytes.length) {
    rows.push(...rawRows("Data", bytes, least, bytes.length));
    const fault = tableError(36, `an offset of ${least} to ${bytes.length}`, `${start}`);
    return { rows, diagnoses: [fault] };
  }
  rows.push(...rawRows("Data", bytes, least, start));
  let at = start;
  while (at < bytes.length) {
    const size = bytes.length - at < 2 ? 0 : bytes[at + 1]!;
    if (size < MSCT_PROXIMITY.size || at + size > bytes.length) {
      rows.push(...rawRows("Data", bytes, at, bytes.length));
      const expected = `a structure of ${MSCT_PROXIMITY.size} to ${bytes.length - at} bytes`;
      return { rows, diagnoses: [tableError(at + 1, expected, `${size}`)] };
    }
    rows.push(...PROXIMITY_ROWS(bytes, at));
    rows.push(...rawRows("Data", bytes, at + MSCT_PROXIMITY.size, at + size));
    at += size;
  }
  return { rows, diagnoses: [] };
};

/** The parts of an MSCT under iasl's names. @source ACPICA source/common/dmtbinfo2.c */
export const MSCT_LISTING: TableBody = {
  title: "Maximum System Characteristics Table",
  fixed: { size: MSCT_HEADER.size, rows: () => [] },
  type: [0, 1],
  length: [1, 1],
  kinds: [],
  list,
};
