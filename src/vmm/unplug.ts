import { PAGE_SIZE } from "../units.ts";
import { DISCARD_EVENT, VM_END } from "./events.ts";
import { DEAD, DONE, REFUSED, VMM_PROCEDURES } from "./procedures.ts";
import { FREE_PRIVATE, FREE_SHARED, zap } from "./zap.ts";

const u = VMM_PROCEDURES.declare("discard unplugged blocks", {
  args: ["from", "to"],
  locals: [],
  steps: ["enter", "done"],
});

/**
 * Gives back what UNPLUG gives back of guest frames [from, to), by policy. The attribute stays.
 *
 * Returns DONE; REFUSED if the guest holds a page; DEAD.
 *
 * @source QEMU system/physmem.c (ram_block_discard_range)
 */
export const discard = u.define({
  enter: (k, f) => {
    const [from, to] = [f.get(u.v.from), f.get(u.v.to)];
    if (k.policy.discard === "none") return f.returns(DONE);
    if (k.policy.discard !== "shared-only")
      return f.call(zap, u.at.done, from, to, FREE_PRIVATE | FREE_SHARED);
    const area = k.map.find(from);
    const start = k.map.start(area);
    const shared = k.freeShared(area, from - start, to - start);
    k.sink?.emit(DISCARD_EVENT, from * PAGE_SIZE, (to - from) * PAGE_SIZE, 0, shared * PAGE_SIZE, 0);
    return f.returns(DONE);
  },
  done: (_k, f) => f.returns(f.result),
});

const e = VMM_PROCEDURES.declare("unmap empty memslots", {
  args: ["device"],
  locals: ["slot"],
  steps: ["slot", "unmapped"],
});

/**
 * Removes what the secure EPT maps of dynamic memslots that hold no plugged block any more; the backing stays. KVM
 * cannot refuse to delete a memslot, so a page that the guest holds ends the VM (inference). Returns DONE or DEAD.
 */
export const unmapEmptySlots = e.define({
  slot: (k, f) => {
    const device = k.devices[f.get(e.v.device)]!;
    const slot = f.get(e.v.slot);
    const area = k.areaOfDevice(f.get(e.v.device));
    const from = (slot * device.slotSize) / PAGE_SIZE;
    const pages = device.regionSize / PAGE_SIZE;
    if (from >= pages) return f.returns(DONE);
    f.set(e.v.slot, slot + 1);
    const to = Math.min(pages, from + device.slotSize / PAGE_SIZE);
    if (!device.isSlotEmpty(slot) || k.pieceOf(area).mapped.next(from, to) === to) return e.at.slot;
    return f.call(zap, e.at.unmapped, k.map.start(area) + from, k.map.start(area) + to, 0);
  },
  unmapped: (k, f) => {
    if (f.result === REFUSED)
      k.life.kill(VM_END.PINNED, f.vcpu, k.map.start(k.areaOfDevice(f.get(e.v.device))), 0);
    return f.result === DONE ? e.at.slot : f.returns(DEAD);
  },
});
