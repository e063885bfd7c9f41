import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { orderOf, USE, useOf } from "../mem-map.ts";
import { allocPages, freePages, putOnLru } from "./alloc.ts";
import { headOf } from "./free-lists.ts";
import { GFP } from "./gfp.ts";
import { zoneNode, zoneOfIndex } from "./zones.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("migrate_range", {
  args: ["startPfn", "n"],
  locals: ["pfn", "order", "owner"],
  steps: ["enter", "scan", "move"],
});

/** Whether the block that the frame remembers is still there, allocated, movable and whole. */
const isStill = (k: Kernel, pfn: number, order: number): boolean => {
  const index = k.mm.indexOf(pfn);
  return k.mm.use[index] === (USE.MOVABLE | order) && headOf(k, index) === index;
};

/**
 * Moves every movable allocation of the range elsewhere, its owner kept: (startPfn, n). The range is isolated,
 * so no new page comes from it. Returns 0; -EBUSY at an allocation that cannot move; -ENOMEM when no memory
 * was left for one, those before it having moved.
 *
 * @source Linux mm/memory_hotplug.c, do_migrate_range; mm/migrate.c
 * @missing the copying itself (no access is made), pages pinned for a while, huge pages of hugetlb
 */
export const migrateRange = define({
  enter: (_k, f) => {
    f.set(v.pfn, f.get(v.startPfn));
    return at.scan;
  },
  scan: (k, f) => {
    const end = f.get(v.startPfn) + f.get(v.n);
    let pfn = f.get(v.pfn);
    while (pfn < end) {
      const index = k.mm.indexOf(pfn);
      const use = useOf(k.mm.use[index]!);
      if (use === USE.ALLOCATED) return f.returns(ERRNO.EBUSY);
      const head = headOf(k, index);
      const order = orderOf(k.mm.use[index]!);
      if (use === USE.MOVABLE) {
        f.set(v.pfn, pfn - (index - head));
        f.set(v.order, order);
        f.set(v.owner, k.mm.owners.of(head));
        const node = zoneNode(zoneOfIndex(k, head));
        // The new block is nobody's before it is moved to: whoever frees the old one meanwhile must not find both.
        return f.call(allocPages, at.move, order, GFP.MOVABLE | GFP.NOT_ON_LRU, node, 0);
      }
      pfn += head + (1 << order) - index;
    }
    return f.returns(0);
  },
  move: (k, f) => {
    const pfn = f.get(v.pfn);
    const order = f.get(v.order);
    if (f.result < 0) return f.returns(ERRNO.ENOMEM);
    // The old block may have been freed while memory for the new one was accepted.
    if (!isStill(k, pfn, order)) freePages(k, f.result, order);
    else {
      const index = k.mm.indexOf(f.result);
      k.mm.owners.set(index, index + (1 << order), f.get(v.owner));
      putOnLru(k, f.result, order);
      freePages(k, pfn, order);
    }
    return at.scan;
  },
});
