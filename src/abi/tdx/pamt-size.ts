import { PAMT_ENTRY_BYTES } from "./tdmr-info.ts";

/** Size classes of PAMT entries, as the module numbers them in the details of a status. */
export const PAMT_SIZES = { "4K": 0, "2M": 1, "1G": 2 } as const;
export type PamtSize = keyof typeof PAMT_SIZES;

/** Bytes of memory that one entry of the size class describes. */
export const PAMT_COVERS: Readonly<Record<PamtSize, bigint>> = {
  "4K": 1n << 12n,
  "2M": 1n << 21n,
  "1G": 1n << 30n,
};

/**
 * Bytes that a metadata table must have at least. With dynamic PAMT the 4 KiB table is a bitmap of one bit a page.
 *
 * @param tdmrSize bytes, a multiple of 1 GiB
 * @source TDX module 2.0, checks of TDH.SYS.CONFIG
 */
export const requiredPamtBytes = (tdmrSize: bigint, size: PamtSize, dynamic: boolean): bigint => {
  const pages = tdmrSize / PAMT_COVERS[size];
  return dynamic && size === "4K" ? pages / 8n : pages * PAMT_ENTRY_BYTES;
};
