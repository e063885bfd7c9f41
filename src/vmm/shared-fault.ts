import { BLOCKED } from "../flat/procedure.ts";
import { PAGE_SIZE } from "../units.ts";
import { convert } from "./convert.ts";
import { IMPLICIT_CONVERSION_EVENT, VM_END } from "./events.ts";
import { NO_AREA } from "./memory-map.ts";
import { DEAD, DONE, REFUSED, UNRESOLVED, VMM_PROCEDURES } from "./procedures.ts";
import type { Vmm } from "./vmm.ts";

/** What a guest frame is to the host's own page tables of the guest. */
export type SharedFrame = "mapped" | "shared, not backed" | "private" | "nothing there";

export const isShared = (frame: SharedFrame): boolean => frame === "mapped" || frame === "shared, not backed";

/** What an access through a shared mapping meets at a guest frame. Changes nothing. */
export const sharedFrame = (k: Vmm, frame: number): SharedFrame => {
  const area = k.map.find(frame);
  if (area === NO_AREA || !k.hasSlot(area, frame)) return "nothing there";
  const piece = k.pieceOf(area);
  const page = frame - k.map.start(area);
  if (piece.isPrivate.has(page)) return "private";
  return piece.shared.has(page) ? "mapped" : "shared, not backed";
};

const s = VMM_PROCEDURES.declare("fault in a shared page", {
  args: ["vcpu", "frame"],
  locals: [],
  steps: ["map", "converted"],
});

/**
 * Backs one page that the guest touches through a shared mapping. A private page is converted first where the
 * policy converts implicitly. Where no memory lies, a TD gets a #VE from hardware, so there is nothing to do here.
 *
 * Returns DONE, UNRESOLVED, or DEAD.
 *
 * @source KVM, shared EPT violations; QEMU accel/kvm/kvm-all.c
 * @missing MMIO
 */
export const faultInShared = s.define({
  map: (k, f) => {
    const [vcpu, frame] = [f.get(s.v.vcpu), f.get(s.v.frame)];
    const dies = (reason: number): number => {
      k.life.kill(reason, vcpu, frame, 0);
      return f.returns(DEAD);
    };
    const area = k.map.find(frame);
    if (area === NO_AREA || !k.hasSlot(area, frame)) return f.returns(UNRESOLVED);
    if (k.policy.unplugged !== "allocate" && !k.pluggedFrame(frame)) {
      return k.policy.unplugged === "spin" ? f.returns(UNRESOLVED) : dies(VM_END.UNPLUGGED_BLOCK);
    }
    if (k.zaps.covers(frame)) return BLOCKED;
    const piece = k.pieceOf(area);
    const page = frame - k.map.start(area);
    if (piece.isPrivate.has(page)) {
      if (k.policy.implicitConversion === "kill") return dies(VM_END.WRONG_POLARITY);
      if (k.policy.implicitConversion === "spin") return f.returns(UNRESOLVED);
      k.sink?.emit(IMPLICIT_CONVERSION_EVENT, vcpu, frame * PAGE_SIZE, 0, 0, 0);
      return f.call(convert, s.at.converted, vcpu, frame, frame + 1, 0);
    }
    if (piece.shared.has(page)) return f.returns(DONE);
    if (!k.use.hasSharedRoom(1)) return dies(VM_END.HOST_OUT_OF_MEMORY);
    piece.shared.add(page);
    k.use.account(0, 1);
    return f.returns(DONE);
  },
  converted: (_k, f) => {
    if (f.result === DONE) return s.at.map;
    return f.returns(f.result === REFUSED ? UNRESOLVED : f.result);
  },
});
