import { faultIn } from "./faults.ts";
import { WANTS_2M } from "./map-page.ts";
import { NO_AREA } from "./memory-map.ts";
import { DONE, VMM_PROCEDURES } from "./procedures.ts";

const p = VMM_PROCEDURES.declare("map memory ahead", {
  args: ["vcpu", "from", "to"],
  locals: [],
  steps: ["page", "mapped"],
});

/**
 * Backs and maps the private pages among guest frames [from, to) before the guest asks for them, in the policy's
 * size. Frames without memory and shared pages are passed over. Returns DONE, or DEAD.
 *
 * @source KVM_PRE_FAULT_MEMORY
 */
export const prefault = p.define({
  page: (k, f) => {
    const to = f.get(p.v.to);
    const from = k.map.nextCovered(f.get(p.v.from));
    if (from >= to) return f.returns(DONE);
    const area = k.map.find(from);
    if (area === NO_AREA) return f.returns(DONE);
    const start = k.map.start(area);
    const end = Math.min(to, k.map.end(area)) - start;
    const { isPrivate, mapped } = k.pieceOf(area);
    const page = mapped.nextMissing(isPrivate.next(from - start, end), end);
    f.set(p.v.from, start + page);
    if (page === end || !isPrivate.has(page)) return p.at.page;
    if (!k.hasSlot(area, start + page)) {
      f.set(p.v.from, start + page + 1);
      return p.at.page;
    }
    const wish = k.policy.augSize === "2M" ? WANTS_2M : 0;
    return f.call(faultIn, p.at.mapped, f.get(p.v.vcpu), start + page, wish);
  },
  mapped: (_k, f) => (f.result === DONE ? p.at.page : f.returns(f.result)),
});
