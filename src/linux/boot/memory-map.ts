import { assert } from "../../assert.ts";
import { NotModelled } from "../../not-modelled.ts";
import { roundDown, roundUp } from "../../units.ts";
import type { Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { ANY_NODE } from "../memblock.ts";
import { NO_ZONE, ZONES_PER_NODE, zoneNumber, zoneTypeAt, zoneTypeEnd } from "../page-allocator/zones.ts";
import type { BootFacts } from "./early-allocations.ts";

/** Bytes of one struct page. */
export const STRUCT_PAGE_BYTES = 64;
/** x86 leaves the first MiB to the real-mode trampoline, and page 0 to nobody. */
const LOW_RESERVED = 2 ** 20;
const TABLE_HEADER_BYTES = 24;

/**
 * Bytes of the unaccepted table that the kernel reserves: whole pages around header and bitmaps, the
 * offset of the header in its page included.
 *
 * @source Linux drivers/firmware/efi/efi.c, reserve_unaccepted
 */
export const tableRegion = (
  address: number,
  sizeBytes: number,
  version: 1 | 2,
  pageSize: number,
): readonly [start: number, end: number] => [
  roundDown(address, pageSize),
  roundUp(address + TABLE_HEADER_BYTES + version * sizeBytes, pageSize),
];

/**
 * Fills memblock from e820, reservations and the unaccepted table.
 *
 * @source Linux arch/x86/kernel/setup.c, e820.c, drivers/firmware/efi/efi.c
 */
export const fillMemblock = (k: Kernel): void => {
  const { memblock, boot, table } = k;
  const { pageSize } = k.geometry;
  for (const { start, end } of boot.ram) {
    const from = roundUp(Math.max(start, pageSize), pageSize);
    const to = roundDown(end, pageSize);
    if (from < to) memblock.add(from, to);
  }
  memblock.reserve(0, roundUp(LOW_RESERVED, pageSize));
  for (const { start, end } of boot.reservations) memblock.reserve(start, end);
  if (table !== undefined) {
    const { address, sizeBytes, version } = table;
    const [start, whole] = tableRegion(address, sizeBytes, version, pageSize);
    // Without the fix the size is rounded up, but counted from the start of the first page.
    const short = start + roundUp(TABLE_HEADER_BYTES + version * sizeBytes, pageSize);
    const end = k.variant.reservesWholeTable ? whole : short;
    if (k.variant.mapsTable) memblock.add(start, end);
    memblock.reserve(start, end);
  }
};

/** What a range may add to memblock's rows: one at each end. */
const CUTS = 2;

/**
 * Takes all memory's nodes away and gives it those that the SRAT says, range by range from number `from` on; the rest goes to node 0.
 *
 * @returns the range for which memblock's array has no room; -1 when all are done
 * @source Linux arch/x86/mm/numa.c; mm/memblock.c, memblock_set_node, memblock_isolate_range
 */
export const assignNodes = (k: Kernel, from: number): number => {
  const { memblock, boot } = k;
  const { pageSize } = k.geometry;
  let range = from;
  for (; memblock.memory.hasRoom(CUTS); range++) {
    const affinity = boot.affinity[range];
    if (affinity === undefined) {
      giveRestToNode0(k);
      return -1;
    }
    const { start, end, node } = affinity;
    assert(node < k.zones.nodes, () => `node ${node} of a memory affinity range exists`);
    memblock.setNode(roundUp(start, pageSize), roundUp(end, pageSize), node);
  }
  return range;
};

const giveRestToNode0 = (k: Kernel): void => {
  const { memory } = k.memblock;
  for (let row = 0; row < memory.count; row++) {
    if (memory.node[row] === ANY_NODE) memory.node[row] = 0;
  }
};

/** Makes the memmap of every section that holds memory exist, its pages reserved, and maps it. */
export const buildMemmap = (k: Kernel): void => {
  const { memory } = k.memblock;
  const { pageSize, sectionSize } = k.geometry;
  k.mm.reserve(sectionsOf(k, ANY_NODE));
  for (let row = 0; row < memory.count; row++) {
    const start = memory.start[row]!;
    const end = memory.end[row]!;
    for (let section = Math.floor(start / sectionSize); section * sectionSize < end; section++) {
      k.mm.addSection(section);
      k.mm.setMapped(section, true);
    }
    k.mm.setPages(start / pageSize, (end - start) / pageSize, USE.RESERVED);
    for (let at = start; at < end; at = Math.min(end, zoneTypeEnd(zoneTypeAt(at)))) {
      addToZone(k, memory.node[row]!, at, Math.min(end, zoneTypeEnd(zoneTypeAt(at))));
    }
  }
  for (let node = 0; node < k.zones.nodes; node++) k.zones.firstDeferred[node] = firstDeferred(k, node);
};

/** Sections that hold memory of a node, or of any. */
const sectionsOf = (k: Kernel, node: number): number => {
  const { memory } = k.memblock;
  const { sectionSize } = k.geometry;
  let sections = 0;
  let counted = -1;
  for (let row = 0; row < memory.count; row++) {
    if (node !== ANY_NODE && memory.node[row] !== node) continue;
    const first = Math.max(counted + 1, Math.floor(memory.start[row]! / sectionSize));
    const last = Math.ceil(memory.end[row]! / sectionSize) - 1;
    sections += Math.max(0, last - first + 1);
    counted = Math.max(counted, last);
  }
  return sections;
};

/** Enters a range of one node and zone type into its zone: span, present pages, pageblocks. */
const addToZone = (k: Kernel, node: number, start: number, end: number): void => {
  const { zones, mm } = k;
  const { pageSize, pagesPerBlock, pageblockOrder } = k.geometry;
  const zone = zoneNumber(node, zoneTypeAt(start));
  const from = start / pageSize;
  const to = end / pageSize;
  const empty = zones.spannedEnd[zone] === 0;
  zones.spannedStart[zone] = empty ? from : Math.min(zones.spannedStart[zone]!, from);
  zones.spannedEnd[zone] = Math.max(zones.spannedEnd[zone]!, to);
  zones.present[zone]! += to - from;
  for (let pfn = roundDown(from, pagesPerBlock); pfn < to; pfn += pagesPerBlock) {
    const block = mm.indexOf(pfn) >> pageblockOrder;
    const before = mm.zone[block]!;
    if (before !== NO_ZONE && before !== zone) throw new NotModelled("a pageblock in two zones or nodes");
    mm.zone[block] = zone;
  }
};

/**
 * First frame of a node that deferred initialisation leaves for later: in the node's highest zone, the first
 * section boundary behind more than a section's worth of pages.
 *
 * @source Linux mm/mm_init.c, defer_init
 */
const firstDeferred = (k: Kernel, node: number): number => {
  const { zones, memblock, boot } = k;
  const { pageSize, pagesPerSection } = k.geometry;
  let zone = zoneNumber(node, ZONES_PER_NODE - 1);
  while (zone >= zoneNumber(node, 0) && zones.present[zone] === 0) zone--;
  if (!boot.deferredInit || zone < zoneNumber(node, 0)) return Number.POSITIVE_INFINITY;
  let initialised = 0;
  for (let row = 0; row < memblock.memory.count; row++) {
    if (memblock.memory.node[row] !== node) continue;
    const from = Math.max(memblock.memory.start[row]! / pageSize, zones.spannedStart[zone]!);
    const to = Math.min(memblock.memory.end[row]! / pageSize, zones.spannedEnd[zone]!);
    const first = roundUp(from + Math.max(0, pagesPerSection - initialised), pagesPerSection);
    if (first < to) return first;
    initialised += Math.max(0, to - from);
  }
  return Number.POSITIVE_INFINITY;
};

/** What the early allocations depend on. Memblock has its memory and nodes. */
export const bootFacts = (k: Kernel): BootFacts => {
  const { pagesPerSection, pageSize } = k.geometry;
  const memmap: number[] = [];
  for (let node = 0; node < k.zones.nodes; node++) {
    memmap.push(roundUp(sectionsOf(k, node) * pagesPerSection * STRUCT_PAGE_BYTES, pageSize));
  }
  return {
    memory: k.memblock.memorySize(),
    end: k.memblock.endOfMemory(),
    nodes: k.zones.nodes,
    vcpus: k.cpus.irqsOff.length,
    memmap,
    encrypted: true,
  };
};
