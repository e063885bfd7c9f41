import { RSDP, RSDP_SIGNATURE } from "../../abi/acpi/rsdp.ts";
import { ACPI_TABLE_HEADER, byteSum } from "../../abi/acpi/table-header.ts";
import { XSDT_ENTRY } from "../../abi/acpi/xsdt.ts";
import { hex } from "../../abi/bytes.ts";
import { readAcpiTable } from "../acpi/table-facts.ts";
import type { FactSink } from "../fact-sink.ts";
import { type ReadAt, readUnacceptedTable } from "./unaccepted-table.ts";

/** The GUID of Linux' unaccepted-memory table as it lies in memory. @source Linux include/linux/efi.h */
const GUID = [0x3c, 0xde, 0xd1, 0xd5, 0x5c, 0x10, 0xf9, 0x44, 0x9e, 0xa9, 0xbc, 0xef, 0x98, 0x12, 0x00, 0x31];
const RSDP_BYTES = Array.from(RSDP_SIGNATURE, (char) => char.charCodeAt(0));
/** Entries of a configuration table and the tables of ACPI lie on such a boundary. */
const STEP = 8;
const RSDP_STEP = 16;
const OVERLAP = 64;
const MOST_HITS = 64;
const LARGEST_TABLE = 2 ** 20;

const matches = (bytes: Uint8Array, at: number, wanted: readonly number[]): boolean => {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
};

/**
 * Looks for tables in a dump of guest RAM in which an address is an offset: what `pmemsave 0 SIZE` writes, or the file
 * of a memory backend up to the hole below 4 GiB.
 */
export class RamDump {
  private offset = 0;
  private tail = new Uint8Array();
  /** Offsets of configuration table entries with the GUID, and of RSDPs. */
  private readonly entries: number[] = [];
  private readonly roots: number[] = [];

  push(chunk: Uint8Array): void {
    const bytes = new Uint8Array(this.tail.length + chunk.length);
    bytes.set(this.tail);
    bytes.set(chunk, this.tail.length);
    const start = this.offset - this.tail.length;
    const end = bytes.length - OVERLAP;
    let at = (STEP - (start % STEP)) % STEP;
    for (; at < end; at += STEP) {
      const first = bytes[at];
      if (first === GUID[0] && matches(bytes, at, GUID)) this.hit(this.entries, start + at);
      else if (first === RSDP_BYTES[0] && (start + at) % RSDP_STEP === 0 && matches(bytes, at, RSDP_BYTES))
        this.hit(this.roots, start + at);
    }
    this.offset += chunk.length;
    this.tail = bytes.slice(Math.min(at, bytes.length));
  }

  /** Reads what was found. @returns how many tables */
  finish(source: string, readAt: ReadAt, sink: FactSink): number {
    this.push(new Uint8Array(OVERLAP));
    let count = 0;
    for (const entry of this.entries) count += this.readEntry(entry, source, readAt, sink);
    for (const root of this.roots) count += readRoot(root, source, readAt, sink);
    return count;
  }

  private hit(list: number[], offset: number): void {
    if (list.length < MOST_HITS && !list.includes(offset)) list.push(offset);
  }

  private readEntry(offset: number, source: string, readAt: ReadAt, sink: FactSink): number {
    const bytes = readAt(offset + GUID.length, 8);
    if (bytes.length < 8) return 0;
    const pointer = XSDT_ENTRY.get(bytes, "address");
    if (pointer >= 2n ** 52n) return 0;
    const at = { source, offset: Number(pointer) };
    const there = readAt(at.offset, 1).length === 0 ? 0 : Number.MAX_SAFE_INTEGER;
    const table = readUnacceptedTable(readAt, at.offset, there);
    if (typeof table === "string") {
      // The GUID also stands in the code of the kernel and of the firmware, with anything behind it.
      return 0;
    }
    sink.fact(table, at);
    return 1;
  }
}

/** The tables that an RSDP leads to. */
const readRoot = (offset: number, source: string, readAt: ReadAt, sink: FactSink): number => {
  const bytes = readAt(offset, RSDP.size);
  if (bytes.length < RSDP.size || byteSum(bytes.subarray(0, 20)) !== 0) return 0;
  const { revision, rsdtAddress, xsdtAddress } = RSDP.decode(bytes);
  sink.fact({ kind: "rsdp", revision, rsdt: rsdtAddress, xsdt: xsdtAddress }, { source, offset });
  if (revision < 2 || xsdtAddress >= 2n ** 52n) return 1;
  const start = Number(xsdtAddress);
  const head = readAt(start, ACPI_TABLE_HEADER.size);
  if (head.length < ACPI_TABLE_HEADER.size) return 1;
  const { signature, length } = ACPI_TABLE_HEADER.decode(head);
  if (signature !== "XSDT" || length > LARGEST_TABLE) {
    const at = { source, offset: start };
    sink.trouble("warning", at, "the XSDT that the RSDP points to", JSON.stringify(signature));
    return 1;
  }
  const pointers = readAt(start + ACPI_TABLE_HEADER.size, Math.max(0, length - ACPI_TABLE_HEADER.size));
  let count = 1;
  for (let i = 0; i + XSDT_ENTRY.size <= pointers.length; i += XSDT_ENTRY.size) {
    const address = XSDT_ENTRY.get(pointers, "address", i);
    if (address < 2n ** 52n) count += readTable(Number(address), source, readAt, sink);
  }
  return count;
};

const readTable = (offset: number, source: string, readAt: ReadAt, sink: FactSink): number => {
  const head = readAt(offset, ACPI_TABLE_HEADER.size);
  const at = { source, offset };
  if (head.length < ACPI_TABLE_HEADER.size) {
    sink.trouble("warning", at, `a table at ${hex(offset)}`, "the end of the dump");
    return 0;
  }
  const { length } = ACPI_TABLE_HEADER.decode(head);
  if (length > LARGEST_TABLE) return 0;
  return readAcpiTable(readAt(offset, length), at, sink) === undefined ? 0 : 1;
};
