import type { Frame, Next } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../kernel.ts";
import { KEXEC } from "../kexec/kexec.ts";
import { USE } from "../mem-map.ts";
import { ANY_NODE } from "../memblock.ts";
import { ARRAY, memblockAlloc, memblockDoubleArray } from "../memblock-alloc.ts";
import { setupPerZoneWmarks, startKhugepaged } from "../page-allocator/watermarks.ts";
import { deferredInitNode, memblockFreeAll } from "./free-boot-memory.ts";
import { assignNodes, bootFacts, buildMemmap, fillMemblock } from "./memory-map.ts";
import { smpInit } from "./smp-init.ts";
import { tdxEarlyInit } from "./tdx-setup.ts";

const early = KERNEL_PROCEDURES.declare("start_kernel: memory", {
  args: [],
  locals: ["entry", "node", "bytes", "range"],
  steps: ["enter", "setup", "nodes", "allocate", "allocated", "freed"],
});

/** Nodes for the memory, in an array that grows if need be; then the memmap. */
const nodesAndMemmap = (k: Kernel, f: Frame<Kernel>): Next => {
  const { v, at } = early;
  const waiting = assignNodes(k, f.get(v.range));
  if (waiting >= 0) {
    f.set(v.range, waiting);
    return f.call(memblockDoubleArray, at.nodes, ARRAY.MEMORY, 0, 0);
  }
  buildMemmap(k);
  const { table, mm, geometry } = k;
  if (table === undefined || mm.isMapped(Math.floor(table.address / geometry.pageSize))) return at.allocate;
  return panic(k, `page fault on the unaccepted table at 0x${table.address.toString(16)}, before any fix-up`);
};

/**
 * Boot up to memblock_free_all(): the platform's first calls, memblock, memmap and zones, the kernel's own
 * early allocations, and the memory that is not deferred into the allocator. Returns 0.
 *
 * Afterwards come smpInit(), deferredInitNode() for every node, which may run in parts and in parallel, and
 * bootMemoryLate().
 *
 * @source Linux arch/x86/kernel/setup.c, mm/mm_init.c
 * @missing the writes to what was allocated
 */
export const bootMemoryEarly = early.define({
  enter: (k, f) => (k.platform.name === "tdx" ? f.call(tdxEarlyInit, early.at.setup) : early.at.setup),
  setup: (k, f) => {
    fillMemblock(k);
    return nodesAndMemmap(k, f);
  },
  nodes: nodesAndMemmap,
  allocate: (k, f) => {
    const { v, at } = early;
    const entry = k.boot.early[f.get(v.entry)];
    if (entry === undefined) return f.call(memblockFreeAll, at.freed);
    const node = entry.perNode === true ? f.get(v.node) : ANY_NODE;
    const bytes = entry.bytes(bootFacts(k), node);
    f.set(v.bytes, bytes);
    if (bytes > 0) return f.call(memblockAlloc, at.allocated, bytes, entry.align, entry.limit ?? 0, node);
    nextEntry(k, f.get(v.entry), f.get(v.node), place);
    f.set(v.entry, place[0]!);
    f.set(v.node, place[1]!);
    return at.allocate;
  },
  allocated: (k, f) => {
    const { v, at } = early;
    const entry = k.boot.early[f.get(v.entry)]!;
    const address = f.result;
    const bytes = f.get(v.bytes);
    const { pageSize } = k.geometry;
    if (address >= 0 && entry.memmap === true) {
      k.mm.setPages(address / pageSize, bytes / pageSize, USE.MEMMAP);
    }
    if (address >= 0 && entry.forCrash === true) keepForCrash(k, address, bytes);
    if (address >= 0 && entry.unused !== undefined)
      k.memblock.release(address + bytes - entry.unused(bootFacts(k)), address + bytes);
    if (address < 0) {
      const message = `Failed to allocate ${bytes} bytes for ${entry.what}`;
      if (entry.optional !== true) return panic(k, message);
      k.printk(message);
    }
    nextEntry(k, f.get(v.entry), f.get(v.node), place);
    f.set(v.entry, place[0]!);
    f.set(v.node, place[1]!);
    return at.allocate;
  },
  freed: (_k, f) => f.returns(0),
});

/** @source Linux kernel/crash_reserve.c, reserve_crashkernel_generic */
const keepForCrash = (k: Kernel, start: number, bytes: number): void => {
  const { words } = k.kexec;
  words[KEXEC.CRASH_START] = start;
  words[KEXEC.CRASH_END] = start + bytes;
  const hex = (address: number): string => `0x${address.toString(16).padStart(16, "0")}`;
  k.printk(`crashkernel reserved: ${hex(start)} - ${hex(start + bytes)} (${bytes / 2 ** 20} MB)`);
};

/** Result of nextEntry(): row of the table, node. */
const place = new Int32Array(2);

const nextEntry = (k: Kernel, entry: number, node: number, to: Int32Array): void => {
  const stays = k.boot.early[entry]!.perNode === true && node + 1 < k.zones.nodes;
  to[0] = stays ? entry : entry + 1;
  to[1] = stays ? node + 1 : 0;
};

/**
 * The postcore initcall and khugepaged's start: from here on watermarks rule what is accepted. A plain
 * function, since it changes counters only.
 *
 * @source Linux mm/page_alloc.c, init_per_zone_wmark_min; mm/khugepaged.c
 */
export const bootMemoryLate = (k: Kernel): void => {
  k.zones.firstDeferred.fill(Number.POSITIVE_INFINITY);
  setupPerZoneWmarks(k);
  if (k.boot.hugePages) startKhugepaged(k);
};

const whole = KERNEL_PROCEDURES.declare("boot memory", {
  args: [],
  locals: ["node"],
  steps: ["enter", "bringUp", "deferred"],
});

/** The whole boot on one vCPU: early part, bring-up, deferred part node by node, late part. Returns 0. */
export const bootMemory = whole.define({
  enter: (_k, f) => f.call(bootMemoryEarly, whole.at.bringUp),
  bringUp: (_k, f) => f.call(smpInit, whole.at.deferred),
  deferred: (k, f) => {
    const node = f.get(whole.v.node);
    if (node < k.zones.nodes) {
      f.set(whole.v.node, node + 1);
      return f.call(deferredInitNode, whole.at.deferred, node, 0, 1);
    }
    bootMemoryLate(k);
    return f.returns(0);
  },
});
