import { expect, it } from "vitest";
import { ERRNO } from "../errno.ts";
import { geometry } from "../geometry.ts";
import { USE } from "../mem-map.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { allocPages, freePages } from "../page-allocator/alloc.ts";
import { brokenAllocatorRules } from "../testing/allocator-rules.ts";
import { run } from "../testing/fake-kernel.ts";
import { addMemory } from "./add-memory.ts";
import { memmapPagesPerSection } from "./arch-memory.ts";
import { readBlockFile } from "./block-sysfs.ts";
import { DEVICE_HOTPLUG_LOCK } from "./hotplug-locks.ts";
import { GROUP } from "./memory-group.ts";
import { MHP, mhpFlags } from "./mhp-flags.ts";
import { offlineAndRemoveMemory } from "./offline-and-remove.ts";
import { scriptHooks } from "./testing/hook-log.ts";
import { hotplugKernel } from "./testing/hotplug-kernel.ts";
import {
  add,
  BASE,
  BLOCK_SIZE,
  DRIVER,
  FIRST,
  GIB,
  remove,
  start,
  state,
  store,
  total,
} from "./testing/one-node.ts";

it("adds a block offline, onlines it by sysfs, offlines and removes it, and leaves no trace", () => {
  const fake = start();
  const { k } = fake;
  const before = { ...total(k), iomem: k.iomem.iomemText() };
  expect(add(k)).toBe(0);
  expect(state(k)).toBe(BLOCK.OFFLINE);
  expect(readBlockFile(k, FIRST, "valid_zones")).toBe("Normal Movable\n");
  expect(k.zones.sum(k.zones.free)).toBe(before.free! - 512);
  expect(k.mm.useAt(BASE / 4096)).toBe(USE.OFFLINE);
  expect(store(k, FIRST, MMOP.ONLINE)).toBe(0);
  expect([state(k), readBlockFile(k, FIRST, "valid_zones")]).toEqual([BLOCK.ONLINE, "Normal\n"]);
  expect(total(k)).toEqual({
    managed: before.managed! + 32768,
    present: before.present! + 32768,
    free: before.free! - 512 + 32768,
  });
  expect(brokenAllocatorRules(fake)).toEqual([]);
  expect(store(k, FIRST, MMOP.OFFLINE)).toBe(0);
  expect(remove(k)).toBe(0);
  expect({ ...total(k), iomem: k.iomem.iomemText() }).toEqual(before);
  expect(k.mm.indexOf(BASE / 4096)).toBe(-1);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it.each([
  ["a driver's memory has no driver's name", "virtio_mem", BASE, BLOCK_SIZE, ERRNO.EINVAL],
  ["the range lies beyond what can be addressed", "System RAM", 64 * GIB, BLOCK_SIZE, ERRNO.E2BIG],
  ["the range is empty", "System RAM", BASE, 0, ERRNO.E2BIG],
  ["the range is in use and unaligned", "System RAM", 4 * GIB, 4096, ERRNO.EEXIST],
  ["the start is not block aligned", "System RAM", BASE + 4096, BLOCK_SIZE, ERRNO.EINVAL],
  ["the size is not whole blocks", "System RAM", BASE, BLOCK_SIZE + 2 ** 21, ERRNO.EINVAL],
])("refuses to add when %s", (_rule, name, at, size, error) => {
  const { k } = start();
  const script = scriptHooks(k);
  const before = k.iomem.iomemText();
  expect(run(k, addMemory, 0, at, size, mhpFlags(k, 0, name))).toBe(error);
  expect([k.iomem.iomemText(), script.log]).toEqual([before, []]);
  expect(k.locks.isFree(DEVICE_HOTPLUG_LOCK)).toBe(true);
});

it("refuses an unknown group and an impossible node after the resource check", () => {
  const { k } = start();
  expect(run(k, addMemory, 1, BASE, BLOCK_SIZE, mhpFlags(k, MHP.NID_IS_MGID))).toBe(ERRNO.EINVAL);
  expect(run(k, addMemory, 1, BASE, BLOCK_SIZE, mhpFlags(k, 0))).toBe(ERRNO.EINVAL);
  expect(run(k, addMemory, 1, 4 * GIB, BLOCK_SIZE, mhpFlags(k, 0))).toBe(ERRNO.EEXIST);
  expect(k.groups.register(GROUP.STATIC, 0, 1)).toBe(1);
  expect(run(k, addMemory, 1, BASE, BLOCK_SIZE, mhpFlags(k, MHP.NID_IS_MGID))).toBe(0);
});

it("prints the two refusals of a range in the kernel's words", () => {
  const { k, log } = start();
  add(k, 1, 0, "System RAM", 64 * GIB);
  add(k, 1, 0, "System RAM", BASE + 4096);
  expect(log).toEqual([
    "Hotplug memory [0x1000000000-0x1008000000] exceeds maximum addressable range [0x0-0xfffffffff]",
    "Block size [0x8000000] unaligned hotplug range: start 0x200001000, size 0x8000000",
  ]);
});

it("calls the design's hooks in the order of the sequence", () => {
  const { k } = start();
  const { log } = scriptHooks(k);
  k.blocks.autoOnline = MMOP.ONLINE;
  add(k);
  store(k, FIRST, MMOP.OFFLINE);
  remove(k);
  expect(log.map((line) => line.split(" ")[0])).toEqual([
    ...["addMemory", "memoryAdded", "goingOnline", "removeMemory", "memoryRemoved"],
  ]);
  expect(log[0]).toBe("addMemory 200000000+8000000");
});

const altmap = () => start({ options: { memmapOnMemory: true } });

it("puts the memmap into each block when asked: 2 MiB of it, never managed", () => {
  const fake = altmap();
  const { k } = fake;
  const { log } = scriptHooks(k);
  const before = total(k);
  k.blocks.autoOnline = MMOP.ONLINE;
  expect(add(k, 2, MHP.MEMMAP_ON_MEMORY)).toBe(0);
  expect(memmapPagesPerSection(k)).toBe(512);
  expect(k.blocks.altmapPages[k.blocks.rowOf(FIRST)]).toBe(512);
  expect([k.mm.useAt(BASE / 4096), k.mm.useAt(BASE / 4096 + 511)]).toEqual([USE.MEMMAP, USE.MEMMAP]);
  expect(k.mm.useAt(BASE / 4096 + 512)).toBe(USE.FREE);
  expect(total(k).managed! - before.managed!).toBe(2 * (32768 - 512));
  expect(total(k).present! - before.present!).toBe(2 * 32768);
  expect(run(k, offlineAndRemoveMemory, BASE, 2 * BLOCK_SIZE)).toBe(0);
  expect(total(k)).toEqual(before);
  expect(brokenAllocatorRules(fake)).toEqual([]);
  expect(log).toEqual([
    "addMemory 200000000+10000000",
    "altmapAdd 200000000+200000",
    "altmapAdd 208000000+200000",
    "memoryAdded 200000000+10000000",
    "goingOnline 200000000+8000000",
    "goingOnline 208000000+8000000",
    "removeMemory 200000000+10000000",
    "altmapRemoved 200000000+200000",
    "altmapRemoved 208000000+200000",
    "memoryRemoved 200000000+10000000",
  ]);
});

it("writes the memmap through the boundary before any page is online", () => {
  const { k, hw } = altmap();
  const touched: string[] = [];
  hw.access = (_vcpu, gpa, length) => {
    touched.push(`${gpa.toString(16)}+${length.toString(16)} ${state(k)}`);
    return Math.min(length, 2 ** 20);
  };
  add(k, 1, MHP.MEMMAP_ON_MEMORY);
  expect(touched).toEqual(["200000000+200000 0", "200100000+100000 0"]);
});

it("undoes an addition with altmaps block by block when the second block fails", () => {
  for (const point of ["failArchAdd", "failCreateBlocks"] as const) {
    const { k } = altmap();
    const { log } = scriptHooks(k);
    const before = k.iomem.iomemText();
    k.blocks[point](2);
    expect(add(k, 3, MHP.MEMMAP_ON_MEMORY)).toBe(ERRNO.ENOMEM);
    expect(log.slice(1)).toEqual([
      "altmapAdd 200000000+200000",
      "altmapAdd 208000000+200000",
      "altmapAddFailed 208000000+200000",
      "altmapRemoved 200000000+200000",
      "addMemoryFailed 200000000+18000000",
    ]);
    expect(k.iomem.iomemText()).toBe(before);
    expect([state(k), k.mm.indexOf(BASE / 4096)]).toEqual([BLOCK.ABSENT, -1]);
  }
});

it.each([
  ["the design refuses", { addMemory: ERRNO.EINVAL }, ERRNO.EINVAL, ["addMemory"]],
  [
    "the design refuses what was added",
    { memoryAdded: ERRNO.EIO },
    ERRNO.EIO,
    ["addMemory", "memoryAdded", "addMemoryFailed"],
  ],
] as const)("leaves nothing behind when %s", (_rule, answers, error, calls) => {
  const { k } = start();
  const { log } = scriptHooks(k, answers);
  const before = { ...total(k), iomem: k.iomem.iomemText() };
  expect(add(k, 2)).toBe(error);
  expect(log.map((line) => line.split(" ")[0])).toEqual(calls);
  expect({ ...total(k), iomem: k.iomem.iomemText() }).toEqual(before);
  expect([state(k), k.mm.indexOf(BASE / 4096)]).toEqual([BLOCK.ABSENT, -1]);
});

it("answers -ENOMEM when no memory is left for the memmap, and gives back what it had taken", () => {
  const fake = start({ ram: [{ start: 4 * GIB, end: 4 * GIB + BLOCK_SIZE, node: 0 }] });
  const { k } = fake;
  const held: number[] = [];
  for (let pfn = 0; pfn >= 0; ) {
    pfn = run(k, allocPages, 9, 0, 0, 1);
    if (pfn >= 0) held.push(pfn);
  }
  // Room for the memmap of a few sections, not of sixteen.
  for (const pfn of held.splice(0, 4)) freePages(k, pfn, 9);
  const before = total(k);
  expect(add(k, 16)).toBe(ERRNO.ENOMEM);
  expect(total(k)).toEqual(before);
  expect([k.mm.indexOf(BASE / 4096), k.mm.indexOf(BASE / 4096 + 15 * 32768)]).toEqual([-1, -1]);
  expect(brokenAllocatorRules(fake)).toEqual([]);
});

it("takes a node offline again that came up for a failed addition", () => {
  const { k } = start({ nodes: 2 });
  k.blocks.failArchAdd(1);
  expect(run(k, addMemory, 1, BASE, BLOCK_SIZE, mhpFlags(k, 0))).toBe(ERRNO.ENOMEM);
  expect([...k.blocks.nodeOnline]).toEqual([1, 0]);
  expect(run(k, addMemory, 1, BASE, BLOCK_SIZE, mhpFlags(k, 0))).toBe(0);
  expect([...k.blocks.nodeOnline]).toEqual([1, 1]);
  expect(remove(k)).toBe(0);
  expect([...k.blocks.nodeOnline]).toEqual([1, 0]);
});

it("gives only plain System RAM to the firmware map", () => {
  const { k } = start();
  add(k, 1, MHP.MERGE_RESOURCE, DRIVER);
  expect(k.firmwareMap.entries()).toEqual([]);
  add(k, 1, 0, "System RAM", BASE + BLOCK_SIZE);
  expect(k.firmwareMap.entries()).toHaveLength(1);
});

it("stops onlining at the first block that is refused, and still answers success", () => {
  const { k } = start();
  const refusals = [ERRNO.EPERM, 0];
  scriptHooks(k, {
    get goingOnline() {
      return refusals.shift() ?? 0;
    },
  });
  k.blocks.autoOnline = MMOP.ONLINE;
  expect(add(k, 2)).toBe(0);
  expect([state(k), state(k, FIRST + 1)]).toEqual([BLOCK.OFFLINE, BLOCK.OFFLINE]);
  expect(k.mm.useAt(BASE / 4096)).toBe(USE.OFFLINE);
  expect(readBlockFile(k, FIRST, "valid_zones")).toBe("Normal Movable\n");
});

it("accepts the first chunk behind a memmap at once, even lazily, because it is not whole", () => {
  const window = { start: BASE, end: BASE + 2 * BLOCK_SIZE };
  const { k, hw } = start({
    options: { memmapOnMemory: true },
    unaccepted: { window, ranges: [window] },
  });
  k.blocks.autoOnline = MMOP.ONLINE;
  expect(add(k, 1, MHP.MEMMAP_ON_MEMORY)).toBe(0);
  // 2 MiB behind the memmap and the guard unit; the other 31 chunks wait.
  expect([hw.accepts, k.zones.sum(k.zones.unaccepted)]).toEqual([2, 31 * 1024]);
  expect(hw.isAccepted(BASE + 2 ** 21, BASE + 3 * 2 ** 21)).toBe(true);
  expect(hw.isAccepted(BASE, BASE + 2 ** 21)).toBe(false);
});

it("keeps a memmap on memory in a geometry of 256 KiB sections too", () => {
  const small = geometry(12, 2, 3, 18);
  const fake = hotplugKernel({
    geometry: small,
    top: 2 ** 24,
    blockSize: 2 ** 20,
    ram: [{ start: 0, end: 2 ** 20, node: 0 }],
    options: { memmapOnMemory: true },
  });
  const { k } = fake;
  k.blocks.autoOnline = MMOP.ONLINE;
  const before = total(k);
  expect(run(k, addMemory, 0, 2 ** 21, 2 ** 21, mhpFlags(k, MHP.MEMMAP_ON_MEMORY))).toBe(0);
  expect([memmapPagesPerSection(k), k.blocks.altmapPages[k.blocks.rowOf(2)]]).toEqual([1, 4]);
  expect(total(k).managed - before.managed).toBe(2 * (256 - 4));
  expect(brokenAllocatorRules(fake)).toEqual([]);
  expect(run(k, offlineAndRemoveMemory, 2 ** 21, 2 ** 21)).toBe(0);
  // Without it, the memmap comes from memory that is there: a page a section.
  expect(run(k, addMemory, 0, 2 ** 21, 2 ** 20, mhpFlags(k, 0))).toBe(0);
  expect(total(k).free - before.free).toBe(256 - 4);
  expect(run(k, offlineAndRemoveMemory, 2 ** 21, 2 ** 20)).toBe(0);
  expect(total(k)).toEqual(before);
});
