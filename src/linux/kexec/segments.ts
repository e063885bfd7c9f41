import { roundDown } from "../../units.ts";
import type { Kernel } from "../kernel.ts";
import type { Variant } from "../variant.ts";
import { KEXEC } from "./kexec.ts";
import { systemRam } from "./system-ram.ts";

/** A segment that the loader wants a place for. Sizes and addresses are bytes. */
export interface SegmentWish {
  readonly what: string;
  /** Whole pages. */
  readonly bytes: number;
  readonly align: number;
  /** Lowest address that will do. */
  readonly least: number;
  /** The lowest place will do, not the highest. */
  readonly bottomUp?: boolean;
}

const PAGE = 4096;

/**
 * What a kernel needs to unpack itself where it lies: init_size of its header.
 *
 * @source Debian's cloud kernels 6.12.117-1~deb12u1 and 7.3.4-1~bpo13+1, setup header
 */
const INIT_SIZE: { readonly [name in Variant["name"]]: number } = { "6.12": 0x37d_c000, "7.3": 0x3c3_9000 };

/** Row of the kernel among the segments that segmentsOf() gives, counted from the end. */
export const KERNEL_FROM_END = 2;
/** Row of the boot parameters, counted from the end. */
export const PARAMS_FROM_END = 3;

const HEADERS: SegmentWish = {
  what: "ELF headers of old memory",
  bytes: 0xe_1000,
  align: PAGE,
  least: 0,
  bottomUp: true,
};
const PURGATORY: SegmentWish = { what: "purgatory", bytes: 5 * PAGE, align: PAGE, least: 0x3000 };
const PARAMS: SegmentWish = { what: "boot parameters", bytes: 2 * PAGE, align: PAGE, least: 0x3000 };
const INITRD: SegmentWish = { what: "initrd", bytes: 0x10_7000, align: PAGE, least: 0x100_0000 };

/**
 * The segments of a bzImage in the order in which they get their places.
 *
 * @source Linux arch/x86/kernel/kexec-bzimage64.c, bzImage64_load; the sizes but the kernel's: a 6.12 guest of this
 *   project that started itself
 */
export const segmentsOf = (variant: Variant, onCrash: boolean): readonly SegmentWish[] => {
  const kernel = { what: "kernel", bytes: INIT_SIZE[variant.name], align: 2 ** 21, least: 0x10_0000 };
  return [...(onCrash ? [HEADERS] : []), PURGATORY, PARAMS, kernel, INITRD];
};

/** Highest place for a segment in [start, end) that no segment has yet, or -1. @source kernel/kexec_file.c */
const highestIn = (k: Kernel, { bytes, align, least }: SegmentWish, start: number, end: number): number => {
  let at = end - bytes;
  for (;;) {
    at = roundDown(at, align);
    if (at < start || at < least) return -1;
    if (!k.kexec.overlaps(at, at + bytes)) return at;
    at -= PAGE;
  }
};

/**
 * Place of a segment: in memory kept for a crash kernel, or in the highest RAM that has room. It is the memory map that
 * is asked and not the page allocator, so nothing says that the place is accepted. Memory that a driver manages is
 * left out.
 *
 * @returns its address, or -1
 * @source Linux kernel/kexec_file.c, kexec_locate_mem_hole
 */
const placeOf = (k: Kernel, wish: SegmentWish, onCrash: boolean): number => {
  const { words } = k.kexec;
  if (wish.bottomUp === true) return words[KEXEC.CRASH_START] || -1;
  if (onCrash) return highestIn(k, wish, words[KEXEC.CRASH_START]!, words[KEXEC.CRASH_END]!);
  for (const { start, end, driverManaged } of systemRam(k.iomem).reverse()) {
    const at = driverManaged ? -1 : highestIn(k, wish, start, end);
    if (at >= 0) return at;
  }
  return -1;
};

/** Gives each segment its place. @returns false when one has none; no image is loaded then */
export const placeSegments = (k: Kernel, wishes: readonly SegmentWish[], onCrash: boolean): boolean => {
  k.kexec.clear();
  for (const wish of wishes) {
    const at = placeOf(k, wish, onCrash);
    if (at < 0) {
      k.kexec.clear();
      return false;
    }
    k.kexec.add(at, at + wish.bytes);
  }
  return true;
};
