import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { freePagesCore, MEMINIT } from "../page-allocator/free-core.ts";
import { type VirtioMemDriver, VM } from "./driver.ts";
import { BBM } from "./states.ts";

/** Number of the device whose region holds this address and whose driver is ready; -1 if none. */
export const virtioMemAt = (k: Kernel, address: number): number => {
  for (let device = 0; device < k.virtioMem.length; device++) {
    const vm = k.virtioMem[device]!;
    if (vm.has(VM.READY) && vm.overlaps(address, 1)) return device;
  }
  return -1;
};

/** Whether pages go online: all plugged, none plugged, or, of several sub-blocks, some. */
const FULL = 1;
const NONE = 0;
const MIXED = 2;

const pluggedShare = (vm: VirtioMemDriver, start: number, bytes: number): number => {
  const block = vm.blockAt(start);
  if (!vm.layout.sbm) return vm.stateOf(block) === BBM.FAKE_OFFLINE ? NONE : FULL;
  const { blockSize, subBlockSize } = vm.layout;
  const first = Math.floor((start - block * blockSize) / subBlockSize);
  const last = Math.floor((start + bytes - 1 - block * blockSize) / subBlockSize);
  const count = last - first + 1;
  if (vm.allPlugged(block, first, count)) return FULL;
  return count === 1 || vm.allUnplugged(block, first, count) ? NONE : MIXED;
};

const { v, at, define } = KERNEL_PROCEDURES.declare("virtio_mem_online_page", {
  args: ["pfn", "order", "device"],
  locals: ["at", "step"],
  steps: ["enter", "part", "hooked"],
});

/**
 * The online-page callback for a chunk in a device's region: (pfn, order, device). Plugged pages enter the
 * allocator, after the design's virtioOnline hook, which may keep them out; unplugged ones keep their page type
 * "offline" and count as never onlined. A chunk of plugged and unplugged sub-blocks is taken sub-block by sub-block.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_online_page; hook: RFC "virtio-mem: support Confidential Computing"
 */
export const onlinePageOfVirtioMem = define({
  enter: (_k, f) => {
    f.set(v.at, f.get(v.pfn));
    f.set(v.step, f.get(v.order));
    return at.part;
  },
  part: (k, f) => {
    const vm = k.virtioMem[f.get(v.device)]!;
    const { pageSize } = k.geometry;
    const end = f.get(v.pfn) + (1 << f.get(v.order));
    while (f.get(v.at) < end) {
      const pfn = f.get(v.at);
      const order = f.get(v.step);
      const share = pluggedShare(vm, pfn * pageSize, pageSize * (1 << order));
      if (share === MIXED) {
        f.set(v.step, Math.log2(vm.layout.subBlockSize / pageSize));
        continue;
      }
      f.set(v.at, pfn + (1 << order));
      if (share === FULL)
        return f.callIf(k.design.hooks.virtioOnline, at.hooked, pfn * pageSize, pageSize * (1 << order));
    }
    return f.returns(0);
  },
  hooked: (_k, f) => {
    if (f.result < 0) return at.part;
    const order = f.get(v.step);
    return f.call(freePagesCore, at.part, f.get(v.at) - (1 << order), order, MEMINIT.HOTPLUG);
  },
});
