import type { Frame, Next } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { USE } from "../mem-map.ts";
import { acceptMemory, rangeContainsUnacceptedMemory } from "../unaccepted-memory.ts";
import { freeBlock } from "./free-lists.ts";
import { staticBranchInc } from "./unaccepted-key.ts";
import { listUnaccepted } from "./unaccepted-list.ts";
import { zoneOfIndex } from "./zones.ts";

/** Who hands pages to the allocator for the first time. */
export const MEMINIT = { EARLY: 0, HOTPLUG: 1 } as const;

const { v, at, define } = KERNEL_PROCEDURES.declare("__free_pages_core", {
  args: ["pfn", "order", "context"],
  locals: ["index"],
  steps: ["enter", "check", "accepted", "counted"],
});

/**
 * A whole chunk that may hold unaccepted memory waits on the list in lazy mode; anything else is accepted
 * now. The contains-check looks one unit past the chunk, so an accepted chunk below an unaccepted unit waits too.
 */
const enterAllocator = (k: Kernel, f: Frame<Kernel>): Next => {
  const order = f.get(v.order);
  const { pageSize, maxOrder } = k.geometry;
  const start = f.get(v.pfn) * pageSize;
  const size = pageSize * (1 << order);
  if (!rangeContainsUnacceptedMemory(k, start, size)) {
    freeBlock(k, f.get(v.index), order, true);
    return f.returns(0);
  }
  if (order < maxOrder || k.options.accept === "eager") return f.call(acceptMemory, at.accepted, start, size);
  const first = listUnaccepted(k, f.get(v.index));
  return first && k.variant.countsZonesByKey ? f.call(staticBranchInc, at.counted) : f.returns(0);
};

/**
 * Every page that becomes free for the first time enters the allocator here: pfn, order, context (MEMINIT).
 *
 * The pages' state is reset and they count as managed; then a chunk that contains unaccepted memory is
 * listed or accepted; then the pages are freed to the tail of the buddy lists. The design's onlineChunk hook
 * runs before the contains-check when the pages come from onlining. Returns 0.
 *
 * @source Linux mm/page_alloc.c, __free_pages_core
 */
export const freePagesCore = define({
  enter: (k, f) => {
    const order = f.get(v.order);
    const index = k.mm.indexOf(f.get(v.pfn));
    f.set(v.index, index);
    k.zones.managed[zoneOfIndex(k, index)]! += 1 << order;
    const hook = f.get(v.context) === MEMINIT.HOTPLUG ? k.design.hooks.onlineChunk : undefined;
    k.mm.setBlock(index, order, USE.IN_TRANSIT);
    if (hook === undefined) return enterAllocator(k, f);
    const { pageSize } = k.geometry;
    return f.call(hook, at.check, f.get(v.pfn) * pageSize, pageSize * (1 << order));
  },
  check: (k, f) => enterAllocator(k, f),
  accepted: (k, f) => {
    freeBlock(k, f.get(v.index), f.get(v.order), true);
    return f.returns(0);
  },
  counted: (_k, f) => f.returns(0),
});
