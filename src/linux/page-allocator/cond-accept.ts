import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { GFP } from "./gfp.ts";
import { hasUnacceptedMemory } from "./unaccepted-key.ts";
import { acceptOneChunk } from "./unaccepted-list.ts";

/** Pages that an allocation of this order cannot count on, HIGHATOMIC and CMA pages being none here. */
export const unusableFree = (order: number): number => (1 << order) - 1;

/**
 * How many pages cond_accept_memory() would set out to accept now; 0 or less: none, Infinity: one chunk,
 * because the watermarks are not known yet. Tells without changing anything, so that the caller needs no
 * call when there is nothing to do.
 */
export const pagesToAccept = (k: Kernel, zone: number, order: number, flags: number): number => {
  const { zones } = k;
  if (!hasUnacceptedMemory(k)) return 0;
  if (zones.length[zones.unacceptedList(zone)] === 0) return 0;
  if (k.variant.noLockSkipsAccept && (flags & GFP.NO_LOCK) !== 0) return 0;
  const wmark = zones.promo[zone]!;
  if (wmark === 0 && k.variant.acceptsWithoutWatermarks) return Number.POSITIVE_INFINITY;
  return wmark - (zones.free[zone]! - unusableFree(order) - zones.unaccepted[zone]!);
};

const { v, at, define } = KERNEL_PROCEDURES.declare("cond_accept_memory", {
  args: ["zone", "order", "flags"],
  locals: ["left", "done"],
  steps: ["enter", "loop", "accepted"],
});

/**
 * Accepts chunks of the zone until its accepted free pages reach the promo watermark: the shortfall is
 * computed once, and each chunk taken lowers it by a chunk whatever others do meanwhile. While the
 * watermarks are 0 it accepts exactly one. Returns 1 if it accepted anything.
 *
 * @source Linux mm/page_alloc.c, cond_accept_memory
 */
export const condAcceptMemory = define({
  enter: (k, f) => {
    f.set(v.left, pagesToAccept(k, f.get(v.zone), f.get(v.order), f.get(v.flags)));
    return at.loop;
  },
  loop: (_k, f) =>
    f.get(v.left) > 0 ? f.call(acceptOneChunk, at.accepted, f.get(v.zone)) : f.returns(f.get(v.done)),
  accepted: (k, f) => {
    if (f.result === 0) return f.returns(f.get(v.done));
    f.set(v.done, 1);
    const left = f.get(v.left);
    f.set(v.left, left === Number.POSITIVE_INFINITY ? 0 : left - k.geometry.pagesPerChunk);
    return at.loop;
  },
});
