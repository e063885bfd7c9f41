import { assert } from "../assert.ts";
import { AGAIN, type Frame, type Next } from "../flat/procedure.ts";
import { NotModelled } from "../not-modelled.ts";
import { roundUp } from "../units.ts";
import { faultAt } from "./fault-points.ts";
import { KERNEL_PROCEDURES, type Kernel } from "./kernel.ts";
import { ANY_NODE } from "./memblock.ts";
import { acceptMemory } from "./unaccepted-memory.ts";

/** Which of memblock's arrays. */
export const ARRAY = { MEMORY: 0, RESERVED: 1 } as const;

const double = KERNEL_PROCEDURES.declare("memblock_double_array", {
  args: ["array", "areaStart", "areaEnd"],
  locals: ["at", "end"],
  steps: ["enter", "copy"],
});

/**
 * Makes an array of regions twice as long once all memory is mapped: (ARRAY, area that is about to be reserved). It takes the
 * highest pages that are free, above the area if there are any, accepts them, and copies the old array there, which is the first
 * touch. What it gives back of an array before is left out.
 *
 * @source Linux mm/memblock.c, memblock_double_array; da8bf5daa5e5
 */
export const memblockDoubleArray = double.define({
  enter: (k, f) => {
    const { v, at: steps } = double;
    const { memblock } = k;
    const { pageSize } = k.geometry;
    const regions = f.get(v.array) === ARRAY.MEMORY ? memblock.memory : memblock.reserved;
    const bytes = roundUp(2 * regions.arrayBytes, pageSize);
    const found = memblock.findTopDown(bytes, pageSize, Number.POSITIVE_INFINITY, ANY_NODE);
    const isFree = found >= f.get(v.areaEnd) || found + bytes <= f.get(v.areaStart);
    const address = isFree ? found : memblock.findTopDown(bytes, pageSize, f.get(v.areaStart), ANY_NODE);
    if (address < 0) throw new NotModelled("memblock without memory for its own array");
    f.set(v.at, address);
    f.set(v.end, address + bytes);
    regions.double();
    memblock.reserve(address, address + bytes);
    return k.variant.acceptsDoubledArray ? f.call(acceptMemory, steps.copy, address, bytes) : steps.copy;
  },
  copy: (k, f) => {
    const { v, at: steps } = double;
    const done = k.hw.access(f.vcpu, f.get(v.at), f.get(v.end) - f.get(v.at), true, false);
    if (done < 0) return AGAIN;
    f.set(v.at, f.get(v.at) + done);
    return f.get(v.at) < f.get(v.end) ? steps.copy : f.returns(0);
  },
});

const { v, at, define } = KERNEL_PROCEDURES.declare("memblock_alloc_range_nid", {
  args: ["size", "align", "limit", "node"],
  locals: ["address"],
  steps: ["enter", "reserve", "accepted"],
});

/** The range that was found is taken, and accepted. */
const reserveFound = (k: Kernel, f: Frame<Kernel>): Next => {
  const address = f.get(v.address);
  k.memblock.reserve(address, address + f.get(v.size));
  return f.call(acceptMemory, at.accepted, address, f.get(v.size));
};

/**
 * Allocates from the top down: (size, align, limit, node) in bytes; limit 0: none, node -1: any. A node
 * without room falls back to any other. The memory is accepted before the address is returned.
 * Returns the address, or -1.
 *
 * @source Linux mm/memblock.c, memblock_alloc_range_nid
 */
export const memblockAlloc = define({
  enter: (k, f) => {
    const size = f.get(v.size);
    const align = f.get(v.align);
    const limit = f.get(v.limit) === 0 ? Number.POSITIVE_INFINITY : f.get(v.limit);
    const node = f.get(v.node);
    assert(size > 0 && align > 0, "a memblock allocation has a size and an alignment");
    if (faultAt(k, "memblock_alloc") !== 0) return f.returns(-1);
    let address = k.memblock.findTopDown(size, align, limit, node);
    if (address < 0 && node !== ANY_NODE) address = k.memblock.findTopDown(size, align, limit, ANY_NODE);
    if (address < 0) return f.returns(-1);
    f.set(v.address, address);
    if (k.memblock.reserved.hasRoom(1)) return reserveFound(k, f);
    return f.call(memblockDoubleArray, at.reserve, ARRAY.RESERVED, address, address + size);
  },
  reserve: reserveFound,
  accepted: (_k, f) => f.returns(f.get(v.address)),
});
