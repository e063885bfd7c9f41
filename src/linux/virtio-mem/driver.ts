import { assert } from "../../assert.ts";
import { clearRange, findNextClear, findNextSet, setRange } from "../../flat/bitmap.ts";
import type { VirtioMemPort } from "../boundary.ts";
import {
  BBM_EVENTS,
  type BbmEvent,
  bbmNext,
  REFUSED,
  SBM_EVENTS,
  SBM_STATES,
  type SbmEvent,
  sbmNext,
} from "./states.ts";

/** Time until a failed plug or unplug is tried again: at first, and at most after doubling. */
export const RETRY_MIN_MS = 50_000;
export const RETRY_MAX_MS = 300_000;

/**
 * Slots of `VirtioMemDriver.words`: numbers and flags (0 or 1) of one device's driver. Sizes are bytes.
 */
export const VM = {
  /** What the driver believes is plugged, and what the device asked for when it was last read. */
  PLUGGED: 0,
  REQUESTED: 1,
  /** Block that the next new block gets; last block that may be plugged (may lie below the first). */
  NEXT_BLOCK: 2,
  LAST_USABLE: 3,
  /** Memory added but not online, and the most that is allowed. */
  OFFLINE_SIZE: 4,
  OFFLINE_THRESHOLD: 5,
  /** The next delay of the retry timer. */
  RETRY_MS: 6,
  /** Delay of the armed timer, 0: not armed; and how often it was armed, so that a machine sees re-arming. */
  TIMER_MS: 7,
  TIMER_ARMINGS: 8,
  /** The device's configuration changed since it was last read. */
  CONFIG_CHANGED: 9,
  /** The work item is queued; it is running. */
  WORK_PENDING: 10,
  WORK_ACTIVE: 11,
  /** An error that the driver does not understand: no request is ever sent again. */
  BROKEN: 12,
  /** Memory was plugged before the driver came: everything must be unplugged first. */
  UNPLUG_ALL_REQUIRED: 13,
  REMOVING: 14,
  /** The hotplug mutex is held from MEM_GOING_* to the event that ends it. */
  HOTPLUG_ACTIVE: 15,
  /** Some block has no sub-block plugged but is still in Linux. */
  HAVE_UNPLUGGED_MB: 16,
  /** The one warning about a plugged size that the device sees differently was printed. */
  WARNED_PLUGGED: 17,
  /** Probing succeeded. */
  READY: 18,
  /** Memory group of all memory of the device. */
  GROUP: 19,
  /** From sending a request until the driver noted its answer: its bits and the device's may differ. */
  IN_FLIGHT: 20,
  /** In a kdump kernel: whether a block was asked about, the last one (address), and whether it was plugged. */
  ASKED: 21,
  LAST_BLOCK: 22,
  LAST_PLUGGED: 23,
} as const;

const WORDS = Object.keys(VM).length;

const SBM_ROWS = new Map(SBM_EVENTS.map((event) => [event, sbmNext(event)]));
const BBM_ROWS = new Map(BBM_EVENTS.map((event) => [event, bbmNext(event)]));

/** How a device's memory is cut up, fixed when it is probed. */
export interface VirtioMemLayout {
  /** Sub-block mode: a block is a Linux memory block whose sub-blocks are plugged one by one. */
  readonly sbm: boolean;
  /** Bytes of a block: the Linux memory block, or the big block. */
  readonly blockSize: number;
  /** Bytes that are plugged and unplugged at once: the sub-block, or the big block. */
  readonly subBlockSize: number;
  /** Number of the first block, address / blockSize. */
  readonly firstBlock: number;
  /** Blocks that fit into the region and the addressable range. */
  readonly blocks: number;
}

/**
 * The virtio-mem driver's state of one device: a state byte a block, a bit a sub-block (set: plugged), and
 * some numbers.
 *
 * @source Linux drivers/virtio/virtio_mem.c, struct virtio_mem
 */
export class VirtioMemDriver {
  readonly port: VirtioMemPort;
  readonly layout: VirtioMemLayout;
  /** Sub-blocks of a block; 1 in big-block mode. */
  readonly subBlocks: number;
  readonly words = new Float64Array(WORDS);
  readonly states: Uint8Array;
  /** Blocks in each state, of those below NEXT_BLOCK. */
  readonly counts = new Float64Array(SBM_STATES.length);
  /** Bit set: the device acknowledged the plug of this sub-block, and no unplug since. */
  readonly plugged: Uint8Array;

  constructor(port: VirtioMemPort, layout: VirtioMemLayout) {
    assert(layout.blockSize % layout.subBlockSize === 0, "a block is a whole number of sub-blocks");
    this.port = port;
    this.layout = layout;
    this.subBlocks = layout.blockSize / layout.subBlockSize;
    this.states = new Uint8Array(layout.blocks);
    this.plugged = new Uint8Array(Math.ceil((layout.blocks * this.subBlocks) / 8));
    this.words[VM.NEXT_BLOCK] = layout.firstBlock;
    this.words[VM.RETRY_MS] = RETRY_MIN_MS;
  }

  has(flag: number): boolean {
    return this.words[flag] !== 0;
  }

  /** Queues the work item, unless the driver is going away. */
  retry(): void {
    if (!this.has(VM.REMOVING)) this.words[VM.WORK_PENDING] = 1;
  }

  stateOf(block: number): number {
    return this.states[block - this.layout.firstBlock]!;
  }

  /** Makes the next block known, UNUSED. @returns its number, or -1 if none may be plugged */
  prepareNextBlock(): number {
    const block = this.words[VM.NEXT_BLOCK]!;
    if (block > this.words[VM.LAST_USABLE]!) return -1;
    this.words[VM.NEXT_BLOCK] = block + 1;
    this.counts[0]!++;
    return block;
  }

  /** Moves a block along the edge of a sub-block-mode event. */
  sbmEvent(block: number, event: SbmEvent): void {
    this.setState(block, SBM_ROWS.get(event)![this.stateOf(block)]!, event);
  }

  bbmEvent(block: number, event: BbmEvent): void {
    this.setState(block, BBM_ROWS.get(event)![this.stateOf(block)]!, event);
  }

  /** First block of this state at or above `from`, or -1. */
  nextInState(state: number, from: number): number {
    if (this.counts[state] === 0) return -1;
    for (let block = from; block < this.words[VM.NEXT_BLOCK]!; block++) {
      if (this.stateOf(block) === state) return block;
    }
    return -1;
  }

  /** Last block of this state at or below `from`, or -1. */
  previousInState(state: number, from: number): number {
    if (this.counts[state] === 0) return -1;
    for (let block = from; block >= this.layout.firstBlock; block--) {
      if (this.stateOf(block) === state) return block;
    }
    return -1;
  }

  addressOf(block: number, subBlock = 0): number {
    return block * this.layout.blockSize + subBlock * this.layout.subBlockSize;
  }
  blockAt(address: number): number {
    return Math.floor(address / this.layout.blockSize);
  }

  /** Number of the bit of a block's sub-block. */
  bitOf(block: number, subBlock: number): number {
    return (block - this.layout.firstBlock) * this.subBlocks + subBlock;
  }
  allPlugged(block: number, subBlock: number, count: number): boolean {
    const bit = this.bitOf(block, subBlock);
    return findNextClear(this.plugged, bit + count, bit) === bit + count;
  }
  allUnplugged(block: number, subBlock: number, count: number): boolean {
    const bit = this.bitOf(block, subBlock);
    return findNextSet(this.plugged, bit + count, bit) === bit + count;
  }
  /** First unplugged sub-block of a block, or `subBlocks`. */
  firstUnplugged(block: number): number {
    const bit = this.bitOf(block, 0);
    return findNextClear(this.plugged, bit + this.subBlocks, bit) - bit;
  }
  setPlugged(block: number, subBlock: number, count: number, plugged: boolean): void {
    const bit = this.bitOf(block, subBlock);
    if (plugged) setRange(this.plugged, bit, bit + count);
    else clearRange(this.plugged, bit, bit + count);
  }

  /** virtio_mem_could_add_memory(): whether this much more may be added without being online. */
  couldAdd(bytes: number): boolean {
    return this.words[VM.OFFLINE_SIZE]! + bytes <= this.words[VM.OFFLINE_THRESHOLD]!;
  }

  /** Whether [start, start + size) and the device's region overlap. */
  overlaps(start: number, size: number): boolean {
    const { addr, regionSize } = this.port;
    return start < addr + regionSize && addr < start + size;
  }

  /** The arrays that a snapshot copies. */
  views(): ArrayBufferView[] {
    return [this.words, this.states, this.counts, this.plugged];
  }

  private setState(block: number, state: number, event: string): void {
    assert(state !== REFUSED, () => `virtio-mem block ${block} is in a state that "${event}" can meet`);
    this.counts[this.stateOf(block)]!--;
    this.counts[state]!++;
    this.states[block - this.layout.firstBlock] = state;
  }
}
