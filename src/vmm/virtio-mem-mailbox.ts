import { VIRTIO_MEM_REQ } from "../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESP } from "../abi/virtio-mem/response.ts";
import { assert } from "../assert.ts";
import { NO_REPLY, type VirtioMemDevice } from "./virtio-mem-device.ts";

const REQUEST_BYTES = VIRTIO_MEM_REQ.size;
const STATE_BYTE = REQUEST_BYTES + VIRTIO_MEM_RESP.size;

const IDLE = 0;
const POSTED = 1;
const ANSWERED = 2;
const TAKEN = 3;
/** The device took the request and will never answer it. */
const LOST = 4;

/**
 * The guest-request queue of one device, reduced to what the driver uses: one request in flight, its 24 bytes
 * and the 10 bytes of its response. It is the device as the driver sees it, configuration space included.
 *
 * @missing the virtqueue's rings, and requests queued behind one another
 */
export class VirtioMemMailbox {
  /** Request, response, and one byte: how far it is. */
  readonly bytes = new Uint8Array(STATE_BYTE + 1);
  private readonly device: VirtioMemDevice;

  constructor(device: VirtioMemDevice) {
    this.device = device;
  }

  get name(): string {
    return this.device.id;
  }
  get blockSize(): number {
    return this.device.blockSize;
  }
  get nodeId(): number {
    return this.device.node;
  }
  get addr(): number {
    return this.device.addr;
  }
  get regionSize(): number {
    return this.device.regionSize;
  }
  usableRegionSize(): number {
    return this.device.usableRegionSize;
  }
  pluggedSize(): number {
    return this.device.pluggedSize;
  }
  requestedSize(): number {
    return this.device.requestedSize;
  }
  /** Moves whenever the host changed the configuration and interrupted the driver. */
  generation(): number {
    return this.device.generation;
  }

  /** The driver posts a request. */
  send(type: number, addr: number, blocks: number): void {
    const { bytes } = this;
    this.beginPost();
    bytes.fill(0, 0, REQUEST_BYTES);
    VIRTIO_MEM_REQ.put(bytes, "type", type);
    VIRTIO_MEM_REQ.put(bytes, "addr", BigInt(addr));
    VIRTIO_MEM_REQ.put(bytes, "nbBlocks", blocks);
  }

  /** The same with the request's 24 bytes. */
  post(request: Uint8Array): void {
    assert(request.length === REQUEST_BYTES, "a request has 24 bytes");
    this.beginPost();
    this.bytes.set(request);
  }

  private beginPost(): void {
    assert(this.bytes[STATE_BYTE] === IDLE, "one request is in flight at a time");
    this.bytes[STATE_BYTE] = POSTED;
  }

  /** @returns -1 while the request is out, else response type | state << 8; taking it empties the mailbox */
  response(): number {
    if (this.bytes[STATE_BYTE] !== ANSWERED) return -1;
    this.bytes[STATE_BYTE] = IDLE;
    const type = VIRTIO_MEM_RESP.get(this.bytes, "type", REQUEST_BYTES);
    return type | (VIRTIO_MEM_RESP.get(this.bytes, "state", REQUEST_BYTES) << 8);
  }

  /** Whether a request waits for the device. */
  get isPosted(): boolean {
    return this.bytes[STATE_BYTE] === POSTED;
  }

  /** The device starts on the request. */
  take(): void {
    assert(this.isPosted, "the device takes a request that was posted");
    this.bytes[STATE_BYTE] = TAKEN;
  }

  get type(): number {
    return VIRTIO_MEM_REQ.get(this.bytes, "type");
  }

  /** Address of the request, bytes. Above 2^53 it is rounded, and no region lies there. */
  get requestAddr(): number {
    return Number(VIRTIO_MEM_REQ.get(this.bytes, "addr"));
  }

  get blocks(): number {
    return VIRTIO_MEM_REQ.get(this.bytes, "nbBlocks");
  }

  /**
   * The device answers: response type | state << 8, or NO_REPLY, which leaves the driver waiting. A driver that
   * reset the device meanwhile does not hear it.
   */
  answer(answer: number): void {
    if (this.bytes[STATE_BYTE] !== TAKEN) return;
    if (answer === NO_REPLY) {
      this.bytes[STATE_BYTE] = LOST;
      return;
    }
    this.bytes.fill(0, REQUEST_BYTES, STATE_BYTE);
    VIRTIO_MEM_RESP.put(this.bytes, "type", answer & 0xff, REQUEST_BYTES);
    VIRTIO_MEM_RESP.put(this.bytes, "state", answer >> 8, REQUEST_BYTES);
    this.bytes[STATE_BYTE] = ANSWERED;
  }

  /** Status := 0 by the driver: the queue is empty again. */
  reset(): void {
    this.bytes.fill(0);
    this.device.deviceReset();
  }
}
