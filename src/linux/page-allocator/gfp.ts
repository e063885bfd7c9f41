import { ZONE } from "./zones.ts";

/**
 * What an allocation asks for, as far as it decides which memory it gets. The bits are this model's own.
 *
 * @source Linux include/linux/gfp_types.h
 */
export const GFP = {
  /** The pages can be migrated, and may lie in ZONE_MOVABLE. */
  MOVABLE: 0x01,
  /** The context may take no lock (ALLOC_TRYLOCK): from 6.15 on it accepts nothing. */
  NO_LOCK: 0x02,
  /** ZONE_DMA32 or ZONE_DMA only. */
  DMA32: 0x04,
  DMA: 0x08,
  /** No other node (__GFP_THISNODE). */
  THIS_NODE: 0x10,
  /** No other zone than the highest allowed one of the node. */
  THIS_ZONE_ONLY: 0x20,
  /** The watermarks do not hold for it (__GFP_MEMALLOC). */
  NO_WATERMARKS: 0x40,
  /** Movable pages that nobody can migrate yet: their user puts them on an LRU list once they are ready. */
  NOT_ON_LRU: 0x80,
} as const;

/** Highest zone type that an allocation with these flags may use. @source Linux gfp_zone() */
export const highestZone = (flags: number): number => {
  if ((flags & GFP.DMA) !== 0) return ZONE.DMA;
  if ((flags & GFP.DMA32) !== 0) return ZONE.DMA32;
  return (flags & GFP.MOVABLE) !== 0 ? ZONE.MOVABLE : ZONE.NORMAL;
};
