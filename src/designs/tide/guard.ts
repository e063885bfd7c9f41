import { KERNEL_PROCEDURES } from "../../linux/kernel.ts";
import { acceptMemory } from "../../linux/unaccepted-memory.ts";
import { needsGuard, unitsOf } from "./units.ts";

const one = KERNEL_PROCEDURES.declare("tide_accept_guard", {
  args: ["start", "size"],
  locals: [],
  steps: ["enter", "accepted"],
});

/**
 * Accepts the first unit of memory that is about to be mapped, if the unit below may be in use: it is that unit's guard. A unit
 * that is accepted later takes this one along by itself, for it is plugged. Returns 0.
 */
export const acceptGuard = one.define({
  enter: (k, f) => {
    const { table } = k;
    const start = f.get(one.v.start);
    if (table?.plugged === undefined) return f.returns(0);
    const [first, end] = unitsOf(table, start, f.get(one.v.size));
    if (first === end || !needsGuard(table, first)) return f.returns(0);
    // One page of it: the whole unit is accepted, and no guard of its own.
    return f.call(
      acceptMemory,
      one.at.accepted,
      table.physBase + first * table.unitSize,
      k.geometry.pageSize,
    );
  },
  accepted: (_k, f) => f.returns(0),
});
