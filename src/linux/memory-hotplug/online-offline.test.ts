import { expect, it } from "vitest";
import { BLOCKED } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { allocPages } from "../page-allocator/alloc.ts";
import { GFP } from "../page-allocator/gfp.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { newTask, run } from "../testing/fake-kernel.ts";
import { addMemory } from "./add-memory.ts";
import { readBlockFile, storeBlockState } from "./block-sysfs.ts";
import { DEVICE_HOTPLUG_LOCK } from "./hotplug-locks.ts";
import { mhpFlags } from "./mhp-flags.ts";
import { offlineAndRemoveMemory } from "./offline-and-remove.ts";
import { hotplugKernel } from "./testing/hotplug-kernel.ts";
import { add, BASE, BLOCK_SIZE, FIRST, GIB, remove, start, state, store, total } from "./testing/one-node.ts";

it("onlines into the zone asked for, and plain online goes on with the zone that is there", () => {
  const { k } = start();
  add(k, 4);
  expect(store(k, FIRST, MMOP.ONLINE_MOVABLE)).toBe(0);
  expect(readBlockFile(k, FIRST, "valid_zones")).toBe("Movable\n");
  expect(store(k, FIRST + 2, MMOP.ONLINE_MOVABLE)).toBe(0);
  // Block 1 lies in the span of MOVABLE and of no kernel zone.
  expect(readBlockFile(k, FIRST + 1, "valid_zones")).toBe("Movable Normal\n");
  expect(store(k, FIRST + 1, MMOP.ONLINE)).toBe(0);
  expect(readBlockFile(k, FIRST + 1, "valid_zones")).toBe("Movable\n");
  expect(store(k, FIRST + 3, MMOP.ONLINE_KERNEL)).toBe(0);
  expect(readBlockFile(k, FIRST + 3, "valid_zones")).toBe("Normal\n");
});

it("refuses to change a block to the state that it has", () => {
  const { k } = start();
  add(k);
  expect(store(k, FIRST, MMOP.OFFLINE)).toBe(ERRNO.EINVAL);
  store(k, FIRST, MMOP.ONLINE);
  expect(store(k, FIRST, MMOP.ONLINE_KERNEL)).toBe(ERRNO.EINVAL);
  expect(store(k, FIRST + 9, MMOP.ONLINE)).toBe(ERRNO.ENODEV);
});

it("does not remove what is online, and says so", () => {
  const { k, log } = start();
  k.blocks.autoOnline = MMOP.ONLINE;
  add(k, 2);
  store(k, FIRST, MMOP.OFFLINE);
  log.length = 0;
  expect(remove(k, 2)).toBe(ERRNO.EBUSY);
  expect(log).toEqual([
    "removing memory fails, because memory [0x0000000208000000-0x000000020fffffff] is onlined",
  ]);
  expect([state(k), state(k, FIRST + 1)]).toEqual([BLOCK.OFFLINE, BLOCK.ONLINE]);
});

/** Allocates whole chunks until one lies in the block. */
const allocateIn = (k: Kernel, block: number, flags: number): number => {
  for (;;) {
    const pfn = run(k, allocPages, 10, flags, 0, 7);
    if (pfn < 0) throw new Error("no chunk in the block");
    if (Math.floor(pfn / 32768) === block) return pfn;
  }
};

it("moves movable pages away when a block goes offline", () => {
  const fake = start();
  const { k } = fake;
  add(k);
  store(k, FIRST, MMOP.ONLINE_MOVABLE);
  const pfn = run(k, allocPages, 0, GFP.MOVABLE, 0, 7);
  expect(Math.floor(pfn / 32768)).toBe(FIRST);
  expect(store(k, FIRST, MMOP.OFFLINE)).toBe(0);
  expect(k.mm.useAt(pfn)).toBe(USE.OFFLINE);
  expect([...k.mm.use.keys()].filter((index) => k.mm.owners.of(index) === 7)).toHaveLength(1);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("does not offline a block with a page that cannot move, and tells why", () => {
  const fake = start();
  const { k, log } = fake;
  add(k);
  store(k, FIRST, MMOP.ONLINE);
  allocateIn(k, FIRST, 0);
  log.length = 0;
  const before = total(k);
  expect(store(k, FIRST, MMOP.OFFLINE)).toBe(ERRNO.EBUSY);
  expect(log).toEqual([
    "memory offlining [mem 0x200000000-0x207ffffff] failed due to failure to isolate range",
  ]);
  expect([state(k), total(k)]).toEqual([BLOCK.ONLINE, before]);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("waits for ever for room to move pages to, until a signal ends it", () => {
  const { k, log } = start({ ram: [{ start: 4 * GIB, end: 4 * GIB + BLOCK_SIZE, node: 0 }] });
  add(k);
  store(k, FIRST, MMOP.ONLINE_MOVABLE);
  while (run(k, allocPages, 9, GFP.MOVABLE, 0, 7) >= 0);
  while (run(k, allocPages, 0, GFP.MOVABLE, 0, 7) >= 0);
  log.length = 0;
  const f = newTask(3, 0);
  f.start(storeBlockState, FIRST, MMOP.OFFLINE);
  let next = f.step(k);
  while (next !== BLOCKED) next = f.step(k);
  expect(f.where).toBe("memory_block_offline:stuck");
  expect(state(k)).toBe(BLOCK.GOING_OFFLINE);
  expect(f.step(k)).toBe(BLOCKED);
  k.blocks.signal(3);
  while (!f.idle) expect(f.step(k)).not.toBe(BLOCKED);
  expect(f.result).toBe(ERRNO.EINTR);
  expect(log).toEqual(["memory offlining [mem 0x200000000-0x207ffffff] failed due to signal backoff"]);
  expect(state(k)).toBe(BLOCK.ONLINE);
});

it("waits for a chunk that another task is accepting, and then goes offline", () => {
  const { k, hw } = start({
    unaccepted: {
      window: { start: BASE, end: BASE + BLOCK_SIZE },
      ranges: [{ start: BASE, end: BASE + BLOCK_SIZE }],
    },
  });
  add(k);
  store(k, FIRST, MMOP.ONLINE_MOVABLE);
  const acceptor = newTask(1, 0);
  acceptor.start(allocPages, 0, GFP.MOVABLE, 0, 7);
  // Accepted, and not freed yet.
  while (acceptor.where !== "try_to_accept_memory_one:accepted") acceptor.step(k);
  const offliner = newTask(2, 0);
  offliner.start(storeBlockState, FIRST, MMOP.OFFLINE);
  for (let waits = 0; waits < 3; ) if (offliner.step(k) === BLOCKED) waits++;
  expect(offliner.where).toBe("memory_block_offline:stuck");
  while (!acceptor.idle) acceptor.step(k);
  while (!offliner.idle) expect(offliner.step(k)).not.toBe(BLOCKED);
  expect([offliner.result, state(k), hw.doubles]).toEqual([0, BLOCK.OFFLINE, []]);
});

it("refuses to offline a block of several zones", () => {
  const { k, log } = start({
    ram: [
      { start: 0, end: 2 ** 27, node: 0 },
      { start: 4 * GIB, end: 5 * GIB, node: 0 },
    ],
    blockSize: BLOCK_SIZE,
  });
  k.blocks.zones[k.blocks.rowOf(0)] = 0xff;
  expect(readBlockFile(k, 0, "valid_zones")).toBe("none\n");
  expect(store(k, 0, MMOP.OFFLINE)).toBe(ERRNO.EINVAL);
  expect(log.at(-1)).toBe("memory offlining [mem 0x00000000-0x07ffffff] failed due to multizone range");
});

it("offlines and removes all blocks or none: those done before come back into their zone", () => {
  const { k } = start();
  add(k, 3);
  store(k, FIRST, MMOP.ONLINE_MOVABLE);
  store(k, FIRST + 2, MMOP.ONLINE_KERNEL);
  allocateIn(k, FIRST + 2, 0);
  const before = total(k);
  expect(run(k, offlineAndRemoveMemory, BASE, 3 * BLOCK_SIZE)).toBe(ERRNO.EBUSY);
  expect([0, 1, 2].map((n) => state(k, FIRST + n))).toEqual([BLOCK.ONLINE, BLOCK.OFFLINE, BLOCK.ONLINE]);
  expect(readBlockFile(k, FIRST, "valid_zones")).toBe("Movable\n");
  expect(total(k)).toEqual(before);
  expect(run(k, offlineAndRemoveMemory, BASE, 0)).toBe(ERRNO.EINVAL);
  expect(run(k, offlineAndRemoveMemory, BASE + 4096, BLOCK_SIZE)).toBe(ERRNO.EINVAL);
});

it("lets a second task wait for device_hotplug_lock, and both get their way", () => {
  const { k } = start();
  const first = newTask(0, 0);
  const second = newTask(1, 0);
  first.start(addMemory, 0, BASE, BLOCK_SIZE, mhpFlags(k, 0));
  second.start(addMemory, 0, BASE, BLOCK_SIZE, mhpFlags(k, 0));
  while (!k.locks.heldBy(DEVICE_HOTPLUG_LOCK, 0)) first.step(k);
  let waited = 0;
  while (!first.idle || !second.idle) {
    if (!second.idle && second.step(k) === BLOCKED) waited++;
    if (!first.idle) first.step(k);
  }
  expect(waited).toBeGreaterThan(3);
  expect([first.result, second.result]).toEqual([0, ERRNO.EEXIST]);
});

it("works in a geometry of 2 MiB pages and 8 MiB blocks, which pays no memmap", async () => {
  const { geometry } = await import("../geometry.ts");
  const fake = hotplugKernel({
    geometry: geometry(21, 0, 1, 23),
    top: 64 * 2 ** 20,
    ram: [{ start: 0, end: 16 * 2 ** 20, node: 0 }],
  });
  const { k } = fake;
  k.blocks.autoOnline = MMOP.ONLINE;
  expect(run(k, addMemory, 0, 32 * 2 ** 20, 16 * 2 ** 20, mhpFlags(k, 0))).toBe(0);
  expect(total(k)).toEqual({ managed: 16, present: 16, free: 16 });
  expect(run(k, offlineAndRemoveMemory, 32 * 2 ** 20, 8 * 2 ** 20)).toBe(0);
  expect(total(k)).toEqual({ managed: 12, present: 12, free: 12 });
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("gives pages to nobody before the last chunk of the block is in, and raises the watermarks then", () => {
  const { k } = start();
  add(k);
  const before = { free: k.zones.sum(k.zones.free), promo: k.zones.promo[2]! };
  const f = newTask(0, 0);
  f.start(storeBlockState, FIRST, MMOP.ONLINE);
  while (f.where !== "memory_block_online:done") {
    f.step(k);
    expect(k.zones.sum(k.zones.free)).toBe(before.free);
  }
  while (!f.idle) f.step(k);
  expect(k.zones.sum(k.zones.free)).toBe(before.free + 32768);
  const raised = k.zones.promo[2]!;
  expect(raised).toBeGreaterThan(before.promo);
  store(k, FIRST, MMOP.OFFLINE);
  expect(k.zones.promo[2]).toBeLessThan(raised);
});

it("accepts every chunk of a block that waits unaccepted, only to take it offline", () => {
  const { k, hw } = start({
    unaccepted: {
      window: { start: BASE, end: BASE + BLOCK_SIZE },
      ranges: [{ start: BASE, end: BASE + BLOCK_SIZE }],
    },
  });
  add(k);
  store(k, FIRST, MMOP.ONLINE);
  expect([k.zones.sum(k.zones.unaccepted), hw.accepts]).toEqual([32768, 0]);
  expect(store(k, FIRST, MMOP.OFFLINE)).toBe(0);
  expect([k.zones.sum(k.zones.unaccepted), hw.accepts]).toEqual([0, 64]);
});
