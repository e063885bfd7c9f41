import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK, BLOCK_STATES, MMOP, NO_SINGLE_ZONE, ONLINE_TYPES } from "../memory-block.ts";
import { ZONE_NAMES, zoneType } from "../page-allocator/zones.ts";
import { DEVICE_HOTPLUG_LOCK, lockDeviceHotplug } from "./hotplug-locks.ts";
import { offlineBlock } from "./offline-block.ts";
import { onlineBlock } from "./online-block.ts";
import { zoneForOnlining } from "./zone-for-range.ts";

/** Files of /sys/devices/system/memory/memoryN that are modelled. */
export const BLOCK_FILES = ["phys_index", "state", "valid_zones", "phys_device", "removable"] as const;
export type BlockFile = (typeof BLOCK_FILES)[number];

const zoneName = (zone: number): string => ZONE_NAMES[zoneType(zone)]!;

/** An online block has its zone or "none"; an offline one the zones it could get, the default first. */
const validZones = (k: Kernel, block: number): string => {
  const row = k.blocks.rowOf(block);
  if (k.blocks.states[row] === BLOCK.ONLINE) {
    const zone = k.blocks.zones[row]!;
    return zone === NO_SINGLE_ZONE ? "none" : zoneName(zone);
  }
  const node = k.blocks.nodes[row]!;
  const pages = k.blocks.pagesPerBlock;
  const zoneFor = (type: number): number => zoneForOnlining(k, type, node, block * pages, pages);
  const zones = new Set([MMOP.ONLINE, MMOP.ONLINE_KERNEL, MMOP.ONLINE_MOVABLE].map(zoneFor));
  return [...zones].map(zoneName).join(" ");
};

const FILES: Readonly<Record<BlockFile, (k: Kernel, block: number) => string>> = {
  phys_index: (_k, block) => block.toString(16).padStart(8, "0"),
  state: (k, block) => BLOCK_STATES[k.blocks.stateOf(block)]!,
  valid_zones: validZones,
  phys_device: () => "0",
  removable: () => "1",
};

/**
 * Content of a file of memoryN, newline at its end; undefined if the block does not exist.
 *
 * @source Linux drivers/base/memory.c
 */
export const readBlockFile = (k: Kernel, block: number, file: BlockFile): string | undefined =>
  k.blocks.stateOf(block) === BLOCK.ABSENT ? undefined : `${FILES[file](k, block)}\n`;

/** block_size_bytes: hexadecimal without 0x. */
export const blockSizeText = (k: Kernel): string => `${k.blocks.blockSize.toString(16)}\n`;

export const autoOnlineText = (k: Kernel): string => `${ONLINE_TYPES[k.blocks.autoOnline]!}\n`;

/** MMOP number of a word written to sysfs, a newline at its end not counting; -EINVAL for any other text. */
export const onlineTypeOf = (text: string): number => {
  const word = text.endsWith("\n") ? text.slice(0, -1) : text;
  const type = (ONLINE_TYPES as readonly string[]).indexOf(word);
  return type < 0 ? ERRNO.EINVAL : type;
};

/** A write to auto_online_blocks. @returns 0, or -EINVAL with nothing changed */
export const storeAutoOnline = (k: Kernel, text: string): number => {
  const type = onlineTypeOf(text);
  if (type >= 0) k.blocks.autoOnline = type;
  return Math.min(type, 0);
};

const { v, at, define } = KERNEL_PROCEDURES.declare("state_store", {
  args: ["block", "type"],
  locals: [],
  steps: ["enter", "locked", "done"],
});

/**
 * A write to memoryN/state: (block, type of onlineTypeOf). Returns 0, or a negative errno: -EINVAL for another
 * word, and for a block that is in that state already.
 *
 * @source Linux drivers/base/memory.c, state_store
 */
export const storeBlockState = define({
  enter: (k, f) => {
    if (f.get(v.type) < 0) return f.returns(ERRNO.EINVAL);
    if (k.blocks.stateOf(f.get(v.block)) === BLOCK.ABSENT) return f.returns(ERRNO.ENODEV);
    return f.call(lockDeviceHotplug, at.locked);
  },
  locked: (_k, f) => {
    if (f.get(v.type) === MMOP.OFFLINE) return f.call(offlineBlock, at.done, f.get(v.block));
    return f.call(onlineBlock, at.done, f.get(v.block), f.get(v.type));
  },
  done: (k, f) => {
    k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
    return f.returns(f.result);
  },
});
