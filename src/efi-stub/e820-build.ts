import { BOOT_PARAMS } from "../abi/boot-params/boot-params.ts";
import {
  E820_ENTRY,
  E820_MAX_ENTRIES,
  E820_TYPE,
  type E820Entry,
  e820EntryOffset,
} from "../abi/boot-params/e820.ts";
import { SETUP_DATA_HEADER, SETUP_DATA_TYPE } from "../abi/boot-params/setup-data.ts";
import {
  EFI_MEMORY_ATTRIBUTE,
  EFI_MEMORY_TYPE,
  EFI_PAGE_SIZE,
  type EfiMemoryDescriptor,
  efiMemoryEnd,
} from "../abi/efi/memory-descriptor.ts";
import type { EfiStatus } from "../abi/efi/status.ts";
import type { BootServices } from "./boot-services.ts";
import { viewAt } from "./configuration-table.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { type Halt, unbacked, type WordRange } from "./stub-fault.ts";

/** What each type of descriptor becomes. A type without a row is skipped. */
const E820_OF: { readonly [efiType: number]: number } = {
  [EFI_MEMORY_TYPE.RESERVED]: E820_TYPE.RESERVED,
  [EFI_MEMORY_TYPE.LOADER_CODE]: E820_TYPE.RAM,
  [EFI_MEMORY_TYPE.LOADER_DATA]: E820_TYPE.RAM,
  [EFI_MEMORY_TYPE.BOOT_SERVICES_CODE]: E820_TYPE.RAM,
  [EFI_MEMORY_TYPE.BOOT_SERVICES_DATA]: E820_TYPE.RAM,
  [EFI_MEMORY_TYPE.RUNTIME_SERVICES_CODE]: E820_TYPE.RESERVED,
  [EFI_MEMORY_TYPE.RUNTIME_SERVICES_DATA]: E820_TYPE.RESERVED,
  [EFI_MEMORY_TYPE.CONVENTIONAL]: E820_TYPE.RAM,
  [EFI_MEMORY_TYPE.UNUSABLE]: E820_TYPE.UNUSABLE,
  [EFI_MEMORY_TYPE.ACPI_RECLAIM]: E820_TYPE.ACPI,
  [EFI_MEMORY_TYPE.ACPI_NVS]: E820_TYPE.NVS,
  [EFI_MEMORY_TYPE.MMIO]: E820_TYPE.RESERVED,
  [EFI_MEMORY_TYPE.MMIO_PORT_SPACE]: E820_TYPE.RESERVED,
  [EFI_MEMORY_TYPE.PAL_CODE]: E820_TYPE.RESERVED,
  [EFI_MEMORY_TYPE.PERSISTENT]: E820_TYPE.PMEM,
  [EFI_MEMORY_TYPE.UNACCEPTED]: E820_TYPE.RAM,
};

/** What of the kernel's configuration decides about e820 entries. */
export interface E820Choices {
  /** Memory that firmware marks specific-purpose is set aside. */
  readonly softReserve: boolean;
  /** The kernel knows unaccepted memory; else such descriptors are skipped. */
  readonly unacceptedSupport: boolean;
  /** The kernel knows that unaccepted memory with the attribute UHP is a window without memory, which is no RAM yet. */
  readonly knowsUhp: boolean;
}

const isWindow = ({ type, attribute }: EfiMemoryDescriptor): boolean =>
  type === EFI_MEMORY_TYPE.UNACCEPTED && (attribute & EFI_MEMORY_ATTRIBUTE.UNACCEPTED_HOT_PLUG) !== 0n;

/** The e820 type of a descriptor; undefined if it gets no entry. */
export const e820TypeOf = (descriptor: EfiMemoryDescriptor, choices: E820Choices): number | undefined => {
  const { type, attribute } = descriptor;
  const plain = E820_OF[type];
  if (type === EFI_MEMORY_TYPE.UNACCEPTED) return choices.unacceptedSupport ? plain : undefined;
  const setAside = choices.softReserve && (attribute & EFI_MEMORY_ATTRIBUTE.SP) !== 0n;
  return plain === E820_TYPE.RAM && setAside ? E820_TYPE.SOFT_RESERVED : plain;
};

/** Descriptors the map may still gain between sizing and use. */
const SLACK = 32;

/** Room for e820 entries that do not fit into the boot parameters. */
export interface E820Extension {
  /** Guest-physical byte address of the setup_data node; undefined if none was needed. */
  readonly at: number | undefined;
  /** Bytes, the node's header included. */
  readonly size: number;
}

/** Allocates the extension when a map of so many descriptors might need it. Undefined: EFI_OUT_OF_RESOURCES. */
export const allocateE820Extension = (
  services: BootServices,
  descriptors: number,
): E820Extension | undefined => {
  if (descriptors <= E820_MAX_ENTRIES - SLACK) return { at: undefined, size: 0 };
  const size = SETUP_DATA_HEADER.size + E820_ENTRY.size * (descriptors - E820_MAX_ENTRIES + SLACK);
  const at = services.allocatePool("LOADER_DATA", size);
  return at === undefined ? undefined : { at, size };
};

/** Hangs the extension, with `count` entries in it, behind the setup_data nodes that are there. */
const linkExtension = (
  memory: GuestBytes,
  bootParams: Uint8Array,
  extension: { readonly at: number; readonly node: Uint8Array },
  count: number,
): Halt | undefined => {
  const at = BigInt(extension.at);
  const header = { next: 0n, type: SETUP_DATA_TYPE.E820_EXT, length: count * E820_ENTRY.size };
  extension.node.set(SETUP_DATA_HEADER.encode(header));
  let node = BOOT_PARAMS.get(bootParams, "setupData");
  if (node === 0n) {
    BOOT_PARAMS.put(bootParams, "setupData", at);
    return undefined;
  }
  for (const seen = new Set<bigint>(); !seen.has(node); ) {
    seen.add(node);
    const view = viewAt(memory, node, SETUP_DATA_HEADER.size);
    if (view === undefined) return unbacked("setup_data", node, SETUP_DATA_HEADER.size);
    const next = SETUP_DATA_HEADER.get(view, "next");
    if (next === 0n) {
      SETUP_DATA_HEADER.put(view, "next", at);
      return undefined;
    }
    node = next;
  }
  return { why: "setup_data: the chain never ends" };
};

/** Where the building stands. */
interface Building {
  readonly memory: GuestBytes;
  readonly bootParams: Uint8Array;
  readonly extension: E820Extension;
  readonly entries: E820Entry[];
}

/** The bytes of entry n, in the boot parameters or in the extension; undefined if that is not in memory. */
const entryBytes = ({ memory, bootParams, extension }: Building, n: number): Uint8Array | undefined => {
  if (n < E820_MAX_ENTRIES) return bootParams.subarray(e820EntryOffset(n));
  const data = extension.at! + SETUP_DATA_HEADER.size;
  return memory.bytes(data + e820EntryOffset(n - E820_MAX_ENTRIES, 0), E820_ENTRY.size);
};

const putEntry = (building: Building, n: number, entry: E820Entry): Halt | undefined => {
  const bytes = entryBytes(building, n);
  if (bytes === undefined) return unbacked("E820_EXT", BigInt(building.extension.at ?? 0), E820_ENTRY.size);
  bytes.set(E820_ENTRY.encode(entry));
  building.entries[n] = entry;
  return undefined;
};

/** Adds a descriptor's range: to the entry before it if that has its type and ends where it starts. */
const addEntry = (building: Building, next: E820Entry, left: number): Halt | EfiStatus | undefined => {
  const { entries, extension } = building;
  const count = entries.length;
  const last = entries[count - 1];
  if (
    last !== undefined &&
    last.type === next.type &&
    BigInt.asUintN(64, last.addr + last.size) === next.addr
  ) {
    const size = BigInt.asUintN(64, last.size + next.size);
    return putEntry(building, count - 1, { ...last, size });
  }
  // Only here is the extension's room looked at, once, for all the descriptors that are left.
  const need = left * E820_ENTRY.size + SETUP_DATA_HEADER.size;
  if (count === E820_MAX_ENTRIES && (extension.at === undefined || extension.size < need)) {
    return "EFI_BUFFER_TOO_SMALL";
  }
  return putEntry(building, count, next);
};

/** The entries as they were written, and how it went. */
export interface E820Result {
  readonly status: EfiStatus;
  readonly entries: readonly E820Entry[];
}

/**
 * Builds the e820 table from the final memory map, in its order, and hands each unaccepted range on as it comes.
 *
 * @param record takes an unaccepted range; answers why the machine stops, if it does
 * @returns EFI_BUFFER_TOO_SMALL if entry 129 comes and the extension is missing, or too small for all descriptors left
 * @changes the e820 table and its count, the extension and the setup_data chain; on failure, entries but no count
 * @source Linux drivers/firmware/efi/libstub/x86-stub.c (setup_e820)
 */
export const buildE820 = (
  memory: GuestBytes,
  bootParams: Uint8Array,
  map: readonly EfiMemoryDescriptor[],
  extension: E820Extension,
  choices: E820Choices,
  record: (range: WordRange) => Halt | undefined,
): E820Result | Halt => {
  const building: Building = { memory, bootParams, extension, entries: [] };
  const { entries } = building;
  for (const [i, descriptor] of map.entries()) {
    const type = e820TypeOf(descriptor, choices);
    if (type === undefined) continue;
    if (descriptor.type === EFI_MEMORY_TYPE.UNACCEPTED) {
      const halt = record({ start: descriptor.physAddr, end: efiMemoryEnd(descriptor) });
      if (halt) return halt;
    }
    if (choices.knowsUhp && isWindow(descriptor)) continue;
    const size = BigInt.asUintN(64, descriptor.numPages * EFI_PAGE_SIZE);
    const refusal = addEntry(building, { addr: descriptor.physAddr, size, type }, map.length - i);
    if (typeof refusal === "string") return { status: refusal, entries };
    if (refusal) return refusal;
  }
  const extra = entries.length - E820_MAX_ENTRIES;
  if (extra > 0) {
    const node = memory.bytes(extension.at!, extension.size);
    if (node === undefined) return unbacked("E820_EXT", BigInt(extension.at!), extension.size);
    const halt = linkExtension(memory, bootParams, { at: extension.at!, node }, extra);
    if (halt) return halt;
  }
  BOOT_PARAMS.put(bootParams, "e820Entries", Math.min(entries.length, E820_MAX_ENTRIES));
  return { status: "EFI_SUCCESS", entries };
};
