import { unacceptedTableBytes, unacceptedTableView } from "../abi/efi/unaccepted-table.ts";
import { STRUCT_PAGE_BYTES } from "../linux/boot/memory-map.ts";
import { memoryBlockSize } from "../linux/memory-hotplug/block-size.ts";
import { handOver, ramOf } from "../machine/hand-over.ts";
import { machineConfigOf } from "../scenario/model/model-config.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { PAGE_SIZE } from "../units.ts";

/** A half-open range of guest-physical bytes. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The unaccepted-memory table that the EFI stub leaves for the kernel. */
export interface TableFacts {
  readonly version: number;
  readonly address: number;
  readonly physBase: number;
  readonly unitSize: number;
  /** Units that one bitmap covers. */
  readonly units: number;
  /** Bytes of one bitmap. */
  readonly bitmapBytes: number;
  /** Header and all bitmaps. */
  readonly tableBytes: number;
  /** What the bits are about. */
  readonly covers: Range;
  /** Whether hot-plugged memory has bits. */
  readonly coversWindow: boolean;
}

export interface MachineFacts {
  readonly ram: readonly Range[];
  /** Where memory devices lie; null: there is no room for any. */
  readonly window: Range | null;
  readonly maxmem: number;
  readonly slots: number;
  /** null: the firmware leaves nothing unaccepted, so there is no table. */
  readonly table: TableFacts | null;
  readonly blocks: { readonly size: number; readonly boot: number; readonly hotplug: number };
  /** Bytes of struct pages of boot memory and of all that may come. */
  readonly memmap: { readonly boot: number; readonly hotplug: number };
}

const tableOf = (
  stub: { readonly table: Uint8Array | undefined; readonly tablePointer: number | undefined },
  window: Range | null,
): TableFacts | null => {
  if (stub.table === undefined || stub.tablePointer === undefined) return null;
  const { version, physBase, unitSize, size, units, windowEnd: end } = unacceptedTableView(stub.table);
  return {
    version,
    address: stub.tablePointer,
    physBase,
    unitSize,
    units,
    bitmapBytes: size,
    tableBytes: unacceptedTableBytes(version, size),
    covers: { start: physBase, end },
    coversWindow: window !== null && physBase <= window.start && window.end <= end,
  };
};

const structPages = (bytes: number): number => (bytes / PAGE_SIZE) * STRUCT_PAGE_BYTES;

/**
 * What firmware, EFI stub and kernel make of a planned machine before anything runs: the same code that boots it.
 *
 * @throws VmmError, FirmwareError for a machine that no VMM would start
 */
export const machineFacts = (scenario: Scenario, hotplug: number): MachineFacts => {
  const config = machineConfigOf(scenario);
  const { layout } = config;
  const { stub, e820 } = handOver(config, () => true);
  const ram = layout.ram.map(({ start, size }) => ({ start, end: start + size }));
  const { deviceMemory } = layout;
  const window =
    deviceMemory === undefined
      ? null
      : { start: deviceMemory.start, end: deviceMemory.start + deviceMemory.size };
  const size = memoryBlockSize({ endOfRam: ramOf(e820).at(-1)?.end ?? 0, guest: true });
  const boot = ram.reduce((sum, { start, end }) => sum + Math.ceil(end / size) - Math.floor(start / size), 0);
  return {
    ram,
    window,
    maxmem: layout.maxmem,
    slots: layout.slots,
    table: tableOf(stub, window),
    blocks: { size, boot, hotplug: Math.floor(hotplug / size) },
    memmap: { boot: structPages(layout.memory), hotplug: structPages(hotplug) },
  };
};
