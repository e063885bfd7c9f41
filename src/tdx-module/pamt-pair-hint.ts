import type { TdxModule } from "./module.ts";
import { SIZE_4K } from "./pamt.ts";

/** Bit 62 of the register that a leaf returns. */
const HINT_HI = 1 << 30;

/**
 * What a leaf that freed a page says beside its address: with dynamic PAMT bit 62, as its high half, if the page's block of 2 MiB has no
 * 4 KiB page in use any more, so that its pair can go.
 *
 * @param size of the page, which is free already
 * @source TDX module 1.5.25, TDH.MEM.PAGE.REMOVE, PAGE.PROMOTE, SEPT.REMOVE (RCX) and TDH.PHYMEM.PAGE.RECLAIM (R9)
 */
export const pairHint = (m: TdxModule, frame: number, size: number): number =>
  m.pairs !== undefined && size === SIZE_4K && !m.pamt.usesSmallPages(frame) ? HINT_HI : 0;
