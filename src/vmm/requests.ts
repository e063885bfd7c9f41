import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE } from "../abi/virtio-mem/response.ts";
import { BLOCKED, type Frame, type Next } from "../flat/procedure.ts";
import { PAGE_SIZE } from "../units.ts";
import { SIZE_CHANGE_EVENT, VIRTIO_MEM_EVENT, VM_END } from "./events.ts";
import { prefault } from "./prefault.ts";
import { DEAD, DONE, VMM_PROCEDURES } from "./procedures.ts";
import { discard, unmapEmptySlots } from "./unplug.ts";
import { PROCEED } from "./virtio-mem-device.ts";
import type { Vmm } from "./vmm.ts";

const { PLUG, UNPLUG_ALL } = VIRTIO_MEM_REQUEST;
const { ACK } = VIRTIO_MEM_RESPONSE;

const r = VMM_PROCEDURES.declare("answer a virtio-mem request", {
  args: ["device"],
  locals: ["type", "from", "pages", "answer"],
  steps: ["take", "discarded", "commit", "settled"],
});

/**
 * Answers the request that waits in a device's mailbox: checks, gives memory back (UNPLUG), changes the blocks,
 * unmaps memslots that became empty, maps ahead where the policy says so (PLUG), and writes the response.
 *
 * Waits (BLOCKED) until a request is posted. Returns DONE, or DEAD when the VM ended.
 *
 * @source QEMU hw/virtio/virtio-mem.c
 */
export const handleRequest = r.define({
  take: (k, f) => {
    if (k.life.ended !== VM_END.NONE) return f.returns(DEAD);
    const device = k.devices[f.get(r.v.device)]!;
    const mailbox = k.mailboxes[f.get(r.v.device)]!;
    if (!mailbox.isPosted) return BLOCKED;
    mailbox.take();
    const type = mailbox.type;
    const all = type === UNPLUG_ALL;
    const answer = device.check(type, mailbox.requestAddr, mailbox.blocks);
    if (answer !== PROCEED) return respond(k, f, answer);
    f.set(r.v.type, type);
    f.set(r.v.from, all ? 0 : (mailbox.requestAddr - device.addr) / PAGE_SIZE);
    f.set(r.v.pages, (all ? device.regionSize : mailbox.blocks * device.blockSize) / PAGE_SIZE);
    if (type === PLUG) return prepare(k, f);
    if (all && device.pluggedSize === 0) return r.at.commit;
    const start = k.map.start(k.areaOfDevice(f.get(r.v.device))) + f.get(r.v.from);
    return f.call(discard, r.at.discarded, start, start + f.get(r.v.pages));
  },
  discarded: (k, f) => {
    if (f.result === DEAD) return f.returns(DEAD);
    return f.result === DONE ? r.at.commit : respond(k, f, k.devices[f.get(r.v.device)]!.later);
  },
  commit: (k, f) => {
    const index = f.get(r.v.device);
    const device = k.devices[index]!;
    const before = device.pluggedSize;
    device.commit(f.get(r.v.type), device.addr + f.get(r.v.from) * PAGE_SIZE, blocksOf(k, f));
    const start = k.map.start(k.areaOfDevice(index)) + f.get(r.v.from);
    if (device.pluggedSize !== before) {
      k.noteChanged(start, start + f.get(r.v.pages));
      k.sink?.emit(SIZE_CHANGE_EVENT, index, device.pluggedSize, 0, 0, 0);
    }
    if (f.get(r.v.type) !== PLUG)
      return f.callIf(device.dynamicMemslots ? unmapEmptySlots : undefined, r.at.settled, index);
    const ahead = k.policy.aug === "ahead" ? prefault : undefined;
    return f.callIf(ahead, r.at.settled, f.vcpu, start, start + f.get(r.v.pages));
  },
  settled: (k, f) => (f.result === DEAD ? f.returns(DEAD) : respond(k, f, ACK)),
});

const blocksOf = (k: Vmm, f: Frame<Vmm>): number =>
  (f.get(r.v.pages) * PAGE_SIZE) / k.devices[f.get(r.v.device)]!.blockSize;

/** What PLUG does before the blocks count as plugged: populate shared memory, make memslots. */
const prepare = (k: Vmm, f: Frame<Vmm>): Next => {
  const device = k.devices[f.get(r.v.device)]!;
  const area = k.areaOfDevice(f.get(r.v.device));
  const [from, to] = [f.get(r.v.from), f.get(r.v.from) + f.get(r.v.pages)];
  if (device.prealloc) {
    if (!k.use.hasSharedRoom(to - from)) return respond(k, f, device.later);
    k.use.account(0, k.pieceOf(area).shared.addRange(from, to));
  }
  const slotPages = device.slotSize / PAGE_SIZE;
  for (let slot = Math.floor(from / slotPages); device.dynamicMemslots && slot * slotPages < to; slot++) {
    const end = Math.min(device.regionSize / PAGE_SIZE, (slot + 1) * slotPages);
    if (device.isSlotEmpty(slot)) k.setAttribute(area, slot * slotPages, end, k.startsPrivate);
  }
  return r.at.commit;
};

const respond = (k: Vmm, f: Frame<Vmm>, answer: number): Next => {
  const index = f.get(r.v.device);
  const mailbox = k.mailboxes[index]!;
  k.sink?.emit(VIRTIO_MEM_EVENT, index, mailbox.type, mailbox.requestAddr, mailbox.blocks, answer);
  mailbox.answer(answer);
  return f.returns(DONE);
};
