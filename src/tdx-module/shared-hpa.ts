import type { TdxModule } from "./module.ts";

/**
 * The host's own memory that an operand names: aligned to `alignment` bytes (a power of two up to 2^32), below MAXPA, and
 * with a key id of the host's.
 *
 * @returns the byte address without its key id, or -1
 * @source TDX module 1.5.25, checks of a shared host address
 */
export const sharedHpa = (m: TdxModule, lo: number, hi: number, alignment: number): number => {
  if ((lo & (alignment - 1)) !== 0 || hi >>> (m.platform.maxPa - 32) !== 0) return -1;
  if (hi >>> m.hpaShift >= m.platform.firstPrivateHkid) return -1;
  return (hi & ((1 << m.hpaShift) - 1)) * 2 ** 32 + lo;
};
