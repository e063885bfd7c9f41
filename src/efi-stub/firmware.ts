import { rsdp } from "../abi/acpi/rsdp.ts";
import { xsdt } from "../abi/acpi/xsdt.ts";
import { BOOT_PARAMS } from "../abi/boot-params/boot-params.ts";
import { EFI_GUID } from "../abi/efi/guid.ts";
import {
  EFI_MEMORY_DESCRIPTOR,
  EFI_MEMORY_DESCRIPTOR_VERSION,
  type EfiMemoryDescriptor,
  encodeMemoryMap,
} from "../abi/efi/memory-descriptor.ts";
import type { EfiStatus } from "../abi/efi/status.ts";
import {
  type EfiConfigurationEntry,
  efiSystemTable,
  encodeConfigurationTable,
} from "../abi/efi/system-table.ts";
import type { BootServices, MemoryMapAt } from "./boot-services.ts";
import { type FirmwareMemory, type FirmwareRange, firmwareMemory } from "./firmware-memory.ts";
import type { BackableGuestBytes } from "./guest-bytes.ts";

/** How the firmware of a machine behaves, and what it was given. */
export interface FirmwareOptions {
  readonly memory: BackableGuestBytes;
  /** Memory when the boot loader starts, in address order; pools come out of CONVENTIONAL ranges below 4 GiB. */
  readonly map: readonly FirmwareRange[];
  /** Whole tables, such as an SRAT. Without any there is no RSDP. */
  readonly acpiTables?: readonly Uint8Array[];
  /** Addresses of tables that lie in memory already; the XSDT names them before the others. */
  readonly acpiTablesAt?: readonly number[];
  /** Boot parameters that a boot loader has filled already; zeroed ones are made if there are none. */
  readonly bootParams?: number;
  /** Bytes from one descriptor to the next; 48 unless said otherwise. */
  readonly descriptorSize?: number;
  /** Byte of a page at which every pool starts, a multiple of 8 below 4096; 24 unless said otherwise. */
  readonly poolOffset?: number;
  /** Page from which on firmware takes its memory, upwards; from the top of what is below 4 GiB down if absent. */
  readonly poolPages?: number;
  /** The SEV memory-acceptance protocol; absent unless said otherwise. */
  readonly sevProtocol?: "absent" | "works" | "fails";
  /** SEV firmware: what was not asked to stay unaccepted is accepted at ExitBootServices. */
  readonly acceptsAllAtExit?: boolean;
  /** Calls of ExitBootServices that find their key stale, because a timer allocated something. */
  readonly staleKeys?: number;
  /** Changes what the last map says, to make it disagree with the first. */
  readonly lastMap?: (map: readonly EfiMemoryDescriptor[]) => readonly EfiMemoryDescriptor[];
}

/** A hand-over: firmware tables in guest memory, and the services that are there until the kernel leaves them. */
export interface Firmware {
  readonly services: BootServices;
  /** Guest-physical byte addresses. */
  readonly systemTable: number;
  readonly bootParams: number;
  readonly rsdp: number | undefined;
  /** The memory map as it is now. */
  map(): EfiMemoryDescriptor[];
  configurationTable(): readonly EfiConfigurationEntry[];
}

/** Descriptors of room in a map's memory beyond those there are, so that the map can be read anew into it. */
const MAP_SLACK = 8;

/** Puts the ACPI tables, the XSDT and the RSDP into memory. */
const placeAcpi = (memory: FirmwareMemory, options: FirmwareOptions): number | undefined => {
  const { acpiTables = [], acpiTablesAt = [] } = options;
  if (acpiTables.length + acpiTablesAt.length === 0) return undefined;
  const place = (bytes: Uint8Array): number => memory.place("ACPI_RECLAIM", bytes);
  const addresses = [...acpiTablesAt, ...acpiTables.map(place)].map(BigInt);
  return place(rsdp(BigInt(place(xsdt(addresses)))));
};

/** The configuration table and the system table that points to it: both lie where the kernel can keep them. */
class ConfigurationTable {
  readonly entries: EfiConfigurationEntry[] = [];
  readonly systemTable: number;
  private readonly memory: FirmwareMemory;
  private array: number | undefined;

  constructor(memory: FirmwareMemory) {
    this.memory = memory;
    this.systemTable = memory.place("RUNTIME_SERVICES_DATA", efiSystemTable(0n, 0));
  }

  /** Adds an entry or moves the one there is, in a new array, as firmware does. */
  install(entry: EfiConfigurationEntry): EfiStatus {
    const index = this.entries.findIndex(({ guid }) => guid === entry.guid);
    this.entries.splice(index === -1 ? this.entries.length : index, 1, entry);
    if (this.array !== undefined) this.memory.free(this.array);
    this.array = this.memory.place("RUNTIME_SERVICES_DATA", encodeConfigurationTable(this.entries));
    this.memory.bytes(this.systemTable, 120).set(efiSystemTable(BigInt(this.array), this.entries.length));
    return "EFI_SUCCESS";
  }
}

/** Reads the map and writes it where there is room for it. */
const mapService = (memory: FirmwareMemory, options: FirmwareOptions): BootServices["getMemoryMap"] => {
  const descriptorSize = options.descriptorSize ?? EFI_MEMORY_DESCRIPTOR.size + 8;
  const write = (at: number, last: boolean): MemoryMapAt => {
    const map = memory.descriptors();
    const shown = encodeMemoryMap(last && options.lastMap ? options.lastMap(map) : map, descriptorSize);
    memory.bytes(at, shown.length).set(shown);
    const descriptorVersion = EFI_MEMORY_DESCRIPTOR_VERSION;
    return { at, size: shown.length, descriptorSize, descriptorVersion, key: memory.key() };
  };
  return (type, reuse) => {
    const last = type === "ACPI_RECLAIM";
    if (reuse !== undefined) return write(reuse.at, last);
    const now = memory.descriptors();
    const shown = last && options.lastMap ? options.lastMap(now) : now;
    const at = memory.allocate(type, (Math.max(shown.length, now.length) + MAP_SLACK) * descriptorSize);
    return at === undefined ? undefined : write(at, last);
  };
};

/** Firmware's part in acceptance and in the end of boot services. */
const exitServices = (
  memory: FirmwareMemory,
  options: FirmwareOptions,
): Pick<BootServices, "allowUnacceptedMemory" | "exitBootServices"> => {
  let stale = options.staleKeys ?? 0;
  let allowed = false;
  return {
    allowUnacceptedMemory: () => {
      const protocol = options.sevProtocol ?? "absent";
      if (protocol === "absent") return "EFI_NOT_FOUND";
      allowed = protocol === "works";
      return allowed ? "EFI_SUCCESS" : "EFI_UNSUPPORTED";
    },
    exitBootServices: (key) => {
      // Acceptance by firmware changes the map, so the caller has to read it once more, as on a stale key.
      if (options.acceptsAllAtExit && !allowed && memory.acceptAll()) return "EFI_INVALID_PARAMETER";
      if (stale > 0) {
        stale--;
        memory.touch();
      }
      return key === memory.key() ? "EFI_SUCCESS" : "EFI_INVALID_PARAMETER";
    },
  };
};

/**
 * Builds the hand-over of a machine: RSDP, XSDT and the tables given, EFI system table and configuration table, zeroed
 * boot parameters, and a memory map that shows where they all lie. Pools need not be page-aligned, as on real firmware,
 * and each has pages of its own.
 *
 * @throws AssertionError if the map leaves no room for the tables
 * @source UEFI 2.10, chapters 4 and 7; pools at odd addresses: EDK2, as in recorded guests
 */
export const firmware = (options: FirmwareOptions): Firmware => {
  const memory = firmwareMemory(options.memory, options.map, options.poolOffset, options.poolPages);
  const table = new ConfigurationTable(memory);
  const rsdpAt = placeAcpi(memory, options);
  if (rsdpAt !== undefined) table.install({ guid: EFI_GUID.ACPI_20_TABLE, table: BigInt(rsdpAt) });
  const bootParams = options.bootParams ?? memory.allocatePages("LOADER_DATA", BOOT_PARAMS.size);
  return {
    services: {
      getMemoryMap: mapService(memory, options),
      allocatePool: (type, size) => memory.allocate(type, size),
      freePool: (at) => memory.free(at),
      installConfigurationTable: (guid, at) => table.install({ guid, table: BigInt(at) }),
      ...exitServices(memory, options),
    },
    systemTable: table.systemTable,
    bootParams,
    rsdp: rsdpAt,
    map: () => memory.descriptors(),
    configurationTable: () => table.entries,
  };
};
