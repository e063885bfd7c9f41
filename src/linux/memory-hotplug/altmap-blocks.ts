import { ERRNO } from "../errno.ts";
import { faultAt } from "../fault-points.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK, NO_SINGLE_ZONE } from "../memory-block.ts";
import { archAddMemory, archRemoveMemory, memmapPagesPerSection } from "./arch-memory.ts";

/** Pages at the start of each block that hold its memmap, when memmap_on_memory is used. */
export const altmapPagesPerBlock = (k: Kernel): number =>
  memmapPagesPerSection(k) * k.blocks.sectionsPerBlock;

/**
 * mhp_supports_memmap_on_memory(): the memmap of a block fills whole units and pageblocks of it and leaves
 * some of the block over.
 */
export const supportsMemmapOnMemory = (k: Kernel): boolean => {
  const pages = altmapPagesPerBlock(k);
  const { unitSize, pageSize, pagesPerBlock } = k.geometry;
  if (!k.options.memmapOnMemory || pages === 0 || pages >= k.blocks.pagesPerBlock) return false;
  return (pages * pageSize) % unitSize === 0 && pages % pagesPerBlock === 0;
};

/**
 * create_memory_block_devices(): rows for the blocks of [start, start + size), offline.
 *
 * @returns 0, or -ENOMEM with nothing made (by fault injection only)
 */
export const createBlocks = (
  k: Kernel,
  start: number,
  size: number,
  node: number,
  altmapPages: number,
  group: number,
): number => {
  if (k.blocks.createBlocksFails() || faultAt(k, "create_memory_block_devices") !== 0) return ERRNO.ENOMEM;
  const first = k.blocks.blockOf(start);
  for (let block = first; block < k.blocks.blockOf(start + size); block++)
    k.blocks.add(block, BLOCK.OFFLINE, node, NO_SINGLE_ZONE, altmapPages, group);
  return 0;
};

const remove = KERNEL_PROCEDURES.declare("remove_memory_blocks_and_altmaps", {
  args: ["start", "size"],
  locals: ["at"],
  steps: ["enter", "block", "hooked"],
});

/**
 * Removes blocks that hold their own memmap: (start, size) in bytes. Each block device goes, then its mapping
 * and memmap, then the design's altmapRemoved hook runs on the memmap's range. Returns 0.
 *
 * @source Linux mm/memory_hotplug.c, remove_memory_blocks_and_altmaps
 */
export const removeBlocksAndAltmaps = remove.define({
  enter: (_k, f) => {
    f.set(remove.v.at, f.get(remove.v.start));
    return remove.at.block;
  },
  block: (k, f) => {
    const { v, at } = remove;
    const address = f.get(v.at);
    if (address >= f.get(v.start) + f.get(v.size)) return f.returns(0);
    const block = k.blocks.blockOf(address);
    const bytes = k.blocks.altmapPages[k.blocks.rowOf(block)]! * k.geometry.pageSize;
    k.blocks.remove(block);
    archRemoveMemory(k, address, k.blocks.blockSize);
    return f.callIf(k.design.hooks.altmapRemoved, at.hooked, address, bytes);
  },
  hooked: (k, f) => {
    f.set(remove.v.at, f.get(remove.v.at) + k.blocks.blockSize);
    return remove.at.block;
  },
});

const create = KERNEL_PROCEDURES.declare("create_altmaps_and_memory_blocks", {
  args: ["start", "size", "node", "group"],
  locals: ["at", "error"],
  steps: ["enter", "block", "accepted", "added", "undone", "rolledBack"],
});

/**
 * Adds a range whose blocks hold their own memmap: (start, size, node, group). Block by block: the design's
 * altmapAdd hook, the mapping and the memmap, the block device. When a block fails, the design's
 * altmapAddFailed hook runs on it and the blocks before it are removed.
 *
 * Returns 0 or the error, nothing of the range being left.
 *
 * @source Linux mm/memory_hotplug.c, create_altmaps_and_memory_blocks; hooks: RFCv2 patch 5
 */
export const createAltmapsAndBlocks = create.define({
  enter: (_k, f) => {
    f.set(create.v.at, f.get(create.v.start));
    return create.at.block;
  },
  block: (k, f) => {
    const { v, at } = create;
    const address = f.get(v.at);
    if (address >= f.get(v.start) + f.get(v.size)) return f.returns(0);
    const bytes = altmapPagesPerBlock(k) * k.geometry.pageSize;
    return f.callIf(k.design.hooks.altmapAdd, at.accepted, address, bytes);
  },
  accepted: (k, f) => {
    const { v, at } = create;
    if (f.result < 0) {
      f.set(v.error, f.result);
      return at.undone;
    }
    const pages = altmapPagesPerBlock(k);
    return f.call(archAddMemory, at.added, f.get(v.at), k.blocks.blockSize, f.get(v.node), pages);
  },
  added: (k, f) => {
    const { v, at } = create;
    const address = f.get(v.at);
    const { blockSize } = k.blocks;
    const pages = altmapPagesPerBlock(k);
    let error = f.result;
    if (error === 0) {
      error = createBlocks(k, address, blockSize, f.get(v.node), pages, f.get(v.group));
      if (error !== 0) archRemoveMemory(k, address, blockSize);
    }
    if (error === 0) {
      f.set(v.at, address + blockSize);
      return at.block;
    }
    f.set(v.error, error);
    return f.callIf(k.design.hooks.altmapAddFailed, at.undone, address, pages * k.geometry.pageSize);
  },
  undone: (_k, f) => {
    const { v, at } = create;
    return f.call(removeBlocksAndAltmaps, at.rolledBack, f.get(v.start), f.get(v.at) - f.get(v.start));
  },
  rolledBack: (_k, f) => f.returns(f.get(create.v.error)),
});
