import { BLOCKED, type Frame, type Next } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK } from "../memory-block.ts";
import { ZONE, zoneType } from "../page-allocator/zones.ts";
import { addBlock, offlineAndRemoveBlock } from "./add-block.ts";
import { type VirtioMemDriver, VM } from "./driver.ts";
import { fakeOffline, fakeOnline } from "./fake-offline.ts";
import { dropMutex, takeMutex } from "./mutex.ts";
import { plugSubBlocks, unplugSubBlocks } from "./request.ts";
import { BBM } from "./states.ts";

const plug = KERNEL_PROCEDURES.declare("virtio_mem_bbm_plug_request", {
  args: ["device", "diff"],
  locals: ["left", "block", "error"],
  steps: ["enter", "next", "plugged", "added", "undone"],
});

/**
 * Plugs and adds whole big blocks worth `diff` bytes: (device, diff), used ones before new ones.
 * Returns 0, -ENOSPC, or the error of a request or of add_memory().
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_bbm_plug_request
 */
export const bbmPlug = plug.define({
  enter: (k, f) => {
    const { v, at } = plug;
    const { layout } = k.virtioMem[f.get(v.device)]!;
    f.set(v.left, Math.floor(f.get(v.diff) / layout.blockSize));
    f.set(v.block, layout.firstBlock);
    return at.next;
  },
  next: (k, f) => {
    const { v, at } = plug;
    const vm = k.virtioMem[f.get(v.device)]!;
    if (f.get(v.left) === 0) return f.returns(0);
    if (!vm.couldAdd(vm.layout.blockSize)) return f.returns(ERRNO.ENOSPC);
    let block = vm.nextInState(BBM.UNUSED, f.get(v.block));
    if (block < 0) block = vm.prepareNextBlock();
    if (block < 0) return f.returns(ERRNO.ENOSPC);
    f.set(v.block, block);
    return f.call(plugSubBlocks, at.plugged, f.get(v.device), block, 0, 1);
  },
  plugged: (k, f) => {
    const { v, at } = plug;
    if (f.result !== 0) return f.returns(f.result);
    k.virtioMem[f.get(v.device)]!.bbmEvent(f.get(v.block), "plugged, to be added");
    return f.call(addBlock, at.added, f.get(v.device), f.get(v.block));
  },
  added: (_k, f) => {
    const { v, at } = plug;
    if (f.result === 0) {
      f.set(v.left, f.get(v.left) - 1);
      f.set(v.block, f.get(v.block) + 1);
      return at.next;
    }
    f.set(v.error, f.result);
    return f.call(unplugSubBlocks, at.undone, f.get(v.device), f.get(v.block), 0, 1);
  },
  undone: (k, f) => {
    const { v } = plug;
    const event = f.result === 0 ? "add failed, unplugged" : "add failed, not unplugged";
    k.virtioMem[f.get(v.device)]!.bbmEvent(f.get(v.block), event);
    return f.returns(f.get(v.error));
  },
});

/** Whether every Linux memory block of a big block passes. */
const every = (k: Kernel, vm: VirtioMemDriver, block: number, test: (row: number) => boolean): boolean => {
  const first = k.blocks.blockOf(vm.addressOf(block));
  for (let mb = first; mb < k.blocks.blockOf(vm.addressOf(block + 1)); mb++) {
    const row = k.blocks.rowOf(mb);
    if (row >= 0 && k.blocks.states[row] === BLOCK.ONLINE && !test(row)) return false;
  }
  return true;
};

const isOffline = (k: Kernel, vm: VirtioMemDriver, block: number): boolean =>
  every(k, vm, block, () => false);
const isMovable = (k: Kernel, vm: VirtioMemDriver, block: number): boolean =>
  every(k, vm, block, (row) => zoneType(k.blocks.zones[row]!) === ZONE.MOVABLE);

const one = KERNEL_PROCEDURES.declare("virtio_mem_bbm_offline_remove_and_unplug_bb", {
  args: ["device", "block"],
  locals: ["at", "end", "error"],
  steps: ["lock", "section", "taken", "removed", "unplugged", "relock", "rollback"],
});

/** First online section at or above `from` of a big block, in bytes; `end` if none. */
const nextOnlineSection = (k: Kernel, from: number, end: number): number => {
  let at = from;
  while (at < end && k.blocks.stateOf(k.blocks.blockOf(at)) !== BLOCK.ONLINE) at += k.geometry.sectionSize;
  return at;
};

const takeSection = (k: Kernel, f: Frame<Kernel>, address: number): Next => {
  const { v, at } = one;
  const { pageSize, pagesPerSection } = k.geometry;
  return f.call(fakeOffline, at.taken, f.get(v.device), address / pageSize, pagesPerSection);
};

/**
 * Takes one big block out: (device, block). From the moment it is FAKE_OFFLINE its pages stay out of use
 * whoever onlines them. Each online section is taken out of use, the block is removed from Linux, and then unplugged.
 * If pages are busy or the block stays, the pages go back and the block is ADDED again.
 *
 * Returns 0 or an error; after a failed request the block stays PLUGGED for a later run.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_bbm_offline_remove_and_unplug_bb
 */
const unplugOne = one.define({
  lock: (k, f) => {
    const { v, at } = one;
    const device = f.get(v.device);
    if (takeMutex(k, f, device, at.section) === BLOCKED) return BLOCKED;
    const vm = k.virtioMem[device]!;
    vm.bbmEvent(f.get(v.block), "unplug begins");
    f.set(v.at, vm.addressOf(f.get(v.block)));
    f.set(v.end, vm.addressOf(f.get(v.block) + 1));
    return at.section;
  },
  section: (k, f) => {
    const { v, at } = one;
    f.set(v.at, nextOnlineSection(k, f.get(v.at), f.get(v.end)));
    if (f.get(v.at) < f.get(v.end)) return takeSection(k, f, f.get(v.at));
    dropMutex(k, f, f.get(v.device));
    return f.call(offlineAndRemoveBlock, at.removed, f.get(v.device), f.get(v.block));
  },
  taken: (k, f) => {
    const { v, at } = one;
    if (f.result === 0) {
      f.set(v.at, f.get(v.at) + k.geometry.sectionSize);
      return at.section;
    }
    f.set(v.error, f.result);
    f.set(v.end, f.get(v.at));
    f.set(v.at, k.virtioMem[f.get(v.device)]!.addressOf(f.get(v.block)));
    return at.rollback;
  },
  removed: (k, f) => {
    const { v, at } = one;
    if (f.result === 0) return f.call(unplugSubBlocks, at.unplugged, f.get(v.device), f.get(v.block), 0, 1);
    f.set(v.error, f.result);
    f.set(v.at, k.virtioMem[f.get(v.device)]!.addressOf(f.get(v.block)));
    return at.relock;
  },
  unplugged: (k, f) => {
    const { v } = one;
    const event = f.result === 0 ? "unplugged" : "removed, not unplugged";
    k.virtioMem[f.get(v.device)]!.bbmEvent(f.get(v.block), event);
    return f.returns(f.result);
  },
  relock: (k, f) => takeMutex(k, f, f.get(one.v.device), one.at.rollback),
  rollback: (k, f) => {
    const { v, at } = one;
    const section = nextOnlineSection(k, f.get(v.at), f.get(v.end));
    f.set(v.at, section + k.geometry.sectionSize);
    if (section < f.get(v.end)) {
      const { pageSize, pagesPerSection } = k.geometry;
      return f.call(fakeOnline, at.rollback, section / pageSize, pagesPerSection);
    }
    k.virtioMem[f.get(v.device)]!.bbmEvent(f.get(v.block), "unplug given up");
    dropMutex(k, f, f.get(v.device));
    return f.returns(f.get(v.error));
  },
});

const unplug = KERNEL_PROCEDURES.declare("virtio_mem_bbm_unplug_request", {
  args: ["device", "diff"],
  locals: ["left", "pass", "block"],
  steps: ["enter", "next", "done"],
});

/** Passes over the blocks: offline ones, then movable ones, then any. */
const eligible = (k: Kernel, vm: VirtioMemDriver, block: number, pass: number): boolean =>
  pass === 0 ? isOffline(k, vm, block) : pass === 1 ? isMovable(k, vm, block) : true;
const PASSES = 3;

/**
 * Unplugs big blocks worth `diff` bytes: (device, diff), high ones first within each pass.
 * Returns 0, -EBUSY when not everything could be unplugged, or the error of a request.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_bbm_unplug_request
 */
export const bbmUnplug = unplug.define({
  enter: (k, f) => {
    const { v, at } = unplug;
    const vm = k.virtioMem[f.get(v.device)]!;
    f.set(v.left, Math.floor(f.get(v.diff) / vm.layout.blockSize));
    f.set(v.block, vm.words[VM.NEXT_BLOCK]!);
    return f.get(v.left) === 0 ? f.returns(0) : at.next;
  },
  next: (k, f) => {
    const { v, at } = unplug;
    const vm = k.virtioMem[f.get(v.device)]!;
    for (; f.get(v.pass) < PASSES; f.set(v.pass, f.get(v.pass) + 1)) {
      if (f.get(v.pass) === 1 && !k.options.unplugOnline) return f.returns(0);
      let block = vm.previousInState(BBM.ADDED, f.get(v.block) - 1);
      while (block >= 0 && !eligible(k, vm, block, f.get(v.pass)))
        block = vm.previousInState(BBM.ADDED, block - 1);
      if (block >= 0) {
        f.set(v.block, block);
        return f.call(unplugOne, at.done, f.get(v.device), block);
      }
      f.set(v.block, vm.words[VM.NEXT_BLOCK]!);
    }
    return f.returns(ERRNO.EBUSY);
  },
  done: (_k, f) => {
    const { v, at } = unplug;
    if (f.result === ERRNO.EBUSY) return at.next;
    if (f.result === 0) f.set(v.left, f.get(v.left) - 1);
    return f.result !== 0 || f.get(v.left) === 0 ? f.returns(f.result) : at.next;
  },
});
