import { type FieldsOf, struct } from "../bytes.ts";

/** Request types. @source virtio 1.3, "Memory Device", device operation */
export const VIRTIO_MEM_REQUEST = { PLUG: 0, UNPLUG: 1, UNPLUG_ALL: 2, STATE: 3 } as const;
export type VirtioMemRequestType = keyof typeof VIRTIO_MEM_REQUEST;

const NAMES = Object.keys(VIRTIO_MEM_REQUEST);
/** The name of a request type; a type that has none keeps its number. */
export const virtioMemRequestName = (type: number): string => NAMES[type] ?? `request type ${type}`;

/**
 * A request as it lies in the device-readable buffer. addr and nbBlocks do not matter to UNPLUG_ALL; nbBlocks
 * counts blocks of the device, 65535 at most.
 *
 * @source virtio 1.3, "Memory Device", struct virtio_mem_req
 */
export const VIRTIO_MEM_REQ = struct("virtio-mem request", 24, {
  type: [0, "u16"],
  padding: [2, "bytes:6"],
  addr: [8, "u64"], // guest-physical bytes
  nbBlocks: [16, "u16"],
  padding2: [18, "bytes:6"],
});
export type VirtioMemReq = FieldsOf<typeof VIRTIO_MEM_REQ>;

/** The bytes of a request. Padding is zero. */
export const virtioMemRequest = (type: VirtioMemRequestType, addr = 0n, nbBlocks = 0): Uint8Array => {
  const padding = new Uint8Array(6);
  return VIRTIO_MEM_REQ.encode({
    type: VIRTIO_MEM_REQUEST[type],
    padding,
    addr,
    nbBlocks,
    padding2: padding,
  });
};
