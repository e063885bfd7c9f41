import type { Frame, Next } from "../flat/procedure.ts";
import { PAGE_SIZE } from "../units.ts";
import { DISCARD_EVENT, VM_END } from "./events.ts";
import { DEAD, DONE, REFUSED, VMM_PROCEDURES } from "./procedures.ts";
import type { Vmm } from "./vmm.ts";
import { FREE_BACKING, zap } from "./zap.ts";

const d = VMM_PROCEDURES.declare("give both planes back", {
  args: ["area", "from", "to"],
  locals: ["before"],
  steps: ["private", "shared"],
});

/**
 * Punches pages [from, to) of an area's piece out of guest_memfd and out of shared memory. The attribute stays.
 * Returns DONE; REFUSED if the guest holds a page; DEAD.
 */
export const discardBoth = d.define({
  private: (k, f) => {
    f.set(d.v.before, k.pieceOf(f.get(d.v.area)).backed.count);
    return f.call(zap, d.at.shared, f.get(d.v.area), f.get(d.v.from), f.get(d.v.to), FREE_BACKING);
  },
  shared: (k, f) => {
    if (f.result !== DONE) return f.returns(f.result);
    const freed = f.get(d.v.before) - k.pieceOf(f.get(d.v.area)).backed.count;
    return dropShared(k, f, freed, f.get(d.v.area), f.get(d.v.from), f.get(d.v.to));
  },
});

const dropShared = (k: Vmm, f: Frame<Vmm>, freed: number, area: number, from: number, to: number): Next => {
  const shared = k.pieceOf(area).shared.removeRange(from, to);
  k.use.account(0, -shared);
  const start = (k.map.start(area) + from) * PAGE_SIZE;
  k.sink?.emit(DISCARD_EVENT, start, (to - from) * PAGE_SIZE, freed * PAGE_SIZE, shared * PAGE_SIZE, 0);
  return f.returns(DONE);
};

const u = VMM_PROCEDURES.declare("discard unplugged blocks", {
  args: ["area", "from", "to"],
  locals: [],
  steps: ["enter", "done"],
});

/** What UNPLUG gives back of pages [from, to), by policy. Returns as discardBoth. */
export const discard = u.define({
  enter: (k, f) => {
    const [area, from, to] = [f.get(u.v.area), f.get(u.v.from), f.get(u.v.to)];
    if (k.policy.discard === "none") return f.returns(DONE);
    if (k.policy.discard === "shared-only") return dropShared(k, f, 0, area, from, to);
    return f.call(discardBoth, u.at.done, area, from, to);
  },
  done: (_k, f) => f.returns(f.result),
});

const e = VMM_PROCEDURES.declare("unmap empty memslots", {
  args: ["device"],
  locals: ["slot"],
  steps: ["slot", "unmapped"],
});

/**
 * Removes what the secure EPT maps of dynamic memslots that hold no plugged block any more. KVM cannot refuse to
 * delete a memslot, so a page that the guest holds ends the VM (inference). Returns DONE or DEAD.
 */
export const unmapEmptySlots = e.define({
  slot: (k, f) => {
    const device = k.devices[f.get(e.v.device)]!;
    const slot = f.get(e.v.slot);
    const from = (slot * device.slotSize) / PAGE_SIZE;
    const pages = device.regionSize / PAGE_SIZE;
    if (from >= pages) return f.returns(DONE);
    f.set(e.v.slot, slot + 1);
    const to = Math.min(pages, from + device.slotSize / PAGE_SIZE);
    const area = k.areaOfDevice(f.get(e.v.device));
    if (!device.isSlotEmpty(slot) || k.pieceOf(area).mapped.next(from, to) === to) return e.at.slot;
    return f.call(zap, e.at.unmapped, area, from, to, 0);
  },
  unmapped: (k, f) => {
    if (f.result === REFUSED)
      k.life.kill(VM_END.PINNED, f.vcpu, k.map.start(k.areaOfDevice(f.get(e.v.device))), 0);
    return f.result === DONE ? e.at.slot : f.returns(DEAD);
  },
});
