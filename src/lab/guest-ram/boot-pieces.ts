import type { GpaRange } from "../../vmm/layout.ts";

/** A run of guest memory that lies in one node's backend. */
export interface BootPiece {
  readonly start: number;
  readonly size: number;
  readonly node: number;
  /** Byte of the backend. */
  readonly offset: number;
}

/**
 * Where boot memory lies in the backends of the NUMA nodes: one node's memory follows the other's, in the order in
 * which the ranges of RAM ascend.
 *
 * @param ram ascending @param sizes bytes of each node's backend; together as many as the ranges have
 * @source QEMU hw/core/numa.c (memory regions of nodes one after the other), hw/i386/pc.c (the split at 4 GiB)
 */
export const bootPieces = (ram: readonly GpaRange[], sizes: readonly number[]): BootPiece[] => {
  const pieces: BootPiece[] = [];
  let node = 0;
  let offset = 0;
  for (const { start, size } of ram) {
    for (let at = 0; at < size; ) {
      const count = Math.min(size - at, sizes[node]! - offset);
      if (count > 0) pieces.push({ start: start + at, size: count, node, offset });
      at += count;
      offset += count;
      if (offset === sizes[node]! && node + 1 < sizes.length) {
        node++;
        offset = 0;
      }
    }
  }
  return pieces;
};
