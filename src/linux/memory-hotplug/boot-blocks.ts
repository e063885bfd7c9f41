import type { Kernel } from "../kernel.ts";
import { BLOCK, NO_SINGLE_ZONE } from "../memory-block.ts";

/** Boot RAM of one node, bytes. */
export interface BootRange {
  readonly start: number;
  readonly end: number;
  readonly node: number;
}

/**
 * Zone of a boot block: the populated zone whose span it meets, if there is just one.
 *
 * @source Linux drivers/base/memory.c, early_node_zone_for_memory_block
 */
const soleZone = (k: Kernel, start: number, end: number): number => {
  const { zones, geometry } = k;
  let sole = NO_SINGLE_ZONE;
  for (let zone = 0; zone < zones.count; zone++) {
    if (zones.present[zone] === 0) continue;
    if (zones.spannedStart[zone]! * geometry.pageSize >= end) continue;
    if (zones.spannedEnd[zone]! * geometry.pageSize <= start) continue;
    if (sole !== NO_SINGLE_ZONE) return NO_SINGLE_ZONE;
    sole = zone;
  }
  return sole;
};

/**
 * Registers the memory blocks that boot RAM touches, online, once the zones are set up. A block of which only
 * a part is RAM is there as a whole.
 *
 * @param ranges ascending, disjoint
 */
export const addBootBlocks = (k: Kernel, ranges: readonly BootRange[]): void => {
  const { blocks, geometry } = k;
  for (const { start, end, node } of ranges) {
    blocks.nodeOnline[node] = 1;
    blocks.raiseMaxPfn(Math.ceil(end / geometry.pageSize));
    for (let block = blocks.blockOf(start); block * blocks.blockSize < end; block++) {
      if (blocks.stateOf(block) !== BLOCK.ABSENT) continue;
      const zone = soleZone(k, block * blocks.blockSize, (block + 1) * blocks.blockSize);
      blocks.add(block, BLOCK.ONLINE, node, zone, 0, 0);
    }
  }
};
