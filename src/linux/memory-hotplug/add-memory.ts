import { BLOCKED, type Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { faultAt } from "../fault-points.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { MMOP } from "../memory-block.ts";
import { RESOURCE } from "../resource.ts";
import {
  createAltmapsAndBlocks,
  createBlocks,
  removeBlocksAndAltmaps,
  supportsMemmapOnMemory,
} from "./altmap-blocks.ts";
import { archAddMemory, archRemoveMemory } from "./arch-memory.ts";
import { DEVICE_HOTPLUG_LOCK, lockDeviceHotplug, MEM_HOTPLUG_LOCK } from "./hotplug-locks.ts";
import { MHP, mhpHas, mhpName, mhpNameNumber, SYSTEM_RAM_NAME } from "./mhp-flags.ts";
import { onlineBlock } from "./online-block.ts";

const hex = (n: number): string => `0x${n.toString(16)}`;

/** mhp_range_allowed(): whether memory may be there at all. An empty range may not be anywhere. */
const rangeAllowed = (k: Kernel, start: number, size: number): boolean => {
  const { pluggableEnd } = k.blocks;
  if (size > 0 && start >= 0 && start + size <= pluggableEnd) return true;
  k.printk(
    `Hotplug memory [${hex(start)}-${hex(start + size)}] exceeds maximum addressable range [0x0-${hex(pluggableEnd - 1)}]`,
  );
  return false;
};

const blockAligned = (k: Kernel, start: number, size: number): boolean => {
  const { blockSize } = k.blocks;
  if (size > 0 && start % blockSize === 0 && size % blockSize === 0) return true;
  k.printk(`Block size [${hex(blockSize)}] unaligned hotplug range: start ${hex(start)}, size ${hex(size)}`);
  return false;
};

/**
 * Everything that can refuse an addition before anything changes, in the kernel's order: the range, the
 * iomem tree, alignment, the node.
 *
 * @returns node number, or the error
 */
const checkAddition = (k: Kernel, nid: number, start: number, size: number, flags: number): number => {
  if (!rangeAllowed(k, start, size)) return ERRNO.E2BIG;
  if (!k.iomem.canRequest(start, size)) return ERRNO.EEXIST;
  if (!blockAligned(k, start, size)) return ERRNO.EINVAL;
  let node = nid;
  if (mhpHas(flags, MHP.NID_IS_MGID)) {
    if (!k.groups.exists(nid)) return ERRNO.EINVAL;
    node = k.groups.nodes[nid]!;
  }
  if (k.groups.possible(node)) return node;
  k.printk(`WARNING: node ${node} was absent from the node_possible_map`);
  return ERRNO.EINVAL;
};

const add = KERNEL_PROCEDURES.declare("add_memory_resource", {
  args: ["nid", "start", "size", "flags"],
  locals: ["node", "newNode", "at", "error", "altmap"],
  steps: [
    "enter",
    "begin",
    "hook",
    "arch",
    "created",
    "added",
    "undone",
    "failed",
    "link",
    "online",
    "onlined",
  ],
});
const { v, at } = add;

/** 1 if a driver manages the memory, for hooks. */
const managed = (k: Kernel, f: Frame<Kernel>): number =>
  mhpName(k, f.get(v.flags)) === SYSTEM_RAM_NAME ? 0 : 1;

const groupOf = (f: Frame<Kernel>): number => (mhpHas(f.get(v.flags), MHP.NID_IS_MGID) ? f.get(v.nid) : 0);

/** Takes the range in the iomem tree: from here on nobody else can add it. */
const claimResource = (k: Kernel, f: Frame<Kernel>): void => {
  const kind = RESOURCE.SYSTEM_RAM | RESOURCE.BUSY | (managed(k, f) === 1 ? RESOURCE.DRIVER_MANAGED : 0);
  k.iomem.request(f.get(v.start), f.get(v.size), mhpNameNumber(f.get(v.flags)), kind);
};

/** Takes the node offline if it came up for this, and gives the resource back. */
const giveUp = (k: Kernel, f: Frame<Kernel>): void => {
  if (f.get(v.newNode) !== 0) k.blocks.nodeOnline[f.get(v.node)] = 0;
  k.iomem.releaseAdjustable(f.get(v.start), f.get(v.size));
  k.locks.release(MEM_HOTPLUG_LOCK, f.task);
};

/**
 * __add_memory(nid, start, size, flags) in bytes, flags of mhpFlags(). The caller holds device_hotplug_lock.
 *
 * The sequence: resource; mem_hotplug_lock; node; design hook addMemory; mapping, memmap and block devices;
 * design hook memoryAdded; firmware map for plain System RAM; unlock; merge of the resource; onlining of
 * the blocks in ascending order as auto_online_blocks says, up to the first that fails.
 *
 * Returns 0 whatever onlining answered, or an error with nothing left behind: -E2BIG outside the
 * addressable range or empty, -EEXIST on a conflict in iomem, -EINVAL for a range that is not whole
 * blocks, an unknown group or an impossible node, -ENOMEM, or what a hook answered.
 *
 * @source Linux mm/memory_hotplug.c, add_memory_resource; hooks: RFCv2 patch 5
 * @missing the mem= limit while booting, memblock kept after boot, a caller's own online type (7.x)
 */
export const addMemoryLocked = add.define({
  enter: (k, f) => {
    const node = checkAddition(k, f.get(v.nid), f.get(v.start), f.get(v.size), f.get(v.flags));
    const fault = node < 0 ? node : faultAt(k, "register_memory_resource");
    if (fault < 0) return f.returns(fault);
    f.set(v.node, node);
    claimResource(k, f);
    return at.begin;
  },
  begin: (k, f) => {
    if (!k.locks.tryTake(MEM_HOTPLUG_LOCK, f.task)) return BLOCKED;
    if (k.blocks.nodeOnline[f.get(v.node)] === 0) {
      k.blocks.nodeOnline[f.get(v.node)] = 1;
      f.set(v.newNode, 1);
    }
    return f.callIf(k.design.hooks.addMemory, at.hook, f.get(v.start), f.get(v.size), managed(k, f));
  },
  hook: (k, f) => {
    if (f.result < 0) {
      giveUp(k, f);
      return f.returns(f.result);
    }
    const altmap = mhpHas(f.get(v.flags), MHP.MEMMAP_ON_MEMORY) && supportsMemmapOnMemory(k);
    f.set(v.altmap, altmap ? 1 : 0);
    return at.arch;
  },
  arch: (_k, f) => {
    const start = f.get(v.start);
    const size = f.get(v.size);
    if (f.get(v.altmap) !== 0)
      return f.call(createAltmapsAndBlocks, at.created, start, size, f.get(v.node), groupOf(f));
    return f.call(archAddMemory, at.created, start, size, f.get(v.node), 0);
  },
  created: (k, f) => {
    const start = f.get(v.start);
    const size = f.get(v.size);
    let error = f.result;
    if (error === 0 && f.get(v.altmap) === 0) {
      error = createBlocks(k, start, size, f.get(v.node), 0, groupOf(f));
      if (error !== 0) archRemoveMemory(k, start, size);
    }
    if (error === 0) return f.callIf(k.design.hooks.memoryAdded, at.added, start, size);
    f.set(v.error, error);
    return at.undone;
  },
  added: (k, f) => {
    if (f.result >= 0) return at.link;
    const start = f.get(v.start);
    const size = f.get(v.size);
    f.set(v.error, f.result);
    if (f.get(v.altmap) !== 0) return f.call(removeBlocksAndAltmaps, at.undone, start, size);
    for (let block = k.blocks.blockOf(start); block < k.blocks.blockOf(start + size); block++)
      k.blocks.remove(block);
    archRemoveMemory(k, start, size);
    return at.undone;
  },
  undone: (k, f) => {
    const hook = k.design.hooks.addMemoryFailed;
    return f.callIf(hook, at.failed, f.get(v.start), f.get(v.size), managed(k, f));
  },
  failed: (k, f) => {
    giveUp(k, f);
    return f.returns(f.get(v.error));
  },
  link: (k, f) => {
    const start = f.get(v.start);
    const size = f.get(v.size);
    if (mhpName(k, f.get(v.flags)) === SYSTEM_RAM_NAME)
      k.firmwareMap.add(start, start + size, SYSTEM_RAM_NAME);
    k.locks.release(MEM_HOTPLUG_LOCK, f.task);
    if (mhpHas(f.get(v.flags), MHP.MERGE_RESOURCE)) k.iomem.merge(k.iomem.find(start, size));
    f.set(v.at, start);
    return k.blocks.autoOnline === MMOP.OFFLINE ? f.returns(0) : at.online;
  },
  online: (k, f) => {
    if (f.get(v.at) >= f.get(v.start) + f.get(v.size)) return f.returns(0);
    return f.call(onlineBlock, at.onlined, k.blocks.blockOf(f.get(v.at)), k.blocks.autoOnline);
  },
  onlined: (k, f) => {
    if (f.result !== 0) return f.returns(0);
    f.set(v.at, f.get(v.at) + k.blocks.blockSize);
    return at.online;
  },
});

const locked = KERNEL_PROCEDURES.declare("add_memory", {
  args: ["nid", "start", "size", "flags"],
  locals: [],
  steps: ["enter", "locked", "done"],
});

/** Whether a driver may give its memory this name. */
const driverManagedName = (name: string): boolean => name.startsWith("System RAM (") && name.endsWith(")");

/**
 * add_memory() and add_memory_driver_managed(): addMemoryLocked under device_hotplug_lock, after a check of
 * the name: "System RAM", or "System RAM (X)" for memory that a driver keeps. Returns as it does, and
 * -EINVAL for another name.
 *
 * @source Linux mm/memory_hotplug.c
 */
export const addMemory = locked.define({
  enter: (k, f) => {
    const name = mhpName(k, f.get(locked.v.flags));
    if (name !== SYSTEM_RAM_NAME && !driverManagedName(name)) return f.returns(ERRNO.EINVAL);
    return f.call(lockDeviceHotplug, locked.at.locked);
  },
  locked: (_k, f) => {
    const { nid, start, size, flags } = locked.v;
    return f.call(addMemoryLocked, locked.at.done, f.get(nid), f.get(start), f.get(size), f.get(flags));
  },
  done: (k, f) => {
    k.locks.release(DEVICE_HOTPLUG_LOCK, f.task);
    return f.returns(f.result);
  },
});
