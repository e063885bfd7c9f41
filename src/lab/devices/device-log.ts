import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";

/** A request that QEMU's virtio-mem device answered. */
export interface AnsweredRequest {
  /** VIRTIO_MEM_REQUEST number. */
  readonly type: number;
  /** Guest-physical bytes; 0 for UNPLUG_ALL. */
  readonly addr: number;
  readonly blocks: number;
  /** VIRTIO_MEM_RESPONSE number. */
  readonly response: number;
}

const { PLUG, UNPLUG, UNPLUG_ALL, STATE } = VIRTIO_MEM_REQUEST;

const REQUESTS: readonly (readonly [pattern: RegExp, type: number])[] = [
  [/virtio_mem_plug_request addr=0x([0-9a-f]+) nb_blocks=(\d+)/, PLUG],
  [/virtio_mem_unplug_request addr=0x([0-9a-f]+) nb_blocks=(\d+)/, UNPLUG],
  [/virtio_mem_state_request addr=0x([0-9a-f]+) nb_blocks=(\d+)/, STATE],
  [/virtio_mem_unplug_all_request/, UNPLUG_ALL],
];
const RESPONSE = /virtio_mem_send_response type=(\d+)/;

/**
 * Reads QEMU's trace of its virtio-mem devices as it grows.
 *
 * A device handles one request from start to end before the next, and writes its line before the guest gets the answer:
 * what the guest does because of an answer comes after the line.
 *
 * @source QEMU hw/virtio/trace-events
 */
export class DeviceLog {
  private rest = "";
  private asked: Omit<AnsweredRequest, "response"> | undefined;

  /** Takes in what was written since, and gives the requests that were answered in it. */
  take(text: string): AnsweredRequest[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop()!;
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): AnsweredRequest[] {
    const response = RESPONSE.exec(line);
    if (response !== null) {
      const { asked } = this;
      this.asked = undefined;
      return asked === undefined ? [] : [{ ...asked, response: Number(response[1]) }];
    }
    for (const [pattern, type] of REQUESTS) {
      const found = pattern.exec(line);
      if (found === null) continue;
      this.asked = { type, addr: Number.parseInt(found[1] ?? "0", 16), blocks: Number(found[2] ?? 0) };
    }
    return [];
  }
}
