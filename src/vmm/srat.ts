import { KIB, MIB } from "../units.ts";
import type { GpaRange, GuestLayout } from "./layout.ts";
import { demand, hex } from "./vmm-error.ts";

export const SRAT_ENABLED = 1;
export const SRAT_HOT_PLUGGABLE = 2;
export const SRAT_NON_VOLATILE = 4;

/** A memory affinity entry (type 1). An entry of length 0 with no flags is padding. */
export interface SratMemory {
  readonly proximity: number;
  readonly base: number;
  readonly length: number;
  readonly flags: number;
}

/** A processor entry: type 0 below APIC id 255, else type 2. */
export interface SratCpu {
  readonly proximity: number;
  readonly apicId: number;
}

export interface SratPlan {
  readonly cpus: readonly SratCpu[];
  readonly memory: readonly SratMemory[];
}

/** Part of the guest's boot memory that lies on one NUMA node, and the vCPUs on it. */
export interface NumaNode {
  /** Bytes of boot memory on this node; the nodes take the RAM ranges in order. */
  readonly memory: number;
}

/** Between these two, q35 has video memory and firmware; the RAM there is counted but not described. */
const HOLE_START = 640 * KIB;
const HOLE_END = MIB;

/**
 * The entries of QEMU's SRAT, in QEMU's order: processors, boot memory of each node, padding until there are
 * two entries more than nodes, and last one entry for the whole device-memory window, on the highest node.
 *
 * A machine without nodes has no SRAT; QEMU makes one node when slots or maxmem are given.
 *
 * @param cpuNodes node of each vCPU; its index is the APIC id
 * @throws VmmError when the nodes' memory does not add up to the boot memory, or a vCPU names no node
 * @source QEMU hw/i386/acpi-build.c (build_srat)
 * @missing NVDIMM, SGX and generic-initiator entries
 */
export const sratPlan = (
  layout: GuestLayout,
  nodes: readonly NumaNode[],
  cpuNodes: readonly number[],
): SratPlan => {
  checkNodes(layout, nodes, cpuNodes);
  const memory: SratMemory[] = [];
  for (const [proximity, ranges] of nodeRanges(layout.ram, nodes).entries()) {
    for (const { start, size } of ranges) {
      memory.push({ proximity, base: start, length: size, flags: SRAT_ENABLED });
    }
  }
  while (memory.length < nodes.length + 2) memory.push({ proximity: 0, base: 0, length: 0, flags: 0 });
  if (layout.deviceMemory) {
    memory.push({
      proximity: nodes.length - 1,
      base: layout.deviceMemory.start,
      length: layout.deviceMemory.size,
      flags: SRAT_ENABLED | SRAT_HOT_PLUGGABLE,
    });
  }
  return { cpus: cpuNodes.map((proximity, apicId) => ({ proximity, apicId })), memory };
};

/** Cuts the RAM ranges into the nodes' shares, without the hole below 1 MiB. */
const nodeRanges = (
  ram: readonly GpaRange[],
  nodes: readonly NumaNode[],
): { start: number; size: number }[][] => {
  const rest = ram.map(({ start, size }) => ({ start: start as number, size }));
  return nodes.map((node) => {
    const ranges: { start: number; size: number }[] = [];
    let left = node.memory;
    while (left > 0) {
      const first = rest[0]!;
      const size = Math.min(left, first.size);
      ranges.push(...withoutHole(first.start, first.start + size));
      left -= size;
      first.start += size;
      first.size -= size;
      if (first.size === 0) rest.shift();
    }
    return ranges;
  });
};

const withoutHole = (start: number, end: number): { start: number; size: number }[] =>
  [
    { start, size: Math.min(end, HOLE_START) - start },
    { start: Math.max(start, HOLE_END), size: end - Math.max(start, HOLE_END) },
  ].filter(({ size }) => size > 0);

const checkNodes = (layout: GuestLayout, nodes: readonly NumaNode[], cpuNodes: readonly number[]): void => {
  const sum = nodes.reduce((total, node) => total + node.memory, 0);
  demand(
    nodes.length > 0,
    "NUMA nodes",
    () => "at least one for an SRAT",
    () => "none",
  );
  demand(
    sum === layout.memory && nodes.every((node) => Number.isSafeInteger(node.memory) && node.memory >= 0),
    "NUMA node memory",
    () => `a sum of ${hex(layout.memory)}, the boot memory`,
    () => hex(sum),
  );
  const stray = cpuNodes.find((node) => !Number.isInteger(node) || node < 0 || node >= nodes.length);
  demand(
    stray === undefined,
    "vCPU node",
    () => `0 to ${nodes.length - 1}`,
    () => String(stray),
  );
};
