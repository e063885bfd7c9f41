import type { Kernel } from "../kernel.ts";
import { kilobytes, memAvailable, valueLine } from "./counters.ts";

/** VMALLOC_TOTAL with four-level page tables, kilobytes. */
const VMALLOC_TOTAL = 34_359_738_367;
/** Pages of one CPU's first per-cpu chunk. */
const PERCPU_PAGES = 62;

/** Lines without a value here print 0: this model has no page cache, swap, slab or vmalloc. */
type Line = readonly [label: string, pages?: (k: Kernel) => number];

const movable = (k: Kernel): number => k.zones.sum(k.zones.movable);

const HEAD: readonly Line[] = [
  ["MemTotal", (k) => k.zones.sum(k.zones.managed)],
  ["MemFree", (k) => k.zones.sum(k.zones.free)],
  ["MemAvailable", memAvailable],
  ["Buffers"],
  ["Cached"],
  ["SwapCached"],
  ["Active", movable],
  ["Inactive"],
  ["Active(anon)", movable],
  ["Inactive(anon)"],
  ["Active(file)"],
  ["Inactive(file)"],
  ["Unevictable"],
  ["Mlocked"],
  ["SwapTotal"],
  ["SwapFree"],
  ["Zswap"],
  ["Zswapped"],
  ["Dirty"],
  ["Writeback"],
  ["AnonPages", movable],
  ["Mapped"],
  ["Shmem"],
  ["KReclaimable"],
  ["Slab"],
  ["SReclaimable"],
  ["SUnreclaim"],
  ["KernelStack"],
  ["PageTables"],
  ["SecPageTables"],
  ["NFS_Unstable"],
  ["Bounce"],
  ["WritebackTmp"],
  ["CommitLimit", (k) => Math.floor(k.zones.sum(k.zones.managed) / 2)],
  ["Committed_AS", movable],
];

const TAIL: readonly Line[] = [
  ["AnonHugePages"],
  ["ShmemHugePages"],
  ["ShmemPmdMapped"],
  ["FileHugePages"],
  ["FilePmdMapped"],
  ["CmaTotal"],
  ["CmaFree"],
  ["Unaccepted", (k) => k.zones.sum(k.zones.unaccepted)],
];

const NEWER: readonly Line[] = [["Balloon"], ["GPUActive"], ["GPUReclaim"]];

const print = (k: Kernel, lines: readonly Line[]): string[] =>
  lines.map(([label, pages]) => valueLine(label, kilobytes(k, pages?.(k) ?? 0)));

/** Kilobytes in the direct map, sections that hold less counted whole. */
const directMap = (k: Kernel): number => {
  let sections = 0;
  for (const mapped of k.mm.mapped) sections += mapped;
  return (sections * k.geometry.sectionSize) / 1024;
};

const HUGETLB = ["HugePages_Total:", "HugePages_Free:", "HugePages_Rsvd:", "HugePages_Surp:"];

/**
 * /proc/meminfo, with its final newline. A kernel with unaccepted memory, huge pages, CMA, zswap and memory
 * failure handling is assumed; what this model does not have prints 0, as that kernel would.
 *
 * @source Linux fs/proc/meminfo.c, mm/hugetlb.c, arch/x86/mm/pat/set_memory.c; GPU lines: drm series 2025
 * @missing page cache, slab, stacks, page tables; the direct map is shown as if mapped by 2 MiB pages
 */
export const meminfoText = (k: Kernel): string => {
  const percpu = k.cpus.irqsOff.length * PERCPU_PAGES;
  const lines = [
    ...print(k, HEAD),
    valueLine("VmallocTotal", VMALLOC_TOTAL),
    valueLine("VmallocUsed", 0),
    valueLine("VmallocChunk", 0),
    valueLine("Percpu", percpu * 4),
    `HardwareCorrupted: ${"0".padStart(5)} kB`,
    ...print(k, k.variant.newerStatistics ? [...TAIL, ...NEWER] : TAIL),
    ...HUGETLB.map((label) => `${label.padEnd(19)}${"0".padStart(5)}`),
    valueLine("Hugepagesize", k.geometry.unitSize / 1024),
    valueLine("Hugetlb", 0),
    valueLine("DirectMap4k", 0),
    valueLine("DirectMap2M", directMap(k)),
  ];
  return `${lines.join("\n")}\n`;
};
