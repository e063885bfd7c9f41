import { isDone } from "../../linux/coco/platform.ts";
import { CONFIG_PAGE_RELEASE } from "../../linux/coco/tdx-accept.ts";
import { KERNEL_PROCEDURES, panic } from "../../linux/kernel.ts";

const TO_SHARED = 0;
const TO_PRIVATE = 1;

const { v, at, define } = KERNEL_PROCEDURES.declare("tide_give_back", {
  args: ["start", "end"],
  locals: ["failed", "reached"],
  steps: ["enter", "released", "shared", "private", "restore", "accepted"],
});

/**
 * Gives accepted memory back: (start, end) in bytes. Nobody uses it, and it is not in the direct map.
 *
 * On SEV-SNP that is to rescind it. With PAGE_RELEASE it is a release. Without, the memory is converted to shared, for which the VMM has to remove the
 * private pages, and back to private: two calls to the VMM for a range of any length, and whatever the VMM does at
 * the unplug, what comes back with the next plug is not accepted.
 *
 * Returns 1 when none of it is accepted any more; 0 when all of it still is, or is again.
 */
export const giveBack = define({
  enter: (k, f) => {
    const start = f.get(v.start);
    const end = f.get(v.end);
    const { rescind } = k.platform;
    if (rescind !== undefined) return f.call(rescind, at.released, start, end);
    if ((k.cpus.configFlags & CONFIG_PAGE_RELEASE) !== 0)
      return f.call(k.platform.release, at.released, start, end);
    return f.call(k.platform.convert, at.shared, start, end, TO_SHARED);
  },
  released: (_k, f) => f.returns(isDone(f.result) ? 1 : 0),
  shared: (k, f) => {
    const reached = f.result;
    if (reached !== f.get(v.end)) f.set(v.failed, 1);
    // What the VMM says it left alone need not come back.
    if (reached === f.get(v.start)) return at.restore;
    f.set(v.reached, reached);
    return f.call(k.platform.convert, at.private, f.get(v.start), reached, TO_PRIVATE);
  },
  private: (k, f) => {
    // It is not accepted either way; if it comes back shared, an accept converts it implicitly.
    if (f.result !== f.get(v.reached)) k.printk("tide: the VMM keeps memory shared that shall be private");
    return f.get(v.failed) === 0 ? f.returns(1) : at.restore;
  },
  // Some pages may be gone, and nobody knows which.
  restore: (k, f) => f.call(k.platform.acceptMissing, at.accepted, f.get(v.start), f.get(v.end)),
  accepted: (k, f) => (isDone(f.result) ? f.returns(0) : panic(k, k.platform.acceptPanic)),
});
