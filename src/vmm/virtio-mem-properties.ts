import { type Gpa, MIB } from "../units.ts";
import { demand, hex } from "./vmm-error.ts";

/** Smallest block QEMU takes. */
const MIN_BLOCK_SIZE = MIB;
/** Properties of one device, fixed when it is realized. Sizes are bytes. */
export interface VirtioMemProperties {
  readonly id: string;
  /** Bytes of the backend, which is the region. */
  readonly size: number;
  /** First address of the region. */
  readonly memaddr: Gpa;
  /** Default 2 MiB. */
  readonly blockSize?: number;
  readonly node?: number;
  readonly requestedSize?: number;
  /** Host memory of the shared plane is populated inside PLUG. */
  readonly prealloc?: boolean;
  /** The region is cut into slots that exist only while they hold a plugged block. */
  readonly dynamicMemslots?: boolean;
  /** Cloud Hypervisor and Firecracker make the whole region usable from the start. Default: QEMU's rule. */
  readonly usable?: "extent" | "region";
  readonly usableExtent?: number;
  /** Cloud Hypervisor looks at the target before the range, and knows neither BUSY nor a protocol violation. */
  readonly dialect?: "qemu" | "cloud-hypervisor";
  readonly minBlockSize?: number;
  readonly minSlotSize?: number;
}

const isPowerOfTwo = (n: number): boolean => n > 0 && Number.isInteger(Math.log2(n));

/** @throws VmmError for properties that QEMU refuses to realize */
export const checkProperties = (properties: VirtioMemProperties): void => {
  const { id, size, memaddr, blockSize = 2 * MIB, requestedSize = 0 } = properties;
  const smallest = properties.minBlockSize ?? MIN_BLOCK_SIZE;
  demand(
    isPowerOfTwo(blockSize) && blockSize >= smallest,
    `${id} block-size`,
    `a power of two, at least ${hex(smallest)}`,
    hex(blockSize),
  );
  demand(
    Number.isSafeInteger(size) && size > 0 && size % blockSize === 0,
    `${id} memory backend size`,
    `a positive multiple of the block-size ${hex(blockSize)}`,
    hex(size),
  );
  demand(
    memaddr % blockSize === 0,
    `${id} memaddr`,
    `a multiple of the block-size ${hex(blockSize)}`,
    hex(memaddr),
  );
  demand(
    Number.isSafeInteger(requestedSize) && requestedSize % blockSize === 0 && requestedSize <= size,
    `${id} requested-size`,
    `a multiple of ${hex(blockSize)}, at most ${hex(size)}`,
    hex(requestedSize),
  );
};
