import { AGAIN, type Frame, type Next } from "../flat/procedure.ts";
import { SHARED_VE } from "../linux/boundary.ts";
import { ERRNO } from "../linux/errno.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../linux/kernel.ts";
import { type MemMap, NIL, orderOf, USE, useOf } from "../linux/mem-map.ts";
import { allocPages, freePages, putOnLru } from "../linux/page-allocator/alloc.ts";
import { GFP } from "../linux/page-allocator/gfp.ts";
import { NotModelled } from "../not-modelled.ts";

/** Order argument of `allocateMemory` that means: the largest blocks that can be had. */
export const LARGEST = -1;

const allocate = KERNEL_PROCEDURES.declare("allocate", {
  args: ["pages", "flags", "node", "owner"],
  locals: ["order", "fixed", "at", "end"],
  steps: ["enter", "next", "got", "clear"],
});

/**
 * A user's allocation: (pages, flags of GFP, node, owner | fixed order * 2^20). Takes block after block and
 * clears each as the kernel clears a page before it hands it out, which is the first touch.
 *
 * The order is the largest that fits unless the fourth argument fixes one (order + 1 in its bits from 20 up).
 * Returns 0, or -ENOMEM with the blocks taken so far kept by their owner.
 */
export const allocateMemory = allocate.define({
  enter: (k, f) => {
    const { v, at } = allocate;
    const fixed = Math.floor(f.get(v.owner) / 2 ** 20);
    f.set(v.owner, f.get(v.owner) % 2 ** 20);
    f.set(v.fixed, fixed);
    f.set(v.order, fixed > 0 ? fixed - 1 : k.geometry.maxOrder);
    return at.next;
  },
  next: (_k, f) => {
    const { v, at } = allocate;
    const pages = f.get(v.pages);
    if (pages <= 0) return f.returns(0);
    if (f.get(v.fixed) === 0)
      while (f.get(v.order) > 0 && 1 << f.get(v.order) > pages) f.set(v.order, f.get(v.order) - 1);
    // A page that is still being cleared is on no list that migration looks at.
    const flags = f.get(v.flags) | GFP.NOT_ON_LRU;
    return f.call(allocPages, at.got, f.get(v.order), flags, f.get(v.node), f.get(v.owner));
  },
  got: (k, f) => {
    const { v, at } = allocate;
    const pfn = f.result;
    const order = f.get(v.order);
    if (pfn < 0) {
      if (f.get(v.fixed) > 0 || order === 0) return f.returns(ERRNO.ENOMEM);
      f.set(v.order, order - 1);
      return at.next;
    }
    f.set(v.at, pfn * k.geometry.pageSize);
    f.set(v.end, (pfn + (1 << order)) * k.geometry.pageSize);
    f.set(v.pages, f.get(v.pages) - (1 << order));
    return at.clear;
  },
  clear: (k, f) => {
    const { v, at } = allocate;
    const done = k.hw.access(f.vcpu, f.get(v.at), f.get(v.end) - f.get(v.at), true, false);
    if (done < 0) return AGAIN;
    f.set(v.at, f.get(v.at) + done);
    if (f.get(v.at) < f.get(v.end)) return at.clear;
    const order = f.get(v.order);
    if ((f.get(v.flags) & GFP.MOVABLE) !== 0)
      putOnLru(k, f.get(v.end) / k.geometry.pageSize - (1 << order), order);
    return at.next;
  },
});

const touch = KERNEL_PROCEDURES.declare("touch", {
  args: ["at", "end", "write"],
  locals: [],
  steps: ["access"],
});

/** Loads or stores over [at, end) bytes by the mapping that the kernel has of them. Returns 0 when all of it let the CPU through. */
export const touchMemory = touch.define({
  access: (k, f) => {
    const { v, at } = touch;
    if (f.get(v.at) >= f.get(v.end)) return f.returns(0);
    const from = f.get(v.at);
    const done = k.hw.access(f.vcpu, from, f.get(v.end) - from, f.get(v.write) !== 0, k.shared.has(from));
    if (done < 0) return AGAIN;
    if (done === SHARED_VE) throw new NotModelled("emulation of MMIO: a driver touches what raises #VE");
    f.set(v.at, f.get(v.at) + done);
    return at.access;
  },
});

/** Bytes of the word that load_unaligned_zeropad() reads. */
const WORD = 8;

const zeropad = KERNEL_PROCEDURES.declare("load_unaligned_zeropad", {
  args: ["boundary"],
  locals: [],
  steps: ["below", "above"],
});

/** The handler of #VE for a load of load_unaligned_zeropad(). */
const fixUp = (k: Kernel, f: Frame<Kernel>): Next => {
  if (k.variant.fixesUpVe) return f.returns(0);
  k.printk("VE fault: 0000 [#1] SMP, in load_unaligned_zeropad");
  return panic(k, "Fatal exception");
};

/**
 * load_unaligned_zeropad(): a word read that starts in the page below `boundary` and ends in the page above.
 * A page that is not in the direct map faults and the kernel's fix-up pads with zeroes; a page that is mapped
 * but not accepted has no fix-up. Shared memory that the VMM has not mapped may raise #VE: the handler takes the
 * fix-up too if it knows the address that faulted; else the kernel oopses, here with panic_on_oops.
 *
 * @source Linux arch/x86/include/asm/word-at-a-time.h; arch/x86/mm/extable.c, ex_handler_zeropad; arch/x86/kernel/traps.c,
 *   ve_raise_fault; drivers/firmware/efi/unaccepted_memory.c
 */
export const readAcross = zeropad.define({
  below: (k, f) => {
    const { v, at } = zeropad;
    const from = f.get(v.boundary) - WORD / 2;
    const done = k.hw.access(f.vcpu, from, 1, false, k.shared.has(from));
    if (done === SHARED_VE) return fixUp(k, f);
    return done < 0 ? AGAIN : at.above;
  },
  above: (k, f) => {
    const { v } = zeropad;
    const boundary = f.get(v.boundary);
    if (!k.mm.isMapped(boundary / k.geometry.pageSize)) return f.returns(0);
    const done = k.hw.access(f.vcpu, boundary, 1, false, k.shared.has(boundary));
    if (done === SHARED_VE) return fixUp(k, f);
    return done < 0 ? AGAIN : f.returns(0);
  },
});

/** Whether a use is one of pages that have an owner. */
const isOwned = (use: number): boolean => use === USE.ALLOCATED || use === USE.MOVABLE;

/** First page from `index` on that an owner has, or `end`; both in one section, block heads each. */
const nextOwnedIn = (mm: MemMap, owner: number, index: number, end: number): number => {
  const { use, owners } = mm;
  for (let at = index; at < end; ) {
    const byte = use[at]!;
    const order = orderOf(byte);
    if (isOwned(useOf(byte))) {
      if (owners.of(at) === owner) return at;
      at += 1 << order;
    } else at = order === 0 ? mm.endOfUse(at, end) : at + (1 << order);
  }
  return end;
};

/** Index of the first block of an owner from page index `from` on, or NIL. */
const nextOwned = (mm: MemMap, owner: number, from: number): number => {
  const per = mm.geometry.pagesPerSection;
  for (let slot = Math.floor(from / per); slot < mm.section.length; slot++) {
    if (mm.section[slot] === -1) continue;
    const end = (slot + 1) * per;
    const index = nextOwnedIn(mm, owner, Math.max(from, slot * per), end);
    if (index < end) return index;
  }
  return NIL;
};

/** Frees every block of an owner. @returns pages freed */
export const freeOwned = (k: Kernel, owner: number): number => {
  const { mm } = k;
  let freed = 0;
  for (let index = nextOwned(mm, owner, 0); index !== NIL; index = nextOwned(mm, owner, index)) {
    const order = orderOf(mm.use[index]!);
    freePages(k, mm.pfnOf(index), order);
    freed += 1 << order;
    index += 1 << order;
  }
  return freed;
};

/** Memory that an owner has, as byte ranges in page-index order, neighbours joined. */
export const allocatedRuns = ({ mm, geometry }: Kernel, owner: number): { start: number; end: number }[] => {
  const runs: { start: number; end: number }[] = [];
  for (let index = nextOwned(mm, owner, 0); index !== NIL; index = nextOwned(mm, owner, index)) {
    const pages = 1 << orderOf(mm.use[index]!);
    const start = mm.pfnOf(index) * geometry.pageSize;
    const last = runs.at(-1);
    if (last?.end === start) last.end += pages * geometry.pageSize;
    else runs.push({ start, end: start + pages * geometry.pageSize });
    index += pages;
  }
  return runs;
};
