/**
 * Counters by the names Linux prints them under, with the unit of the printed number.
 *
 * @source Linux fs/proc/meminfo.c, mm/vmstat.c (zone items) and include/linux/mmzone.h; a world need not have them all
 */
export type CounterUnit = "kB" | "pages" | "count";

const MEMINFO_KB = [
  "MemTotal",
  "MemFree",
  "MemAvailable",
  "Buffers",
  "Cached",
  "SwapCached",
  "Active",
  "Inactive",
  "Unevictable",
  "Mlocked",
  "SwapTotal",
  "SwapFree",
  "Dirty",
  "Writeback",
  "AnonPages",
  "Mapped",
  "Shmem",
  "KReclaimable",
  "Slab",
  "SReclaimable",
  "SUnreclaim",
  "KernelStack",
  "PageTables",
  "SecPageTables",
  "CommitLimit",
  "Committed_AS",
  "VmallocTotal",
  "VmallocUsed",
  "Percpu",
  "HardwareCorrupted",
  "AnonHugePages",
  "CmaTotal",
  "CmaFree",
  "Unaccepted",
  "Balloon",
  "Hugetlb",
  "DirectMap4k",
  "DirectMap2M",
  "DirectMap1G",
] as const;

const VMSTAT_PAGES = ["nr_free_pages", "nr_unaccepted", "nr_free_cma"] as const;
const VMSTAT_EVENTS = [
  "pgalloc_normal",
  "pgalloc_movable",
  "pgfree",
  "allocstall_normal",
  "oom_kill",
] as const;

const unitOf = new Map<string, CounterUnit>([
  ...MEMINFO_KB.map((name) => [name, "kB"] as const),
  ...VMSTAT_PAGES.map((name) => [name, "pages"] as const),
  ...VMSTAT_EVENTS.map((name) => [name, "count"] as const),
]);

/** Every counter name a scenario may mention. */
export const COUNTER_NAMES: readonly string[] = [...unitOf.keys()];

/** Unit of a counter's number; names not in the table are plain counts. */
export const counterUnit = (name: string): CounterUnit => unitOf.get(name) ?? "count";

/** One line of /proc/meminfo, or of /proc/vmstat for counters that live there. */
export const counterLine = (name: string, value: number): string =>
  counterUnit(name) === "kB" ? `${`${name}:`.padEnd(16)}${String(value).padStart(8)} kB` : `${name} ${value}`;
