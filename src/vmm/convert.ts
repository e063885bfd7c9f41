import { NO_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import { prefault } from "./prefault.ts";
import { DONE, REFUSED, VMM_PROCEDURES } from "./procedures.ts";
import { FREE_PRIVATE, MAKE_SHARED, zap } from "./zap.ts";

const c = VMM_PROCEDURES.declare("convert memory", {
  args: ["vcpu", "from", "to", "toPrivate"],
  locals: ["next"],
  steps: ["unit", "converted"],
});

/**
 * Converts guest frames [from, to) to private or shared, a unit of 2 MiB at most in one go: the attribute, and
 * the backing of the plane that is given up. Where no memory lies, shared is granted and private is not.
 *
 * Returns DONE; REFUSED where no memory lies or the guest holds a page (what was converted before stays so); DEAD.
 *
 * @source QEMU accel/kvm/kvm-all.c (kvm_convert_memory)
 */
export const convert = c.define({
  unit: (k, f) => {
    const [from, to] = [f.get(c.v.from), f.get(c.v.to)];
    if (from >= to) return f.returns(DONE);
    const toPrivate = f.get(c.v.toPrivate) !== 0;
    const area = k.map.find(from);
    const unitEnd = Math.min(to, (Math.floor(from / UNIT_PAGES) + 1) * UNIT_PAGES);
    if (area === NO_AREA || !k.hasSlot(area, from)) {
      if (toPrivate) return f.returns(REFUSED);
      f.set(c.v.from, Math.min(unitEnd, Math.max(from + 1, k.map.nextCovered(from))));
      return c.at.unit;
    }
    const next = Math.min(unitEnd, k.map.end(area));
    f.set(c.v.next, next);
    if (!toPrivate) return f.call(zap, c.at.converted, from, next, FREE_PRIVATE | MAKE_SHARED);
    const start = k.map.start(area);
    k.makePrivate(area, from - start, next - start);
    const ahead = k.policy.aug === "ahead" ? prefault : undefined;
    return f.callIf(ahead, c.at.converted, f.get(c.v.vcpu), from, next);
  },
  converted: (_k, f) => {
    if (f.result !== DONE) return f.returns(f.result);
    f.set(c.v.from, f.get(c.v.next));
    return c.at.unit;
  },
});
