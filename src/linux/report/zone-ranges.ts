import type { Kernel } from "../kernel.ts";
import { ZONE, ZONE_NAMES, zoneTypeEnd } from "../page-allocator/zones.ts";

/** "0x" and 16 hexadecimal digits. */
const address = (bytes: number): string => `0x${bytes.toString(16).padStart(16, "0")}`;
const span = (start: number, end: number): string => `[mem ${address(start)}-${address(end - 1)}]`;

const zoneLines = (first: number, end: number): string[] => {
  const lines = [];
  for (const type of [ZONE.DMA, ZONE.DMA32, ZONE.NORMAL]) {
    const from = Math.max(first, type === ZONE.DMA ? 0 : zoneTypeEnd(type - 1));
    const to = Math.min(end, zoneTypeEnd(type));
    lines.push(`  ${ZONE_NAMES[type]!.padEnd(8)} ${from < to ? span(from, to) : "empty"}`);
  }
  return [...lines, `  ${"Device".padEnd(8)} empty`];
};

/**
 * What free_area_init() prints about zones and nodes, line by line, without timestamps. For after boot.
 *
 * @source Linux mm/mm_init.c, free_area_init
 * @missing movablecore= and kernelcore= ("Movable zone start"), the lines on unavailable pages
 */
export const zoneRangeLines = (k: Kernel): string[] => {
  const { memory } = k.memblock;
  const lines = ["Zone ranges:"];
  lines.push(...zoneLines(memory.start[0] ?? 0, k.memblock.endOfMemory()));
  lines.push("Movable zone start for each node", "Early memory node ranges");
  for (let row = 0; row < memory.count; row++) {
    const node = String(memory.node[row]).padStart(3);
    lines.push(`  node ${node}: ${span(memory.start[row]!, memory.end[row]!)}`);
  }
  for (let node = 0; node < k.zones.nodes; node++) {
    let first = Number.POSITIVE_INFINITY;
    let end = 0;
    for (let row = 0; row < memory.count; row++) {
      if (memory.node[row] !== node) continue;
      first = Math.min(first, memory.start[row]!);
      end = Math.max(end, memory.end[row]!);
    }
    if (end > 0) lines.push(`Initmem setup node ${node} ${span(first, end)}`);
  }
  return lines;
};
