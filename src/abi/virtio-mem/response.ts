import { type FieldsOf, struct } from "../bytes.ts";
import type { VirtioMemRequestType } from "./request.ts";

/** Response types. @source virtio 1.3, "Memory Device", device operation */
export const VIRTIO_MEM_RESPONSE = { ACK: 0, NACK: 1, BUSY: 2, ERROR: 3 } as const;
export type VirtioMemResponseType = keyof typeof VIRTIO_MEM_RESPONSE;

/**
 * What a device may answer to each request. NACK is about plugging alone; UNPLUG_ALL has no operand that could be in error.
 *
 * @source virtio 1.3, "Memory Device", device requirements of each request; Linux include/uapi/linux/virtio_mem.h
 */
export const VIRTIO_MEM_ANSWERS = {
  PLUG: ["ACK", "NACK", "BUSY", "ERROR"],
  UNPLUG: ["ACK", "BUSY", "ERROR"],
  UNPLUG_ALL: ["ACK", "BUSY"],
  STATE: ["ACK", "ERROR"],
} as const satisfies { readonly [request in VirtioMemRequestType]: readonly VirtioMemResponseType[] };

/** Answers to STATE, valid with ACK only: all blocks plugged, none, or some. */
export const VIRTIO_MEM_STATE = { PLUGGED: 0, UNPLUGGED: 1, MIXED: 2 } as const;
export type VirtioMemState = keyof typeof VIRTIO_MEM_STATE;

const TYPE_NAMES = Object.keys(VIRTIO_MEM_RESPONSE);
const STATE_NAMES = Object.keys(VIRTIO_MEM_STATE);
/** The name of a response type; a type that has none keeps its number. */
export const virtioMemResponseName = (type: number): string => TYPE_NAMES[type] ?? `response type ${type}`;
/** The name of a block state; a state that has none keeps its number. */
export const virtioMemStateName = (state: number): string => STATE_NAMES[state] ?? `state ${state}`;

/**
 * A response as it lies in the device-writable buffer. A device uses all 10 bytes for every type.
 *
 * @source virtio 1.3, "Memory Device", struct virtio_mem_resp
 */
export const VIRTIO_MEM_RESP = struct("virtio-mem response", 10, {
  type: [0, "u16"],
  padding: [2, "bytes:6"],
  state: [8, "u16"],
});
export type VirtioMemResp = FieldsOf<typeof VIRTIO_MEM_RESP>;

/** The bytes of a response. `state` belongs to the ACK of STATE; elsewhere it is 0, which says nothing. */
export const virtioMemResponse = (
  type: VirtioMemResponseType,
  state: VirtioMemState = "PLUGGED",
): Uint8Array =>
  VIRTIO_MEM_RESP.encode({
    type: VIRTIO_MEM_RESPONSE[type],
    padding: new Uint8Array(6),
    state: VIRTIO_MEM_STATE[state],
  });
