import { checksumLine } from "../abi/acpi/checksum-line.ts";
import { readSrat } from "../abi/acpi/srat.ts";
import { sratMemoryLine } from "../abi/acpi/srat-lines.ts";
import { SRAT_MEMORY, type SratMemoryFields } from "../abi/acpi/srat-subtables.ts";
import { E820_TYPE, type E820Entry } from "../abi/boot-params/e820.ts";
import { e820Lines } from "../abi/boot-params/e820-lines.ts";
import {
  EFI_MEMORY_ATTRIBUTE,
  EFI_MEMORY_CACHEABLE,
  EFI_MEMORY_TYPE,
  type EfiMemoryType,
} from "../abi/efi/memory-descriptor.ts";
import type { EfiConfigurationEntry } from "../abi/efi/system-table.ts";
import { efiTablesLine } from "../abi/efi/table-lines.ts";
import { unacceptedTableView } from "../abi/efi/unaccepted-table.ts";
import { firmware } from "../efi-stub/firmware.ts";
import type { FirmwareRange } from "../efi-stub/firmware-memory.ts";
import { type BackableGuestBytes, sparseGuestBytes } from "../efi-stub/guest-bytes.ts";
import { runStub, type StubOutcome } from "../efi-stub/stub.ts";
import type { ByteRange, NodeRange, Reservation } from "../linux/boot/boot-layout.ts";
import { UnacceptedTable } from "../linux/unaccepted-table.ts";
import { GIB, MIB, PAGE_SIZE } from "../units.ts";
import type { MachineConfig } from "./config.ts";
import { servicesWithFaults } from "./faults/firmware-faults.ts";
import type { Injector } from "./faults/injector.ts";

/** What the kernel finds when it starts: the stub's product, read back from guest memory. */
export interface HandOver {
  readonly stub: StubOutcome;
  readonly table: UnacceptedTable | undefined;
  readonly e820: readonly E820Entry[];
  readonly reservations: readonly Reservation[];
  readonly affinity: readonly NodeRange[];
  /** Kernel messages about the above, in order. */
  readonly lines: readonly string[];
  /** Entries of the EFI configuration table. */
  readonly tables: readonly EfiConfigurationEntry[];
  /** Where the boot parameters lie, guest-physical bytes. */
  readonly bootParams: number;
  /** RAM of the kernel that crashed, for a kernel that runs after one; undefined for any other. */
  readonly oldMemory: readonly ByteRange[] | undefined;
  readonly memory: BackableGuestBytes;
  /** Bytes of guest memory by address; firmware tables and the unaccepted table live here. */
  bytes(gpa: number, length: number): Uint8Array | undefined;
}

/** The machine cannot hand anything over: firmware has nowhere to put its tables. One line. */
export class FirmwareError extends Error {
  override name = "FirmwareError";
}

/** Where the decompressed kernel lies: 16 MiB, the default of CONFIG_PHYSICAL_START. */
export const KERNEL_START = 16 * MIB;
/** Text, data and bss of a distribution's kernel: 0x60400000 to 0x637fffff in a recorded 6.1 guest. */
export const KERNEL_BYTES = 54 * MIB;
/** The legacy hole below 1 MiB: video memory and option ROMs. */
const LEGACY_HOLE = [0xa0000, 0x100000] as const;
/** Room firmware needs in accepted memory below 4 GiB, besides the bitmaps. */
const FIRMWARE_BYTES = 8 * MIB;

interface Span {
  readonly start: number;
  readonly end: number;
}

const cut = (spans: readonly Span[], hole: Span): Span[] =>
  spans.flatMap(({ start, end }) =>
    end <= hole.start || hole.end <= start
      ? [{ start, end }]
      : [
          { start, end: hole.start },
          { start: hole.end, end },
        ].filter((part) => part.start < part.end),
  );

const typeName = (type: number): EfiMemoryType => {
  const entry = Object.entries(EFI_MEMORY_TYPE).find(([, number]) => number === type);
  if (entry === undefined) throw new FirmwareError(`EFI memory type ${type} is not one of the UEFI types`);
  return entry[0] as EfiMemoryType;
};

/** The memory map of the machine when its boot loader starts, ascending. */
export const firmwareMap = (config: MachineConfig): FirmwareRange[] => {
  const ranges: FirmwareRange[] = [];
  let ram: Span[] = config.layout.ram.map(({ start, size }) => ({ start, end: start + size }));
  ram = cut(ram, { start: LEGACY_HOLE[0], end: LEGACY_HOLE[1] });
  const take = (span: Span, type: EfiMemoryType, attribute?: bigint): void => {
    for (const { start, end } of ram) {
      const from = Math.max(start, span.start);
      const to = Math.min(end, span.end);
      if (from < to)
        ranges.push({ start: from, end: to, type, ...(attribute === undefined ? {} : { attribute }) });
    }
    ram = cut(ram, span);
  };
  for (const { type, physAddr, numPages, attribute } of config.efiMemoryMap)
    take({ start: Number(physAddr), end: Number(physAddr + numPages * 4096n) }, typeName(type), attribute);
  for (const { start, size } of config.unaccepted) take({ start, end: start + size }, "UNACCEPTED");
  take({ start: KERNEL_START, end: KERNEL_START + KERNEL_BYTES }, "LOADER_CODE");
  for (const { start, end } of ram) ranges.push({ start, end, type: "CONVENTIONAL" });
  const { deviceMemory } = config.layout;
  if (config.design.firmwareMarksWindow === true && deviceMemory !== undefined)
    ranges.push({
      start: deviceMemory.start,
      end: deviceMemory.start + deviceMemory.size,
      type: "UNACCEPTED",
      attribute: EFI_MEMORY_CACHEABLE | EFI_MEMORY_ATTRIBUTE.UNACCEPTED_HOT_PLUG,
    });
  return ranges.sort((a, b) => a.start - b.start);
};

const demandRoom = (
  map: readonly FirmwareRange[],
  tableBytes: number,
  poolAddress: number | undefined,
): void => {
  const needed = FIRMWARE_BYTES + tableBytes;
  if (poolAddress !== undefined) {
    const range = map.find(({ start, end }) => start <= poolAddress && poolAddress < end);
    const room = range?.type === "CONVENTIONAL" ? range.end - poolAddress : 0;
    if (room >= needed) return;
    throw new FirmwareError(
      `firmware needs ${Math.ceil(needed / MIB)} MiB of accepted memory from poolAddress on, the machine has ` +
        `${Math.floor(room / MIB)} MiB there: move it, or leave more accepted`,
    );
  }
  const largest = map
    .filter(({ type, start }) => type === "CONVENTIONAL" && start < 4 * GIB)
    .reduce((most, { start, end }) => Math.max(most, Math.min(end, 4 * GIB) - start), 0);
  if (largest < needed)
    throw new FirmwareError(
      `firmware needs ${Math.ceil(needed / MIB)} MiB of accepted memory in one piece below 4 GiB, the machine has ` +
        `${Math.floor(largest / MIB)} MiB there: leave more of it accepted, or give it more memory below 4 GiB`,
    );
};

/** Most bytes that the table can take for this machine. */
const tableBytesAtMost = (config: MachineConfig): number => {
  const { ram, deviceMemory } = config.layout;
  const end = Math.max(
    ...ram.map(({ start, size }) => start + size),
    deviceMemory === undefined ? 0 : deviceMemory.start + deviceMemory.size,
  );
  return Math.ceil(end / (2 * MIB) / 8) * config.design.tableVersion;
};

const DEFAULT_POOL_OFFSET = 24;

/**
 * Runs firmware and EFI stub over fresh guest memory.
 *
 * @param accept is asked for each range that the stub accepts, in order; false ends the boot
 * @param faults makes boot services fail
 * @throws FirmwareError if there is no accepted memory for the tables
 */
export const handOver = (
  config: MachineConfig,
  accept: (start: number, end: number) => boolean,
  faults?: Injector,
): HandOver => {
  const memory = sparseGuestBytes();
  const map = firmwareMap(config);
  const { poolAddress } = config;
  demandRoom(map, config.unaccepted.length > 0 ? tableBytesAtMost(config) : 0, poolAddress);
  const poolOffset = poolAddress === undefined ? DEFAULT_POOL_OFFSET : poolAddress % PAGE_SIZE;
  const { services, systemTable, bootParams, configurationTable } = firmware({
    memory,
    map,
    acpiTables: config.srat === undefined ? [] : [config.srat],
    // Firmware of an SNP guest accepts all memory itself unless the stub says that it knows unaccepted memory.
    ...(config.platform === "snp" ? { sevProtocol: "works", acceptsAllAtExit: true } : {}),
    poolOffset,
    ...(poolAddress === undefined ? {} : { poolPages: poolAddress - poolOffset }),
  });
  const reached = faults?.points.concerns("firmware") ? servicesWithFaults(services, faults) : services;
  const stub = runStub(
    { memory, services: reached, systemTable, bootParams, accept },
    {
      platform: config.platform ?? "tdx",
      tableVersion: config.design.tableVersion,
      scansSrat: config.design.stubScansSrat,
      knowsUhp: config.design.firmwareMarksWindow === true,
    },
  );
  const table = stub.status === "EFI_SUCCESS" ? intake(stub.tablePointer, stub.table) : undefined;
  return {
    stub,
    table,
    e820: stub.e820,
    reservations: [{ start: KERNEL_START, end: KERNEL_START + KERNEL_BYTES, what: "Kernel" }],
    affinity: affinityOf(config),
    lines: bootLines(config, stub.e820, configurationTable()),
    tables: configurationTable(),
    bootParams,
    oldMemory: undefined,
    memory,
    bytes: (gpa, length) => memory.bytes(gpa, length),
  };
};

/**
 * The kernel's view of the table that the stub left.
 *
 * @source Linux drivers/firmware/efi/efi.c, reserve_unaccepted: another version is dropped in silence
 */
export const intake = (
  address: number | undefined,
  bytes: Uint8Array | undefined,
): UnacceptedTable | undefined => {
  if (bytes === undefined || address === undefined) return undefined;
  const { version, physBase, unitSize, unaccepted, plugged } = unacceptedTableView(bytes);
  return new UnacceptedTable(address, version, physBase, unitSize, unaccepted, plugged);
};

/** Enabled memory entries of the SRAT, with the proximity domain as Linux takes it. */
const sratMemory = (config: MachineConfig): { fields: SratMemoryFields; domain: number }[] => {
  const srat = config.srat === undefined ? undefined : readSrat(config.srat).srat;
  if (srat === undefined) return [];
  // Revision 1 has eight bits of proximity domain.
  const mask = srat.header.revision <= 1 ? 0xff : 0xffff_ffff;
  return srat.entries.flatMap((entry) =>
    entry.kind === "memory" && (entry.fields.flags & SRAT_MEMORY.ENABLED) !== 0
      ? [{ fields: entry.fields, domain: (entry.fields.proximityDomain & mask) >>> 0 }]
      : [],
  );
};

/** Node of each range of memory, as the SRAT tells it. A domain that is no node of the machine is node 0. */
const affinityOf = (config: MachineConfig): NodeRange[] =>
  sratMemory(config)
    .map(({ fields: { base, rangeLength }, domain }) => ({
      start: Number(base),
      end: Number(base + rangeLength),
      node: domain < config.nodes ? domain : 0,
    }))
    .filter(({ start, end }) => start < end);

/** What the kernel prints about its hand-over, in order. */
export const bootLines = (
  config: MachineConfig,
  e820: readonly E820Entry[],
  entries: readonly EfiConfigurationEntry[],
): string[] => [
  "tdx: Guest detected",
  "BIOS-provided physical RAM map:",
  ...e820Lines(e820, config.variant.e820Wording),
  efiTablesLine(entries),
  ...sratMemory(config).map(({ fields, domain }) =>
    sratMemoryLine(domain < config.nodes ? domain : 0, domain, fields),
  ),
  ...sratWarning(config),
];

/** The kernel looks at checksums once it has read the tables, and only warns. */
const sratWarning = ({ srat, variant }: MachineConfig): string[] => {
  const line = srat === undefined ? undefined : checksumLine(srat, variant.acpica);
  return line === undefined ? [] : [line];
};

/** RAM ranges of an e820 table, ascending, neighbours joined. */
export const ramOf = (e820: readonly E820Entry[]): { start: number; end: number }[] =>
  e820
    .filter(({ type }) => type === E820_TYPE.RAM)
    .map(({ addr, size }) => ({ start: Number(addr), end: Number(addr + size) }))
    .sort((a, b) => a.start - b.start);
