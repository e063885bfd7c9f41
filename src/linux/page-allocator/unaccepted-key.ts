import { faultAt } from "../fault-points.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";

/**
 * zones_with_unaccepted_pages, the static key that counted zones with unaccepted memory up to 6.14 and 6.12.29. Allocations
 * accepted nothing while it was 0. It was changed after zone->lock was released, so that two changes may come about in the
 * other order than the changes of the list that they stand for.
 *
 * @source Linux mm/page_alloc.c before fefc07518227; kernel/jump_label.c from 6.11 on
 * @missing the time while code is patched for a key, when some sites have it on and its count is -1; the work item that took
 *   the decrement over shortly before the fix
 */
export const hasUnacceptedMemory = (k: Kernel): boolean =>
  !k.variant.countsZonesByKey || k.zones.unacceptedKey > 0;

/** What a design counts that takes chunks off their list as they are: no kernel with that key did, so no race of it is known. */
export const countAtOnce = (k: Kernel, zones: number): void => {
  if (k.variant.countsZonesByKey) k.zones.unacceptedKey += zones;
};

const inc = KERNEL_PROCEDURES.declare("static_branch_inc", {
  args: [],
  locals: [],
  steps: ["wait", "count"],
});

/** Counts a zone whose list has got its first chunk. It waits for others that patch code: that is what can be late. Returns 0. */
export const staticBranchInc = inc.define({
  wait: (k) => {
    faultAt(k, "static_branch_inc");
    return inc.at.count;
  },
  count: (k, f) => {
    k.zones.unacceptedKey += 1;
    return f.returns(0);
  },
});

const dec = KERNEL_PROCEDURES.declare("static_branch_dec", {
  args: [],
  locals: [],
  steps: ["wait", "count"],
});

/** Counts a zone no longer whose list was left empty. A count of 0 stays, with a warning the first time. Returns 0. */
export const staticBranchDec = dec.define({
  wait: (k) => {
    faultAt(k, "static_branch_dec");
    return dec.at.count;
  },
  count: (k, f) => {
    const { zones } = k;
    if (zones.unacceptedKey > 0) zones.unacceptedKey -= 1;
    else if (!zones.warnedOfKey) {
      zones.warnedOfKey = true;
      k.printk("WARNING: kernel/jump_label.c: zones_with_unaccepted_pages is decremented and is 0");
    }
    return f.returns(0);
  },
});
