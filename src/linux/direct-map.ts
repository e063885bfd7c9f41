import { KERNEL_PROCEDURES } from "./kernel.ts";

/** A procedure that takes whole units out of the direct map, or puts them back. */
const setDirectMap = (name: string, hidden: boolean) => {
  const { v, define } = KERNEL_PROCEDURES.declare(name, {
    args: ["start", "size"],
    locals: [],
    steps: ["enter"],
  });
  return define({
    enter: (k, f) => {
      const { pageSize } = k.geometry;
      k.mm.setHidden(f.get(v.start) / pageSize, f.get(v.size) / pageSize, hidden);
      return f.returns(0);
    },
  });
};

/**
 * Takes [start, start + size) bytes out of the direct map: a stray read faults and is fixed up instead of reaching
 * memory that must not be touched. Memory that is not in Linux is left alone. Returns 0.
 *
 * @source Linux arch/x86/mm/pat/set_memory.c, set_direct_map_invalid_noflush
 * @missing the page tables it splits, and the TLB flush that follows it
 */
export const hideFromDirectMap = setDirectMap("set_direct_map_invalid", true);
/** The inverse: set_direct_map_default_noflush. */
export const showInDirectMap = setDirectMap("set_direct_map_default", false);
