import { type FieldsOf, struct } from "../bytes.ts";

/** Virtio device type of a memory device. */
export const VIRTIO_ID_MEM = 24;

/**
 * Configuration space of a virtio-mem device, read-only for the driver. All sizes and addresses are bytes
 * and multiples of blockSize; usableRegionSize is never below requestedSize.
 *
 * blockSize, nodeId, addr and regionSize never change. usableRegionSize grows at any time and shrinks only with
 * UNPLUG_ALL or a system reset; pluggedSize moves with each successful request; requestedSize is the host's wish.
 *
 * @source virtio 1.3, "Memory Device", device configuration layout
 */
export const VIRTIO_MEM_CONFIG = struct("virtio-mem configuration space", 56, {
  blockSize: [0x00, "u64"],
  nodeId: [0x08, "u16"], // an ACPI proximity domain, with feature ACPI_PXM only
  padding: [0x0a, "bytes:6"],
  addr: [0x10, "u64"],
  regionSize: [0x18, "u64"],
  usableRegionSize: [0x20, "u64"],
  pluggedSize: [0x28, "u64"],
  requestedSize: [0x30, "u64"],
});
export type VirtioMemConfig = FieldsOf<typeof VIRTIO_MEM_CONFIG>;

/** Feature bits by number. @source virtio 1.3, "Memory Device", feature bits */
export const VIRTIO_MEM_FEATURE = {
  ACPI_PXM: 0, // nodeId holds an ACPI proximity domain
  UNPLUGGED_INACCESSIBLE: 1, // the driver must not touch unplugged memory at all
  PERSISTENT_SUSPEND: 2, // block state survives suspend to RAM
} as const;
export type VirtioMemFeature = keyof typeof VIRTIO_MEM_FEATURE;

/** Names of the set bits of a feature word, lowest first. A bit without a name prints as "bit N". */
export const virtioMemFeatureNames = (word: bigint): readonly string[] => {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((word >> BigInt(bit)) & 1n) === 0n) continue;
    names.push(Object.entries(VIRTIO_MEM_FEATURE).find(([, n]) => n === bit)?.[0] ?? `bit ${bit}`);
  }
  return names;
};
