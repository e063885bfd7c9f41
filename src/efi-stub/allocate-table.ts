import { EFI_GUID } from "../abi/efi/guid.ts";
import { EFI_MEMORY_TYPE, type EfiMemoryDescriptor, efiMemoryEnd } from "../abi/efi/memory-descriptor.ts";
import type { EfiStatus } from "../abi/efi/status.ts";
import {
  putUnacceptedTable,
  UNACCEPTED_TABLE_HEADER,
  type UnacceptedTableVersion,
  unacceptedTableBytes,
} from "../abi/efi/unaccepted-table.ts";
import type { BootServices } from "./boot-services.ts";
import { findConfigurationTable, viewAt } from "./configuration-table.ts";
import type { StubPlatform } from "./early-accept.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { sratHotplugRanges } from "./srat-scan.ts";
import { type Halt, type StubFault, unbacked, type WordRange } from "./stub-fault.ts";
import { openStubTable, type StubTable, setUnits } from "./stub-table.ts";

/** What the sizing needs of the stub around it. */
export interface TableRequest {
  readonly memory: GuestBytes;
  readonly services: BootServices;
  /** Guest-physical byte address of the EFI system table. */
  readonly systemTable: number;
  readonly platform: StubPlatform;
  readonly tableVersion: UnacceptedTableVersion;
  /** The window also covers the hot-pluggable ranges of the SRAT. */
  readonly scansSrat: boolean;
  /** Bytes a bit of a new table stands for; a power of two. */
  readonly unitSize: number;
  /** Version 2: leave out the bits of an SRAT entry that holds no whole unit, as agreed after the RFC. */
  readonly ignoreSubUnit: boolean;
  readonly faults: StubFault[];
  /** Prints an error line of the stub. */
  error(text: string): void;
}

/** A table is there, none is wanted, or boot goes no further. `pointer` is what the stub keeps even on errors. */
export interface TableResult {
  readonly status: EfiStatus;
  readonly table?: StubTable;
  readonly pointer?: number;
}

const word = (value: bigint): bigint => BigInt.asUintN(64, value);
const roundUp = (value: bigint, unit: bigint): bigint => word((word(value - 1n) | (unit - 1n)) + 1n);
const roundDown = (value: bigint, unit: bigint): bigint => value - (value % unit);

const NOTHING_SEEN = 2n ** 64n - 1n;

/** Lowest start and highest end of unaccepted memory and hot-pluggable ranges; undefined if there are none. */
const boundsOf = (
  map: readonly EfiMemoryDescriptor[],
  ranges: readonly WordRange[],
): WordRange | undefined => {
  let start = NOTHING_SEEN;
  let end = 0n;
  const unaccepted = map.filter(({ type }) => type === EFI_MEMORY_TYPE.UNACCEPTED);
  const all = [...unaccepted.map((d) => ({ start: d.physAddr, end: efiMemoryEnd(d) })), ...ranges];
  for (const range of all) {
    if (range.start < start) start = range.start;
    if (range.end > end) end = range.end;
  }
  return start === NOTHING_SEEN ? undefined : { start, end };
};

/** A table that an earlier stage installed: good if its version is this kernel's, and then used as it is. */
const reuseTable = (request: TableRequest, at: bigint): TableResult | Halt => {
  const { memory, tableVersion } = request;
  const header = viewAt(memory, at, UNACCEPTED_TABLE_HEADER.size);
  if (header === undefined) return unbacked("unaccepted-memory table", at, UNACCEPTED_TABLE_HEADER.size);
  const pointer = Number(at);
  if (UNACCEPTED_TABLE_HEADER.get(header, "version") !== tableVersion) {
    request.error("Unknown version of unaccepted memory table");
    return { status: "EFI_UNSUPPORTED", pointer };
  }
  const table = openStubTable(memory, pointer, tableVersion);
  return "why" in table ? table : { status: "EFI_SUCCESS", table, pointer };
};

/** Allocates and installs a table for a window. */
const createTable = (request: TableRequest, window: WordRange): TableResult | Halt => {
  const { memory, services, tableVersion, unitSize } = request;
  const unit = BigInt(unitSize);
  const physBase = roundDown(window.start, unit);
  const unitsOfAByte = unit * 8n;
  const size = word(word(roundUp(window.end, unit) - physBase) + unitsOfAByte - 1n) / unitsOfAByte;
  const bytes = unacceptedTableBytes(tableVersion, Number(size));
  const pointer = services.allocatePool("ACPI_RECLAIM", bytes);
  if (pointer === undefined) {
    request.error("Failed to allocate unaccepted memory config table");
    return { status: "EFI_OUT_OF_RESOURCES" };
  }
  const view = memory.bytes(pointer, bytes);
  if (view === undefined) return unbacked("unaccepted-memory table", BigInt(pointer), bytes);
  putUnacceptedTable(view, { version: tableVersion, unitSize, physBase, size: Number(size) });
  return {
    status: "EFI_SUCCESS",
    table: { at: pointer, version: tableVersion, unitSize: unit, physBase, size },
    pointer,
  };
};

/** Marks the hot-pluggable ranges unaccepted and leaves them unplugged. */
const markHotplug = (
  request: TableRequest,
  table: StubTable,
  ranges: readonly WordRange[],
): Halt | undefined => {
  for (const range of ranges) {
    const start = roundUp(range.start, table.unitSize);
    const end = roundDown(range.end, table.unitSize);
    // Without the agreed check a range inside one unit has start above end, and a negative number of bits is set.
    if (request.ignoreSubUnit && start >= end) continue;
    const offsets = [word(start - table.physBase), word(end - table.physBase)] as const;
    const halt = setUnits(request.memory, table, ["unaccepted"], ...offsets, request.faults);
    if (halt) return halt;
  }
  return undefined;
};

/** Puts the new table where the kernel will look for it. */
const installTable = (request: TableRequest, result: TableResult): TableResult => {
  const { services } = request;
  const status = services.installConfigurationTable(EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, result.pointer!);
  if (status === "EFI_SUCCESS") return result;
  services.freePool(result.pointer!);
  request.error("Failed to install unaccepted memory config table!");
  // The stub's pointer keeps the address of the freed table.
  return { status, pointer: result.pointer! };
};

/**
 * Finds or makes the unaccepted-memory table, sized from the first memory map; a hole costs its bits. A stub that scans
 * the SRAT makes the window cover its hot-pluggable ranges too, even without unaccepted memory. In version 2 only a
 * platform that accepts memory has a table at all.
 *
 * @returns EFI_SUCCESS without a table if there is nothing to record; EFI_UNSUPPORTED if a table of another version is
 *   installed; EFI_OUT_OF_RESOURCES; what installing it returned; or why the machine stops
 * @source Linux drivers/firmware/efi/libstub/unaccepted_memory.c (allocate_unaccepted_bitmap); version 2: RFCv2 "Support
 *   memory hotplug/unplug for TDX CoCo guests", patches 1 and 3
 */
export const allocateUnacceptedTable = (
  request: TableRequest,
  map: readonly EfiMemoryDescriptor[],
): TableResult | Halt => {
  const { memory, systemTable, tableVersion, platform, scansSrat } = request;
  if (tableVersion === 2 && platform === "none") return { status: "EFI_SUCCESS" };
  const installed = findConfigurationTable(memory, BigInt(systemTable), EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE);
  if (typeof installed === "bigint") return reuseTable(request, installed);
  if (installed !== undefined) return installed;
  const ranges = scansSrat ? sratHotplugRanges(memory, BigInt(systemTable)) : [];
  if ("why" in ranges) return ranges;
  const bounds = boundsOf(map, ranges);
  if (bounds === undefined) return { status: "EFI_SUCCESS" };
  const result = createTable(request, bounds);
  if ("why" in result || result.table === undefined) return result;
  return markHotplug(request, result.table, ranges) ?? installTable(request, result);
};
