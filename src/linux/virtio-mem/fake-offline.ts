import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { allocContigRange, freeContigRange } from "../page-allocator/contig-range.ts";
import { freePagesCore, MEMINIT } from "../page-allocator/free-core.ts";
import { ZONE, zoneOf, zoneType } from "../page-allocator/zones.ts";
import { VM } from "./driver.ts";

/** How often a range of ZONE_MOVABLE is tried before it counts as busy. */
const TRIES = 5;

const offline = KERNEL_PROCEDURES.declare("virtio_mem_fake_offline", {
  args: ["device", "pfn", "pages"],
  locals: ["tries"],
  steps: ["try", "tried"],
});

/**
 * The pages as blocks of page type "offline", none wider than a sub-block, because sub-blocks come back one by
 * one. Marked block by block so that a walk over the memory block need not look at each page.
 */
const markOffline = (k: Kernel, pfn: number, pages: number, subBlockPages: number): void => {
  const order = Math.min(k.geometry.maxOrder, Math.log2(subBlockPages));
  for (let at = pfn; at < pfn + pages; at += 1 << order)
    k.mm.setBlock(k.mm.indexOf(at), order, USE.FAKE_OFFLINE);
};

const isMovable = (k: Kernel, pfn: number): boolean => zoneType(zoneOf(k, pfn)) === ZONE.MOVABLE;

/**
 * Takes pages of an online block out of use: (device, pfn, pages). They are allocated as a contiguous range,
 * which accepts lazily unaccepted chunks on the way, get page type "offline" and leave the managed count.
 *
 * Returns 0; -EAGAIN when the device's configuration changed; -ENOMEM; or -EBUSY, at once for kernel zones
 * and after five tries for MOVABLE.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_fake_offline
 */
export const fakeOffline = offline.define({
  try: (k, f) => {
    const { v, at } = offline;
    if (k.virtioMem[f.get(v.device)]!.has(VM.CONFIG_CHANGED)) return f.returns(ERRNO.EAGAIN);
    return f.call(allocContigRange, at.tried, f.get(v.pfn), f.get(v.pages));
  },
  tried: (k, f) => {
    const { v, at } = offline;
    const pfn = f.get(v.pfn);
    if (f.result === 0) {
      const { subBlockSize } = k.virtioMem[f.get(v.device)]!.layout;
      markOffline(k, pfn, f.get(v.pages), subBlockSize / k.geometry.pageSize);
      k.zones.managed[zoneOf(k, pfn)]! -= f.get(v.pages);
      return f.returns(0);
    }
    if (f.result === ERRNO.ENOMEM) return f.returns(ERRNO.ENOMEM);
    f.set(v.tries, f.get(v.tries) + 1);
    if (!isMovable(k, pfn) || f.get(v.tries) === TRIES) return f.returns(ERRNO.EBUSY);
    return at.try;
  },
});

const online = KERNEL_PROCEDURES.declare("virtio_mem_fake_online", {
  args: ["pfn", "pages"],
  locals: ["at", "order"],
  steps: ["enter", "chunk", "fresh", "accepted"],
});

/**
 * Gives pages back to the allocator: (pfn, pages), in chunks of the largest order to which both are aligned.
 *
 * Pages that were never onlined enter as fresh memory, after the design's virtioOnline hook, so a whole chunk of
 * them may wait unaccepted. Pages
 * that fakeOffline took go straight to the buddy lists, after the design's fakeOnlineContiguous hook: there is
 * no other look at whether they are accepted. Where the hook answers with an error they stay out of use for good. Returns 0.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_fake_online; hook: RFCv2 patch 6
 */
export const fakeOnline = online.define({
  enter: (k, f) => {
    const { v, at } = online;
    let order = k.geometry.maxOrder;
    while (f.get(v.pfn) % (1 << order) !== 0 || f.get(v.pages) % (1 << order) !== 0) order--;
    f.set(v.order, order);
    f.set(v.at, f.get(v.pfn));
    return at.chunk;
  },
  chunk: (k, f) => {
    const { v, at } = online;
    const pfn = f.get(v.at);
    const order = f.get(v.order);
    if (pfn >= f.get(v.pfn) + f.get(v.pages)) return f.returns(0);
    const { pageSize } = k.geometry;
    if (k.mm.useAt(pfn) === USE.OFFLINE) {
      f.set(v.at, pfn + (1 << order));
      return f.callIf(k.design.hooks.virtioOnline, at.fresh, pfn * pageSize, pageSize * (1 << order));
    }
    return f.callIf(
      k.design.hooks.fakeOnlineContiguous,
      at.accepted,
      pfn * pageSize,
      pageSize * (1 << order),
    );
  },
  fresh: (_k, f) => {
    const { v, at } = online;
    const order = f.get(v.order);
    if (f.result < 0) return at.chunk;
    return f.call(freePagesCore, at.chunk, f.get(v.at) - (1 << order), order, MEMINIT.HOTPLUG);
  },
  accepted: (k, f) => {
    const { v, at } = online;
    const pfn = f.get(v.at);
    const pages = 1 << f.get(v.order);
    f.set(v.at, pfn + pages);
    if (f.result < 0) return at.chunk;
    freeContigRange(k, pfn, pages);
    k.zones.managed[zoneOf(k, pfn)]! += pages;
    return at.chunk;
  },
});
