import type { Kernel } from "../kernel.ts";
import { ZONE_NAMES, ZONES_PER_NODE, zoneNode, zoneType } from "../page-allocator/zones.ts";
import { freeInWholeBlocks } from "./counters.ts";

/** One zone counter: name, pages, and which kernels have it (absent: both). */
type Item = readonly [
  name: string,
  pages: ((k: Kernel, zone: number) => number) | undefined,
  newer?: boolean,
];

/** The counters of a zone in the kernel's order. Those without a function are 0 in this model. */
const ITEMS: readonly Item[] = [
  ["nr_free_pages", (k, zone) => k.zones.free[zone]!],
  ["nr_free_pages_blocks", freeInWholeBlocks, true],
  ["nr_zone_inactive_anon", undefined],
  ["nr_zone_active_anon", (k, zone) => k.zones.movable[zone]!],
  ["nr_zone_inactive_file", undefined],
  ["nr_zone_active_file", undefined],
  ["nr_zone_unevictable", undefined],
  ["nr_zone_write_pending", undefined],
  ["nr_mlock", undefined],
  ["nr_bounce", undefined, false],
  ["nr_zspages", undefined],
  ["nr_free_cma", undefined],
  ["nr_unaccepted", (k, zone) => k.zones.unaccepted[zone]!],
];

const itemsOf = (k: Kernel): readonly Item[] =>
  ITEMS.filter(([, , newer]) => newer === undefined || newer === k.variant.newerStatistics);

/**
 * The zone counters of /proc/vmstat, summed over all zones, with a final newline.
 *
 * @source Linux mm/vmstat.c, vmstat_text
 * @missing the NUMA, node and event counters, which follow in the file
 */
export const vmstatText = (k: Kernel): string => {
  const lines = itemsOf(k).map(([name, pages]) => {
    let total = 0;
    for (let zone = 0; pages !== undefined && zone < k.zones.count; zone++) total += pages(k, zone);
    return `${name} ${total}`;
  });
  return `${lines.join("\n")}\n`;
};

const zoneText = (k: Kernel, zone: number): string => {
  const { zones } = k;
  const spanned = zones.spannedEnd[zone]! - zones.spannedStart[zone]!;
  const protection = zones.lowmemReserve.slice(zone * ZONES_PER_NODE, (zone + 1) * ZONES_PER_NODE);
  const rows: readonly (readonly [string, number])[] = [
    ["  pages free     ", zones.free[zone]!],
    ["        boost    ", 0],
    ["        min      ", zones.min[zone]!],
    ["        low      ", zones.low[zone]!],
    ["        high     ", zones.high[zone]!],
    ["        promo    ", zones.promo[zone]!],
    ["        spanned  ", spanned],
    ["        present  ", zones.present[zone]!],
    ["        managed  ", zones.managed[zone]!],
    ["        cma      ", 0],
  ];
  const lines = [
    `Node ${zoneNode(zone)}, zone ${ZONE_NAMES[zoneType(zone)]!.padStart(8)}`,
    ...rows.map(([label, pages]) => `${label}${pages}`),
    `        protection: (${[...protection].join(", ")})`,
  ];
  if (zones.present[zone] === 0) return lines.join("\n");
  for (const [name, pages] of itemsOf(k)) lines.push(`      ${name.padEnd(12)} ${pages?.(k, zone) ?? 0}`);
  lines.push(`  start_pfn:           ${zones.spannedStart[zone]}`);
  return lines.join("\n");
};

/**
 * Of /proc/zoneinfo what this model knows: watermarks, sizes and counters of every zone, in the file's own
 * format, with a final newline.
 *
 * @source Linux mm/vmstat.c, zoneinfo_show_print
 * @missing per-node statistics, NUMA counters, per-cpu page sets, node_unreclaimable, ZONE_DEVICE
 */
export const zoneinfoText = (k: Kernel): string => {
  const zones: string[] = [];
  for (let zone = 0; zone < k.zones.count; zone++) zones.push(zoneText(k, zone));
  return `${zones.join("\n")}\n`;
};
