import { assert } from "../../assert.ts";
import { GIB, MIB } from "../../units.ts";

const MIN_BLOCK = 128 * MIB;
const MAX_BLOCK = 2 * GIB;
/** Boot memory below which the block is the smallest. */
const SMALL_SYSTEM = 64 * GIB;

export interface BlockSizeFacts {
  /** End of boot RAM, bytes: max_pfn * 4096. */
  readonly endOfRam: number;
  /** CPUID says that a hypervisor is below. */
  readonly guest: boolean;
  /** Set by platform code: 2^27 to 2^36 bytes. */
  readonly override?: number;
  /** Smallest advice from parsing CXL windows, 7.x only, bytes. */
  readonly advice?: number;
}

/**
 * Bytes of a memory block as x86-64 chooses it once at boot.
 *
 * A system of 64 GiB and more takes the largest size, at most 2 GiB, to which the end of boot RAM is
 * aligned; below that it is 128 MiB. Bare metal without advice takes 2 GiB at once.
 *
 * @source Linux arch/x86/mm/init_64.c, probe_memory_block_size
 */
export const memoryBlockSize = (facts: BlockSizeFacts): number => {
  const { endOfRam, guest, override, advice } = facts;
  if (override !== undefined) {
    const order = Math.log2(override);
    assert(Number.isInteger(order) && 27 <= order && order <= 36, "an override is 2^27 to 2^36 bytes");
    return override;
  }
  if (endOfRam < SMALL_SYSTEM) return MIN_BLOCK;
  if (advice === undefined && !guest) return MAX_BLOCK;
  let size = advice === undefined ? MAX_BLOCK : Math.min(Math.max(advice, MIN_BLOCK), MAX_BLOCK);
  while (size > MIN_BLOCK && endOfRam % size !== 0) size /= 2;
  return size;
};

/** The line with which the kernel tells its choice. */
export const blockSizeLine = (blockSize: number): string => `x86/mm: Memory block size: ${blockSize / MIB}MB`;
