import { RSDP, RSDP_SIGNATURE } from "../abi/acpi/rsdp.ts";
import { SRAT_HEADER } from "../abi/acpi/srat.ts";
import { SRAT_MEMORY, SRAT_SUBTABLE } from "../abi/acpi/srat-subtables.ts";
import { ACPI_TABLE_HEADER } from "../abi/acpi/table-header.ts";
import { XSDT_ENTRY } from "../abi/acpi/xsdt.ts";
import { EFI_GUID } from "../abi/efi/guid.ts";
import { findConfigurationTable, viewAt } from "./configuration-table.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { type Halt, unbacked, type WordRange } from "./stub-fault.ts";

const WORD_LIMIT = 2n ** 64n;
const SUBTABLE_HEADER = 2;
const MEMORY_TYPE = 1;

/** Address and length of the first SRAT in the XSDT; undefined if the walk finds none. */
const findSrat = (memory: GuestBytes, rsdpAt: bigint): WordRange | undefined | Halt => {
  const rsdp = viewAt(memory, rsdpAt, RSDP.size);
  if (rsdp === undefined) return unbacked("RSDP", rsdpAt, RSDP.size);
  const { signature, xsdtAddress } = RSDP.decode(rsdp);
  if (signature !== RSDP_SIGNATURE || xsdtAddress === 0n) return undefined;
  const header = viewAt(memory, xsdtAddress, ACPI_TABLE_HEADER.size);
  if (header === undefined) return unbacked("XSDT", xsdtAddress, ACPI_TABLE_HEADER.size);
  const { signature: name, length } = ACPI_TABLE_HEADER.decode(header);
  if (name !== "XSDT" || length < ACPI_TABLE_HEADER.size + XSDT_ENTRY.size) return undefined;
  const count = Math.floor((length - ACPI_TABLE_HEADER.size) / XSDT_ENTRY.size);
  for (let i = 0; i < count; i++) {
    const entryAt = xsdtAddress + BigInt(ACPI_TABLE_HEADER.size + i * XSDT_ENTRY.size);
    const entry = viewAt(memory, entryAt, XSDT_ENTRY.size);
    if (entry === undefined) return unbacked("XSDT", entryAt, XSDT_ENTRY.size);
    const start = XSDT_ENTRY.get(entry, "address");
    if (start === 0n) continue;
    const table = viewAt(memory, start, ACPI_TABLE_HEADER.size);
    if (table === undefined) return unbacked("ACPI table", start, ACPI_TABLE_HEADER.size);
    const found = ACPI_TABLE_HEADER.decode(table);
    if (found.signature === "SRAT") return { start, end: start + BigInt(found.length) };
  }
  return undefined;
};

const WANTED = SRAT_MEMORY.ENABLED | SRAT_MEMORY.HOT_PLUGGABLE;

/** The range of a sub-table, if it is one the parser takes. */
const hotplugRange = (entry: Uint8Array): WordRange | undefined => {
  const { base, rangeLength, flags } = SRAT_SUBTABLE.memory.decode(entry);
  const end = base + rangeLength;
  return (flags & WANTED) === WANTED && end < WORD_LIMIT ? { start: base, end } : undefined;
};

/**
 * The hot-pluggable ranges that the stub of RFC v2 takes from the SRAT: enabled and hot-pluggable memory entries whose
 * end is a 64-bit word. One of length 0 is among them.
 *
 * The walk believes what it reads. It takes the RSDP from the ACPI 2.0 configuration table only, and checks its
 * signature, the XSDT's signature and least length, and nothing else: no checksum, no revision, no upper bound of a
 * length. The first SRAT wins. A sub-table of length 0 ends the walk; one that runs over the table's end is read
 * from whatever lies behind. The stub walks twice, for the bounds and for the bits, with the same result.
 *
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", patch 1
 */
export const sratHotplugRanges = (memory: GuestBytes, systemTable: bigint): readonly WordRange[] | Halt => {
  const rsdp = findConfigurationTable(memory, systemTable, EFI_GUID.ACPI_20_TABLE);
  if (rsdp === undefined) return [];
  if (typeof rsdp !== "bigint") return rsdp;
  const srat = findSrat(memory, rsdp);
  if (srat === undefined) return [];
  if ("why" in srat) return srat;
  const ranges: WordRange[] = [];
  for (let at = srat.start + BigInt(SRAT_HEADER.size); at < srat.end; ) {
    const head = viewAt(memory, at, SUBTABLE_HEADER);
    if (head === undefined) return unbacked("SRAT", at, SUBTABLE_HEADER);
    const length = head[1]!;
    if (length === 0) break;
    if (head[0] === MEMORY_TYPE && length >= SRAT_SUBTABLE.memory.size) {
      const entry = viewAt(memory, at, SRAT_SUBTABLE.memory.size);
      if (entry === undefined) return unbacked("SRAT", at, SRAT_SUBTABLE.memory.size);
      const range = hotplugRange(entry);
      if (range) ranges.push(range);
    }
    at += BigInt(length);
  }
  return ranges;
};
