import { BOOT_PARAMS, EFI_LOADER_SIGNATURE, putBootParamsAddress } from "../abi/boot-params/boot-params.ts";
import type { E820Entry } from "../abi/boot-params/e820.ts";
import {
  decodeMemoryMap,
  EFI_MEMORY_DESCRIPTOR,
  type EfiMemoryDescriptor,
} from "../abi/efi/memory-descriptor.ts";
import type { EfiStatus } from "../abi/efi/status.ts";
import { EFI_UNACCEPTED_UNIT_SIZE, type UnacceptedTableVersion } from "../abi/efi/unaccepted-table.ts";
import { assert } from "../assert.ts";
import { allocateUnacceptedTable } from "./allocate-table.ts";
import type { BootServices, MemoryMapAt } from "./boot-services.ts";
import { isSystemTable } from "./configuration-table.ts";
import { allocateE820Extension, buildE820, type E820Extension } from "./e820-build.ts";
import { type AcceptedRange, type EarlyAccept, platformAccept, type StubPlatform } from "./early-accept.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { recordUnacceptedRange } from "./record-range.ts";
import { type Halt, haltOn, type StubFault, unbacked } from "./stub-fault.ts";
import { type StubTable, stubTableBytes } from "./stub-table.ts";

/** What the stub meets: memory, firmware, and a platform that accepts. */
export interface StubWorld {
  readonly memory: GuestBytes;
  readonly services: BootServices;
  /** Guest-physical byte address of the EFI system table. */
  readonly systemTable: number;
  /** Guest-physical byte address of the boot parameters, 4096 bytes. */
  readonly bootParams: number;
  readonly accept: EarlyAccept;
}

/** The kernel image's side. */
export interface StubOptions {
  readonly platform: StubPlatform;
  /** The table version this kernel writes, and the only one it takes. Version 2 is RFC v2's. */
  readonly tableVersion: UnacceptedTableVersion;
  /** The table also covers the hot-pluggable ranges of the SRAT; unless said otherwise in version 2 alone. */
  readonly scansSrat?: boolean;
  /** Bytes a bit stands for, a power of two; 2 MiB on x86. */
  readonly unitSize?: number;
  /** CONFIG_UNACCEPTED_MEMORY; true unless said otherwise. */
  readonly unacceptedSupport?: boolean;
  /** The stub of the UHP proposal, to which a window without memory is no RAM; false unless said otherwise. */
  readonly knowsUhp?: boolean;
  /** efi=soft_reserve; true unless said otherwise. */
  readonly softReserve?: boolean;
  /** Version 2: the agreed check for SRAT entries that hold no whole unit; false unless said otherwise, as posted. */
  readonly ignoreSubUnit?: boolean;
}

export interface StubOutcome {
  /** What the stub ended with. Undefined if the machine stopped instead, which `halt` tells. */
  readonly status: EfiStatus | undefined;
  readonly halt: Halt | undefined;
  /** Where the table lies; the stub keeps it even where it then refuses the table. */
  readonly tablePointer: number | undefined;
  /** The table as bytes of guest memory, header and bitmaps. */
  readonly table: Uint8Array | undefined;
  /** Entries of boot_params and, behind the 128th, of the E820_EXT node. */
  readonly e820: readonly E820Entry[];
  /** Ranges accepted, in order. */
  readonly accepts: readonly AcceptedRange[];
  /** Console lines. */
  readonly log: readonly string[];
  readonly faults: readonly StubFault[];
}

/** The stub's state while it runs; what has come of it so far is what an outcome shows. */
interface Stub {
  readonly world: StubWorld;
  readonly options: Required<StubOptions>;
  readonly accepts: AcceptedRange[];
  readonly log: string[];
  readonly faults: StubFault[];
  table: StubTable | undefined;
  tablePointer: number | undefined;
  e820: readonly E820Entry[];
}

/** One leg of the way: EFI_SUCCESS goes on, another status goes back to firmware, a halt stops the machine. */
type Step = EfiStatus | Halt;

const error = (stub: Stub, text: string): void => {
  stub.log.push(`EFI stub: ERROR: ${text}`);
};

const mapOf = (memory: GuestBytes, map: MemoryMapAt): EfiMemoryDescriptor[] | Halt => {
  const { descriptorSize } = map;
  if (descriptorSize < EFI_MEMORY_DESCRIPTOR.size) {
    return haltOn("EFI memory map: descriptor size", { kind: "bad-stride", descriptorSize });
  }
  const bytes = memory.bytes(map.at, map.size);
  if (bytes === undefined) return unbacked("EFI memory map", BigInt(map.at), map.size);
  return decodeMemoryMap(bytes, descriptorSize);
};

/** Asks SEV firmware to leave unaccepted memory alone. It may refuse: the stub only says so. */
const setUpUnacceptedMemory = (stub: Stub): void => {
  if (!stub.options.unacceptedSupport) return;
  const status = stub.world.services.allowUnacceptedMemory();
  if (status !== "EFI_SUCCESS" && status !== "EFI_NOT_FOUND")
    error(stub, "Memory acceptance protocol failed");
};

/** The extension and the table that a map of these descriptors calls for. */
const allocateFor = (
  stub: Stub,
  map: readonly EfiMemoryDescriptor[],
  room: { extension: E820Extension },
): Step => {
  const { memory, services, systemTable } = stub.world;
  const { options, faults } = stub;
  const extension = allocateE820Extension(services, map.length);
  if (extension === undefined) return "EFI_OUT_OF_RESOURCES";
  room.extension = extension;
  if (!options.unacceptedSupport) return "EFI_SUCCESS";
  const request = {
    memory,
    services,
    systemTable,
    ...options,
    faults,
    error: (text: string) => error(stub, text),
  };
  const result = allocateUnacceptedTable(request, map);
  if ("why" in result) return result;
  stub.tablePointer = result.pointer;
  stub.table = result.table;
  return result.status;
};

/** Sizes what the last map will need from a first one, which is given back. */
const allocateFromFirstMap = (stub: Stub, room: { extension: E820Extension }): Step => {
  const { memory, services } = stub.world;
  const at = services.getMemoryMap("LOADER_DATA");
  if (at === undefined) return "EFI_OUT_OF_RESOURCES";
  const map = mapOf(memory, at);
  const step = "why" in map ? map : allocateFor(stub, map, room);
  services.freePool(at.at);
  return step;
};

/** Tells the kernel where firmware's tables and the map lie. */
const fillEfiInfo = (bootParams: Uint8Array, systemTable: number, map: MemoryMapAt): void => {
  BOOT_PARAMS.put(bootParams, "efiLoaderSignature", EFI_LOADER_SIGNATURE.EL64);
  putBootParamsAddress(bootParams, "efiSystab", BigInt(systemTable));
  BOOT_PARAMS.put(bootParams, "efiMemdescSize", map.descriptorSize);
  BOOT_PARAMS.put(bootParams, "efiMemdescVersion", map.descriptorVersion);
  putBootParamsAddress(bootParams, "efiMemmap", BigInt(map.at));
  BOOT_PARAMS.put(bootParams, "efiMemmapSize", map.size);
};

/** Leaves boot services with the last map; a stale key is tried once more with a map read anew. */
const exitBootServices = (stub: Stub, bootParams: Uint8Array): EfiStatus | MemoryMapAt => {
  const { services, systemTable } = stub.world;
  let map = services.getMemoryMap("ACPI_RECLAIM");
  if (map === undefined) return "EFI_OUT_OF_RESOURCES";
  fillEfiInfo(bootParams, systemTable, map);
  const status = services.exitBootServices(map.key);
  if (status !== "EFI_INVALID_PARAMETER") return status === "EFI_SUCCESS" ? map : status;
  map = services.getMemoryMap("ACPI_RECLAIM", map);
  if (map === undefined) return "EFI_OUT_OF_RESOURCES";
  fillEfiInfo(bootParams, systemTable, map);
  const again = services.exitBootServices(map.key);
  return again === "EFI_SUCCESS" ? map : again;
};

/** A historic field: memory above 1 MiB in KiB, with this value whatever the machine has. */
const ALT_MEM_KIB = 32 * 1024;

/** From the last map: e820 entries, and the bits of unaccepted memory. */
const setUpE820 = (stub: Stub, bootParams: Uint8Array, at: MemoryMapAt, extension: E820Extension): Step => {
  const { world, options, faults } = stub;
  const map = mapOf(world.memory, at);
  if ("why" in map) return map;
  const accept = platformAccept(options.platform, (start, end) => {
    stub.accepts.push({ start, end });
    return world.accept(start, end);
  });
  const result = buildE820(world.memory, bootParams, map, extension, options, (range) =>
    stub.table === undefined
      ? haltOn("unaccepted memory without a table: null pointer", { kind: "no-table", range })
      : recordUnacceptedRange(world.memory, stub.table, range, accept, faults),
  );
  if ("why" in result) return result;
  stub.e820 = result.entries;
  return result.status;
};

const exitBoot = (stub: Stub, bootParams: Uint8Array): Step => {
  const room: { extension: E820Extension } = { extension: { at: undefined, size: 0 } };
  const allocated = allocateFromFirstMap(stub, room);
  if (allocated !== "EFI_SUCCESS") return allocated;
  const map = exitBootServices(stub, bootParams);
  if (typeof map === "string") return map;
  BOOT_PARAMS.put(bootParams, "altMemK", ALT_MEM_KIB);
  return setUpE820(stub, bootParams, map, room.extension);
};

const runToEnd = (stub: Stub): Step => {
  const { memory, systemTable, bootParams: at } = stub.world;
  if (!isSystemTable(memory, BigInt(systemTable))) return "EFI_INVALID_PARAMETER";
  const bootParams = memory.bytes(at, BOOT_PARAMS.size);
  if (bootParams === undefined) return unbacked("boot_params", BigInt(at), BOOT_PARAMS.size);
  setUpUnacceptedMemory(stub);
  const step = exitBoot(stub, bootParams);
  if (typeof step === "string" && step !== "EFI_SUCCESS") {
    error(stub, "exit_boot() failed!");
    error(stub, "efi_stub_entry() failed!");
  }
  return step;
};

const outcomeOf = (stub: Stub, step: Step): StubOutcome => {
  const halt = typeof step === "string" ? undefined : step;
  if (halt?.fault) stub.faults.push(halt.fault);
  if (halt) stub.log.push(halt.why);
  return {
    status: typeof step === "string" ? step : undefined,
    halt,
    tablePointer: stub.tablePointer,
    table: stub.table && stubTableBytes(stub.world.memory, stub.table),
    e820: stub.e820,
    accepts: stub.accepts,
    log: stub.log,
    faults: stub.faults,
  };
};

/**
 * Runs the EFI stub from the question to SEV firmware up to the jump into the kernel: the first memory map, the
 * unaccepted-memory table sized from it, ExitBootServices, and from the map that is then final the e820 table and the
 * bits. Nothing but guest memory, boot services and the platform's acceptance is touched.
 *
 * The table is sized from one map and filled from another. Where they disagree, or firmware's bytes make no sense, the
 * outcome lists faults and goes on or stops as the code would; it throws for no input.
 *
 * @returns status EFI_SUCCESS: the kernel is entered; another status: back to firmware; halt: neither
 * @source Linux drivers/firmware/efi/libstub/x86-stub.c (efi_stub_entry, exit_boot)
 * @missing what comes before: command line, initrd, decompression, KASLR's choice among types 7 and 15
 */
export const runStub = (world: StubWorld, options: StubOptions): StubOutcome => {
  const stub: Stub = {
    world,
    options: {
      unitSize: EFI_UNACCEPTED_UNIT_SIZE,
      unacceptedSupport: true,
      softReserve: true,
      ignoreSubUnit: false,
      knowsUhp: false,
      scansSrat: options.tableVersion === 2,
      ...options,
    },
    accepts: [],
    log: [],
    faults: [],
    table: undefined,
    tablePointer: undefined,
    e820: [],
  };
  const { unitSize } = stub.options;
  assert(
    unitSize > 0 && Number.isInteger(Math.log2(unitSize)),
    `a unit of ${unitSize} bytes is a power of two`,
  );
  return outcomeOf(stub, runToEnd(stub));
};
