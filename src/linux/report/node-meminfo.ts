import type { Kernel } from "../kernel.ts";
import { kilobytes, valueLine } from "./counters.ts";

type Line = readonly [label: string, pages?: (k: Kernel, node: number) => number];

const managed = (k: Kernel, node: number): number => k.zones.sum(k.zones.managed, node);
const free = (k: Kernel, node: number): number => k.zones.sum(k.zones.free, node);
const movable = (k: Kernel, node: number): number => k.zones.sum(k.zones.movable, node);

const LINES: readonly Line[] = [
  ["MemTotal", managed],
  ["MemFree", free],
  ["MemUsed", (k, node) => managed(k, node) - free(k, node)],
  ["SwapCached"],
  ["Active", movable],
  ["Inactive"],
  ["Active(anon)", movable],
  ["Inactive(anon)"],
  ["Active(file)"],
  ["Inactive(file)"],
  ["Unevictable"],
  ["Mlocked"],
  ["Dirty"],
  ["Writeback"],
  ["FilePages"],
  ["Mapped"],
  ["AnonPages", movable],
  ["Shmem"],
  ["KernelStack"],
  ["PageTables"],
  ["SecPageTables"],
  ["NFS_Unstable"],
  ["Bounce"],
  ["WritebackTmp"],
  ["KReclaimable"],
  ["Slab"],
  ["SReclaimable"],
  ["SUnreclaim"],
  ["AnonHugePages"],
  ["ShmemHugePages"],
  ["ShmemPmdMapped"],
  ["FileHugePages"],
  ["FilePmdMapped"],
  ["Unaccepted", (k, node) => k.zones.sum(k.zones.unaccepted, node)],
];

/** Inference for 7.3: the node's file follows /proc/meminfo, with all three lines. */
const NEWER: readonly Line[] = [["Balloon"], ["GPUActive"], ["GPUReclaim"]];

const HUGETLB = ["HugePages_Total:", "HugePages_Free:", "HugePages_Surp:"];

/**
 * /sys/devices/system/node/nodeN/meminfo, with its final newline.
 *
 * @source Linux drivers/base/node.c, node_read_meminfo; mm/hugetlb.c
 * @missing as for /proc/meminfo
 */
export const nodeMeminfoText = (k: Kernel, node: number): string => {
  const table = k.variant.newerStatistics ? [...LINES, ...NEWER] : LINES;
  const lines = table.map(([label, pages]) => valueLine(label, kilobytes(k, pages?.(k, node) ?? 0)));
  const huge = HUGETLB.map((label) => `${label.padEnd(16)} ${"0".padStart(5)}`);
  return `${[...lines, ...huge].map((line) => `Node ${node} ${line}`).join("\n")}\n`;
};
