import type { VirtioMemPort } from "../../boundary.ts";

const PLUG = 0;
const UNPLUG = 1;
const UNPLUG_ALL = 2;
const ACK = 0;
const NACK = 1;
const ERROR = 3;

/**
 * A virtio-mem device with the rules of QEMU: range before target before block state. It keeps a log of
 * requests as text, can be told what to answer, and can keep the guest waiting.
 */
export class FakeVirtioMem implements VirtioMemPort {
  readonly name: string;
  readonly blockSize: number;
  readonly nodeId: number;
  readonly addr: number;
  readonly regionSize: number;
  /** One byte a block: 1 plugged. */
  readonly blocks: Uint8Array;
  readonly log: string[] = [];
  /** Answers before the device's own rules do: a response type, or undefined. */
  script: ((type: number, addr: number, blocks: number) => number | undefined) | undefined;
  /** While true no request is answered. */
  stalled = false;
  usable: number;
  requested = 0;
  /** The answer that waits to be fetched, -1: no request is out. */
  pending = -1;

  constructor(addr: number, regionSize: number, blockSize = 2 ** 21, name = "virtio0", nodeId = 0) {
    this.name = name;
    this.addr = addr;
    this.regionSize = regionSize;
    this.blockSize = blockSize;
    this.nodeId = nodeId;
    this.blocks = new Uint8Array(regionSize / blockSize);
    this.usable = regionSize;
  }

  usableRegionSize(): number {
    return this.usable;
  }
  pluggedSize(): number {
    return this.blocks.reduce((sum, plugged) => sum + plugged, 0) * this.blockSize;
  }
  requestedSize(): number {
    return this.requested;
  }

  send(type: number, addr: number, blocks: number): void {
    if (this.pending >= 0) throw new Error("two requests in flight");
    this.pending = this.script?.(type, addr, blocks) ?? this.judge(type, addr, blocks);
    const first = (addr - this.addr) / this.blockSize;
    const what =
      type === UNPLUG_ALL ? "UNPLUG_ALL" : `${type === PLUG ? "PLUG" : "UNPLUG"} ${first}+${blocks}`;
    this.log.push(`${what} ${["ACK", "NACK", "BUSY", "ERROR"][this.pending] ?? this.pending}`);
    if (this.pending !== ACK) return;
    if (type === UNPLUG_ALL) this.blocks.fill(0);
    else this.blocks.fill(type === PLUG ? 1 : 0, first, first + blocks);
  }

  response(): number {
    if (this.stalled) return -1;
    const answer = this.pending;
    this.pending = -1;
    return answer;
  }

  private judge(type: number, addr: number, blocks: number): number {
    if (type === UNPLUG_ALL) return ACK;
    const first = (addr - this.addr) / this.blockSize;
    const inside = Number.isInteger(first) && first >= 0 && (first + blocks) * this.blockSize <= this.usable;
    if (!inside || blocks === 0) return ERROR;
    if (type === PLUG && this.pluggedSize() + blocks * this.blockSize > this.requested) return NACK;
    const wanted = type === UNPLUG ? 1 : 0;
    return this.blocks.subarray(first, first + blocks).every((plugged) => plugged === wanted) ? ACK : ERROR;
  }
}
