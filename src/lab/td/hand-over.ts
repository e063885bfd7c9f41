import { BOOT_PARAMS, bootParamsAddress } from "../../abi/boot-params/boot-params.ts";
import { decodeE820Table, E820_TYPE, type E820Entry } from "../../abi/boot-params/e820.ts";
import { SETUP_DATA_HEADER, setupDataNodes } from "../../abi/boot-params/setup-data.ts";
import type { EfiMemoryType } from "../../abi/efi/memory-descriptor.ts";
import { firmware } from "../../efi-stub/firmware.ts";
import type { FirmwareRange } from "../../efi-stub/firmware-memory.ts";
import type { GuestBytes } from "../../efi-stub/guest-bytes.ts";
import { runStub, type StubOutcome } from "../../efi-stub/stub.ts";
import type { Design } from "../../linux/design.ts";
import { NotModelled } from "../../not-modelled.ts";
import { PAGE_SIZE, roundDown, roundUp } from "../../units.ts";
import { FirmwareBytes } from "../guest-ram/firmware-bytes.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import { LabError } from "../lab-error.ts";
import type { Span } from "../span.ts";
import { acpiTablesOf } from "./qemu-acpi.ts";

/** The mailbox page: low memory, which every kernel maps and none uses once firmware reserves it. */
export const MAILBOX_PAGE = 0x7f000;

/** Where the guest stands when the decompressor is done. */
export interface KernelEntry {
  /** Guest-physical byte address of the boot parameters that the boot loader filled. */
  readonly bootParams: number;
  /** The decompressed kernel, with the memory it needs behind it. */
  readonly kernel: Span;
}

export interface LabHandOver {
  readonly stub: StubOutcome;
  /** RAM that the kernel has to accept. */
  readonly unaccepted: readonly Span[];
}

/** What a type of e820 entry is in an EFI memory map. */
const EFI_OF: { readonly [type: number]: EfiMemoryType } = {
  [E820_TYPE.RAM]: "CONVENTIONAL",
  [E820_TYPE.RESERVED]: "RESERVED",
  [E820_TYPE.ACPI]: "ACPI_RECLAIM",
  [E820_TYPE.NVS]: "ACPI_NVS",
  [E820_TYPE.UNUSABLE]: "UNUSABLE",
};

/** Where firmware's tables and memory map lie, as boot parameters tell it. */
const EFI_INFO = [
  "efiSystab",
  "efiMemdescSize",
  "efiMemdescVersion",
  "efiMemmap",
  "efiMemmapSize",
  "efiSystabHi",
  "efiMemmapHi",
] as const;

/** Leads a kernel to the tables that another one was led to. */
export const copyEfiInfo = (from: Uint8Array, to: Uint8Array): void => {
  BOOT_PARAMS.put(to, "efiLoaderSignature", BOOT_PARAMS.get(from, "efiLoaderSignature"));
  for (const field of EFI_INFO) BOOT_PARAMS.put(to, field, BOOT_PARAMS.get(from, field));
};

/** The BIOS's map as EFI would tell it: whole pages, RAM inwards, the rest outwards. */
const baseMap = (entries: readonly E820Entry[]): FirmwareRange[] => {
  const ranges = entries.flatMap(({ addr, size, type }) => {
    const isRam = type === E820_TYPE.RAM;
    const [start, end] = [Number(addr), Number(addr + size)];
    const range = {
      start: (isRam ? roundUp : roundDown)(start, PAGE_SIZE),
      end: (isRam ? roundDown : roundUp)(end, PAGE_SIZE),
      type: EFI_OF[type] ?? "RESERVED",
    };
    return range.start < range.end ? [range] : [];
  });
  return ranges.sort((a, b) => a.start - b.start);
};

/** Gives the RAM of [start, end) another type. */
const carve = (map: readonly FirmwareRange[], { start, end }: Span, type: EfiMemoryType): FirmwareRange[] =>
  map.flatMap((range) => {
    if (range.type !== "CONVENTIONAL" || end <= range.start || range.end <= start) return [range];
    const parts = [
      { ...range, end: Math.max(start, range.start) },
      { start: Math.max(start, range.start), end: Math.min(end, range.end), type },
      { ...range, start: Math.min(end, range.end) },
    ];
    return parts.filter((part) => part.start < part.end);
  });

const wholePages = (start: number, length: number): Span => ({
  start: roundDown(start, PAGE_SIZE),
  end: roundUp(start + length, PAGE_SIZE),
});

/** What the boot loader put into memory for the kernel. */
const loaderData = (memory: GuestBytes, bootParams: Uint8Array, at: number): Span[] => {
  const address = (field: "ramdiskImage" | "ramdiskSize" | "cmdLinePtr"): number =>
    Number(bootParamsAddress(bootParams, field));
  const nodes = setupDataNodes(
    (where, length) => memory.bytes(where, length),
    BOOT_PARAMS.get(bootParams, "setupData"),
  );
  const commandLine = address("cmdLinePtr");
  return [
    wholePages(at, BOOT_PARAMS.size),
    wholePages(address("ramdiskImage"), address("ramdiskSize")),
    ...(commandLine === 0 ? [] : [wholePages(commandLine, BOOT_PARAMS.get(bootParams, "cmdlineSize") + 1)]),
    ...nodes.map(({ address: node, data }) => wholePages(Number(node), SETUP_DATA_HEADER.size + data.length)),
  ].filter(({ start, end }) => start < end);
};

/**
 * Does in a stopped guest what a TD's firmware and the EFI stub did before the kernel was entered: EFI system table,
 * configuration table, memory map and unaccepted-memory table, made from the BIOS's own map, ACPI tables and boot
 * parameters, which then lead the kernel to them.
 *
 * @param unaccepted RAM that firmware leaves unaccepted; whole units, nothing of it in use yet
 * @param accept accepts a range that the stub does not leave to the kernel
 * @throws LabError if the guest's memory is not what a boot loader leaves, or the stub gives up
 */
export const labHandOver = (
  ram: GuestRam,
  entry: KernelEntry,
  design: Design,
  unaccepted: readonly Span[],
  accept: (start: number, end: number) => boolean,
): LabHandOver => {
  if (design.firmwareMarksWindow === true)
    throw new NotModelled("firmware that marks the hot-plug window, in the linux world");
  const memory = new FirmwareBytes(ram);
  memory.load(entry.bootParams, BOOT_PARAMS.size);
  const bootParams = memory.bytes(entry.bootParams, BOOT_PARAMS.size)!;
  let map = baseMap(decodeE820Table(bootParams));
  map = carve(map, { start: MAILBOX_PAGE, end: MAILBOX_PAGE + PAGE_SIZE }, "RESERVED");
  map = carve(map, entry.kernel, "LOADER_CODE");
  for (const span of loaderData(memory, bootParams, entry.bootParams)) map = carve(map, span, "LOADER_DATA");
  for (const span of unaccepted) map = carve(map, span, "UNACCEPTED");
  const { services, systemTable } = firmware({
    memory,
    map,
    acpiTablesAt: acpiTablesOf(memory),
    bootParams: entry.bootParams,
  });
  const stub = runStub(
    { memory, services, systemTable, bootParams: entry.bootParams, accept },
    { platform: "tdx", tableVersion: design.tableVersion, scansSrat: design.stubScansSrat },
  );
  if (stub.status !== "EFI_SUCCESS") {
    throw new LabError(`the EFI stub does not enter the kernel: ${stub.log.join("; ") || stub.status}`);
  }
  memory.flush();
  return { stub, unaccepted };
};
