/** A virtio-mem device as its driver knows it. */
export interface Region {
  readonly addr: number;
  readonly regionSize: number;
}

/** 64-bit words of a driver's structure that are looked through: more than any kernel's struct virtio_mem has. */
export const DRIVER_WORDS = 96;

/**
 * Which device a driver's structure is for: it keeps the region's address and size side by side, wherever that is.
 *
 * @param words of the structure, from its start
 * @returns the place of the device among `devices`, or -1
 * @source Linux drivers/virtio/virtio_mem.c, struct virtio_mem: addr, region_size
 */
export const deviceOfDriver = (words: readonly bigint[], devices: readonly Region[]): number =>
  devices.findIndex(({ addr, regionSize }) =>
    words.some((word, at) => word === BigInt(addr) && words[at + 1] === BigInt(regionSize)),
  );
