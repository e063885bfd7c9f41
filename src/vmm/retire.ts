import { status, withoutDetails } from "../abi/tdx/status.ts";
import { AGAIN, BLOCKED } from "../flat/procedure.ts";
import { VM_END } from "./events.ts";
import { DEAD, DONE, VMM_PROCEDURES } from "./procedures.ts";
import { isBusy } from "./seam.ts";

const EPOCH_BUSY = status("PREVIOUS_TLB_EPOCH_BUSY");

const r = VMM_PROCEDURES.declare("retire translations", {
  args: [],
  locals: [],
  steps: ["track", "kick", "wait", "retry"],
});

/**
 * Sees to it that no vCPU holds a translation older than the last BLOCK: TDH.MEM.TRACK, then every vCPU that runs
 * guest code leaves it once. While an older epoch is still in use the kick comes first and TRACK again.
 *
 * Returns DONE or DEAD.
 *
 * @source TDX module ABI, TLB tracking; KVM tdx_track
 */
export const retire = r.define({
  track: (k, f) => {
    const result = k.seam.track();
    if (result === 0) return r.at.kick;
    if (withoutDetails(result) === EPOCH_BUSY) {
      k.kickAll();
      return r.at.retry;
    }
    if (isBusy(result)) return AGAIN;
    k.life.kill(VM_END.MODULE_REFUSED, f.vcpu, 0, result);
    return f.returns(DEAD);
  },
  kick: (k, f) => {
    k.kickAll();
    return k.kicking ? r.at.wait : f.returns(DONE);
  },
  wait: (k, f) => (k.kicking ? BLOCKED : f.returns(DONE)),
  retry: (k) => (k.kicking ? BLOCKED : r.at.track),
});
