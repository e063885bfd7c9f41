import { sratTable } from "../abi/acpi/srat.ts";
import { SRAT_MEMORY, type SratEntry, sratMemory, sratProcessor } from "../abi/acpi/srat-subtables.ts";
import { KIB, MIB } from "../units.ts";
import type { GpaRange, GuestLayout } from "./layout.ts";
import { demand, hex } from "./vmm-error.ts";

/** Part of the guest's boot memory that lies on one NUMA node, which may be none. */
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
 * @param cpuNodes node of each vCPU by APIC id; undefined where no vCPU has that id
 * @throws VmmError when the nodes' memory does not add up to the boot memory, or a vCPU names no node
 * @source QEMU hw/i386/acpi-build.c (build_srat)
 * @missing NVDIMM, SGX and generic-initiator entries
 */
export const sratEntries = (
  layout: GuestLayout,
  nodes: readonly NumaNode[],
  cpuNodes: readonly (number | undefined)[],
): SratEntry[] => {
  checkNodes(layout, nodes, cpuNodes);
  const memory = nodeRanges(layout.ram, nodes).flatMap((ranges, node) =>
    ranges.map(({ start, size }) => sratMemory(node, BigInt(start), BigInt(size), SRAT_MEMORY.ENABLED)),
  );
  while (memory.length < nodes.length + 2) memory.push(sratMemory(0, 0n, 0n, 0));
  if (layout.deviceMemory) {
    const { start, size } = layout.deviceMemory;
    const flags = SRAT_MEMORY.ENABLED | SRAT_MEMORY.HOT_PLUGGABLE;
    memory.push(sratMemory(nodes.length - 1, BigInt(start), BigInt(size), flags));
  }
  const processors = cpuNodes.flatMap((node, apicId) =>
    node === undefined ? [] : [sratProcessor(node, apicId)],
  );
  return [...processors, ...memory];
};

/**
 * The SRAT that QEMU would put into the guest's memory. A machine without NUMA nodes has none; QEMU makes one
 * node by itself where slots or maxmem are given.
 *
 * @throws VmmError as sratEntries
 */
export const qemuSrat = (
  layout: GuestLayout,
  nodes: readonly NumaNode[],
  cpuNodes: readonly (number | undefined)[],
): Uint8Array | undefined => {
  if (nodes.length > 0) return sratTable(sratEntries(layout, nodes, cpuNodes));
  if (layout.deviceMemory === undefined && layout.slots === 0) return undefined;
  return sratTable(
    sratEntries(
      layout,
      [{ memory: layout.memory }],
      cpuNodes.map((node) => (node === undefined ? undefined : 0)),
    ),
  );
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

const checkNodes = (
  layout: GuestLayout,
  nodes: readonly NumaNode[],
  cpuNodes: readonly (number | undefined)[],
): void => {
  const sum = nodes.reduce((total, node) => total + node.memory, 0);
  demand(nodes.length > 0, "NUMA nodes", "at least one for an SRAT", "none");
  demand(
    sum === layout.memory && nodes.every((node) => Number.isSafeInteger(node.memory) && node.memory >= 0),
    "NUMA node memory",
    `a sum of ${hex(layout.memory)}, the boot memory`,
    hex(sum),
  );
  const given = cpuNodes.filter((node) => node !== undefined);
  const stray = given.find((node) => !Number.isInteger(node) || node < 0 || node >= nodes.length);
  demand(stray === undefined, "vCPU node", `0 to ${nodes.length - 1}`, String(stray));
};
