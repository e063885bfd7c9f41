import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE } from "../../abi/virtio-mem/response.ts";
import type { Span } from "../span.ts";
import { type AnsweredRequest, DeviceLog } from "./device-log.ts";
import type { DeviceMirror } from "./device-mirror.ts";
import type { Region } from "./driver-device.ts";

const PIECE = 65_536;

/** Brings our devices up to what QEMU's did, by the trace that QEMU writes. */
export class DeviceWatcher {
  /** Is told of each request after our devices did it. */
  onRequest: (request: AnsweredRequest) => void | Promise<void> = () => {};
  /** Requests seen so far. */
  requests = 0;
  private readonly path: string;
  private readonly mirror: Pick<DeviceMirror, "apply">;
  /** Requests that were read and not done yet. */
  private readonly waiting: AnsweredRequest[] = [];
  private readonly log = new DeviceLog();
  private readonly piece = new Uint8Array(PIECE);
  private readonly decoder = new TextDecoder();
  private fd = -1;
  private offset = 0;

  constructor(path: string, mirror: Pick<DeviceMirror, "apply">) {
    this.path = path;
    this.mirror = mirror;
  }

  /**
   * Does what was answered since the last time. Who comes while another does so does what is left, in the same order: it
   * need not wait for what follows from a request that the other has done.
   */
  async sync(): Promise<void> {
    this.waiting.push(...this.news());
    for (let request = this.waiting.shift(); request !== undefined; request = this.waiting.shift()) {
      this.requests++;
      await this.onRequest(this.mirror.apply(request));
    }
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private news(): AnsweredRequest[] {
    if (this.fd < 0) {
      if (!existsSync(this.path)) return [];
      this.fd = openSync(this.path, "r");
    }
    const requests: AnsweredRequest[] = [];
    for (;;) {
      const count = readSync(this.fd, this.piece, 0, PIECE, this.offset);
      if (count === 0) return requests;
      this.offset += count;
      requests.push(...this.log.take(this.decoder.decode(this.piece.subarray(0, count), { stream: true })));
    }
  }
}

/** Whether a request took memory away from the guest. */
export const tookMemory = ({ type, response }: AnsweredRequest): boolean =>
  response === VIRTIO_MEM_RESPONSE.ACK &&
  (type === VIRTIO_MEM_REQUEST.UNPLUG || type === VIRTIO_MEM_REQUEST.UNPLUG_ALL);

/** The memory that a request took away. An UNPLUG_ALL whose device nobody knows: the regions of all of them. */
export const takenBy = (
  { type, addr, blocks }: AnsweredRequest,
  devices: readonly (Region & { readonly blockSize: number })[],
): Span[] => {
  const all = type === VIRTIO_MEM_REQUEST.UNPLUG_ALL;
  return devices
    .filter((each) => (all && addr === 0) || (each.addr <= addr && addr < each.addr + each.regionSize))
    .map((each) =>
      all
        ? { start: each.addr, end: each.addr + each.regionSize }
        : { start: addr, end: addr + blocks * each.blockSize },
    );
};
