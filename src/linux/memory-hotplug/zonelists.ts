import type { Kernel } from "../kernel.ts";
import { ZONE, ZONE_NAMES, zoneNumber } from "../page-allocator/zones.ts";

const hasMemory = (k: Kernel, node: number): boolean => k.zones.sum(k.zones.present, node) > 0;

/** Highest zone type, MOVABLE aside, that was ever populated: where memory policies apply. */
const policyZone = (k: Kernel): number => {
  for (let type: number = ZONE.NORMAL; type > ZONE.DMA; type--) {
    for (let node = 0; node < k.zones.nodes; node++) {
      if (k.zones.managed[zoneNumber(node, type)]! > 0) return type;
    }
  }
  return ZONE.DMA;
};

/**
 * What build_all_zonelists() prints when a zone gets its first pages or loses its last.
 *
 * The fallback order is by distance; with the distances unknown here it is the node itself and then the
 * others by number, wrapping around, which is the kernel's own order for two nodes. Inference beyond that.
 *
 * @source Linux mm/page_alloc.c, build_all_zonelists, nr_free_zone_pages
 */
export const zonelistLines = (k: Kernel): string[] => {
  const { nodes, managed, high, count } = k.zones;
  const online = Array.from({ length: nodes }, (_, node) => node).filter(
    (node) => k.blocks.nodeOnline[node] !== 0,
  );
  const lines = online.map((node) => {
    const order = Array.from({ length: nodes }, (_, hop) => (node + hop) % nodes).filter((other) =>
      hasMemory(k, other),
    );
    return `Fallback order for Node ${node}: ${order.map((other) => `${other} `).join("")}`;
  });
  let pages = 0;
  for (let zone = 0; zone < count; zone++) pages += Math.max(0, managed[zone]! - high[zone]!);
  lines.push(`Built ${online.length} zonelists, mobility grouping on.  Total pages: ${pages}`);
  lines.push(`Policy zone: ${ZONE_NAMES[policyZone(k)]}`);
  return lines;
};
