import { CEDT_STRUCTURE } from "../../abi/acpi/cedt.ts";
import { MSCT_HEADER } from "../../abi/acpi/msct.ts";
import { decodeSlit } from "../../abi/acpi/slit.ts";
import { readSrat } from "../../abi/acpi/srat.ts";
import { SRAT_AFFINITY, SRAT_MEMORY, type SratEntry } from "../../abi/acpi/srat-subtables.ts";
import { ACPI_TABLE_HEADER } from "../../abi/acpi/table-header.ts";
import { listTable } from "../../abi/acpi/table-listing.ts";
import { DecodeError, hex } from "../../abi/bytes.ts";
import type { FactSink } from "../fact-sink.ts";
import { ADDRESS_LIMIT, type FactBody, type Place, type Range } from "../facts.ts";

const LIMIT = BigInt(ADDRESS_LIMIT);

const rangeOf = (base: bigint, size: bigint): Range | undefined =>
  base + size <= LIMIT ? { start: Number(base), end: Number(base + size) } : undefined;

const LEGACY_REVISION = 1;

const sratFact = (entry: SratEntry, revision: number): FactBody | string | undefined => {
  if (entry.kind === "memory") {
    const { base, rangeLength, flags, proximityDomain } = entry.fields;
    const range = rangeOf(base, rangeLength);
    if (range === undefined) return `${hex(base)} + ${hex(rangeLength)}`;
    return {
      kind: "srat-memory",
      // Linux takes 8 bits of the domain where the table's revision says so.
      proximity: revision <= LEGACY_REVISION ? proximityDomain & 0xff : proximityDomain,
      node: undefined,
      enabled: (flags & SRAT_MEMORY.ENABLED) !== 0,
      hotplug: (flags & SRAT_MEMORY.HOT_PLUGGABLE) !== 0,
      nonVolatile: (flags & SRAT_MEMORY.NON_VOLATILE) !== 0,
      ...range,
    };
  }
  if (entry.kind !== "cpu" && entry.kind !== "x2apic") return undefined;
  const enabled = (entry.fields.flags & SRAT_AFFINITY.ENABLED) !== 0;
  if (entry.kind === "x2apic") {
    const { proximityDomain, x2apicId } = entry.fields;
    return { kind: "srat-cpu", proximity: proximityDomain, node: undefined, apicId: x2apicId, enabled };
  }
  const { proximityLow, proximityHigh, apicId } = entry.fields;
  const high = revision <= LEGACY_REVISION ? 0 : proximityHigh * 256;
  return { kind: "srat-cpu", proximity: high + proximityLow, node: undefined, apicId, enabled };
};

const sratFacts = (bytes: Uint8Array, at: Place, sink: FactSink): void => {
  const { srat } = readSrat(bytes);
  for (const entry of srat?.entries ?? []) {
    const fact = sratFact(entry, srat!.header.revision);
    if (typeof fact === "string") sink.trouble("warning", at, "ranges of addresses up to 2^52", fact);
    else if (fact !== undefined) sink.fact(fact, at);
  }
};

const FIXED_WINDOW = 1;
const TARGET = 4;

const cedtFacts = (bytes: Uint8Array, at: Place, sink: FactSink): void => {
  const { fixedWindow } = CEDT_STRUCTURE;
  let offset = ACPI_TABLE_HEADER.size;
  while (offset + 4 <= bytes.length) {
    const length = bytes[offset + 2]! + bytes[offset + 3]! * 256;
    if (length < 4 || offset + length > bytes.length) return;
    if (bytes[offset] === FIXED_WINDOW && length >= fixedWindow.size) {
      const { base, windowSize } = fixedWindow.decode(bytes, offset);
      const range = rangeOf(base, windowSize);
      const count = Math.floor((length - fixedWindow.size) / TARGET);
      const view = new DataView(bytes.buffer, bytes.byteOffset + offset + fixedWindow.size);
      const targets = Array.from({ length: count }, (_, i) => view.getUint32(i * TARGET, true));
      if (range !== undefined) sink.fact({ kind: "cxl-window", targets, ...range }, at);
      else
        sink.trouble("warning", at, "a window of addresses up to 2^52", `${hex(base)} + ${hex(windowSize)}`);
    }
    offset += length;
  }
};

const slitFacts = (bytes: Uint8Array, at: Place, sink: FactSink): void => {
  try {
    sink.fact({ kind: "slit", distances: decodeSlit(bytes) }, at);
  } catch (error) {
    // What is wrong with the table is told by its listing.
    if (!(error instanceof DecodeError)) throw error;
  }
};

const msctFacts = (bytes: Uint8Array, at: Place, sink: FactSink): void => {
  if (bytes.length < MSCT_HEADER.size) return;
  sink.fact({ kind: "max-address", last: MSCT_HEADER.get(bytes, "maxAddress") }, at);
};

/** What a table says beyond its fields, by signature. */
const READERS: { readonly [signature: string]: (bytes: Uint8Array, at: Place, sink: FactSink) => void } = {
  SRAT: sratFacts,
  CEDT: cedtFacts,
  SLIT: slitFacts,
  MSCT: msctFacts,
};

/**
 * Reads one ACPI table: all its fields, and what they say of memory. A damaged one yields what could be read.
 *
 * @param bytes the table from its first byte on
 * @param place where byte 0 of the table lies; offsets in the result count from there
 * @returns the table's length, or undefined if the bytes cannot be a table
 */
export const readAcpiTable = (bytes: Uint8Array, place: Place, sink: FactSink): number | undefined => {
  const listing = listTable(bytes);
  if (listing === undefined) return undefined;
  const { signature, length } = listing.header;
  sink.fact({ kind: "acpi-table", signature, listing }, place);
  for (const { severity, offset, expected, found } of listing.diagnoses) {
    const at = { ...place, offset: (place.offset ?? 0) + offset };
    sink.trouble(severity, at, `${signature}: ${expected}`, found);
  }
  const whole = bytes.subarray(0, Math.min(length, bytes.length));
  if (Object.hasOwn(READERS, signature)) READERS[signature]!(whole, place, sink);
  return length;
};
