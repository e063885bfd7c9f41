import { findNextClear, findNextSet, getBit } from "../../flat/bitmap.ts";
import { isDone } from "../../linux/coco/platform.ts";
import { KERNEL_PROCEDURES, panic } from "../../linux/kernel.ts";
import type { UnacceptedTable } from "../../linux/unaccepted-table.ts";
import { setPlugged } from "../bitmaps/plugged-bits.ts";
import { unitsOf } from "./units.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("tide_adopt", {
  args: ["start", "size"],
  locals: ["next", "end"],
  steps: ["enter", "scan", "accepted"],
});

/** First unit from `from` on that is neither unaccepted nor plugged by its bits; `end` if there is none. */
const nextUnknown = ({ unaccepted, plugged }: UnacceptedTable, from: number, end: number): number => {
  for (let at = from; ; ) {
    at = findNextClear(unaccepted, end, at);
    if (at >= end || !getBit(plugged!, at)) return at;
    at = findNextClear(plugged!, end, at);
  }
};

/**
 * Sets the plugged bits of [start, start + size) bytes, which the VMM has promised. Returns 0.
 *
 * Units that are neither unaccepted nor plugged by their bits may be anything: an earlier DIMM could not be given back
 * there, or the SRAT does not speak of them. What of them is not accepted is accepted now, so that their bits are true.
 */
export const adopt = define({
  enter: (k, f) => {
    const [first, end] = unitsOf(k.table!, f.get(v.start), f.get(v.size));
    f.set(v.next, first);
    f.set(v.end, end);
    return at.scan;
  },
  scan: (k, f) => {
    const { unaccepted, plugged, physBase, unitSize } = k.table!;
    const end = f.get(v.end);
    const first = nextUnknown(k.table!, f.get(v.next), end);
    if (first >= end) return f.returns(setPlugged(k, f.get(v.start), f.get(v.size), true));
    const stop = Math.min(findNextSet(unaccepted, end, first), findNextSet(plugged!, end, first));
    f.set(v.next, stop);
    return f.call(
      k.platform.acceptMissing,
      at.accepted,
      physBase + first * unitSize,
      physBase + stop * unitSize,
    );
  },
  accepted: (k, f) => (isDone(f.result) ? at.scan : panic(k, k.platform.acceptPanic)),
});
