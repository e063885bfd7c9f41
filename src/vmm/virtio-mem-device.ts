import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE, VIRTIO_MEM_STATE } from "../abi/virtio-mem/response.ts";
import { clearRange, findNextClear, findNextSet, getBit, setRange } from "../flat/bitmap.ts";
import { GIB, type Gpa, MIB, roundUp } from "../units.ts";
import { Injection, NOT_ARRANGED } from "./injection.ts";
import { checkProperties, type VirtioMemProperties } from "./virtio-mem-properties.ts";
import { demand, hex } from "./vmm-error.ts";

const { PLUG, UNPLUG_ALL, STATE } = VIRTIO_MEM_REQUEST;
const { ACK, NACK, BUSY, ERROR } = VIRTIO_MEM_RESPONSE;
const { PLUGGED, UNPLUGGED, MIXED } = VIRTIO_MEM_STATE;

/** A protocol violation: the device writes no response and waits for a reset. */
export const NO_REPLY = -1;
/** The request passed every check; what remains cannot be refused by the device's own state. */
export const PROCEED = -2;

/** The usable region reaches this much beyond the target: two x86 memory blocks of 128 MiB. */
const USABLE_EXTENT = 256 * MIB;
/** Smallest slot that `dynamic-memslots` cuts the region into, and how many slots it makes at most. */
const MIN_DYNAMIC_SLOT = GIB;
const MAX_DYNAMIC_SLOTS = 256;

/** Places in the device's numbers. */
const USABLE = 0;
const PLUGGED_BYTES = 1;
const REQUESTED = 2;
const GENERATION = 3;
const NEEDS_RESET = 4;
const MIGRATING = 5;

/**
 * A virtio-mem device as QEMU implements it: which blocks are plugged, what the guest may ask for.
 *
 * A request is checked first and committed later, because giving memory back takes steps in between. The
 * checks come in QEMU's order: range before target before block state before migration.
 *
 * @source virtio specification, memory device; QEMU hw/virtio/virtio-mem.c
 * @missing feature negotiation, the virtqueue's rings, migration streams, device removal
 */
export class VirtioMemDevice {
  readonly id: string;
  readonly node: number;
  readonly addr: Gpa;
  readonly regionSize: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly prealloc: boolean;
  readonly dynamicMemslots: boolean;
  /** Bytes of one memslot: the region, or a part of it with dynamic memslots. */
  readonly slotSize: number;
  readonly injection = new Injection();
  /** One bit a block: set is plugged. */
  readonly plugged: Uint8Array;
  /** Usable, plugged and requested bytes, generation, NEEDS_RESET, migration running. */
  readonly words = new Float64Array(6);
  private readonly usableExtent: number;
  private readonly isQemu: boolean;

  /** @throws VmmError for properties QEMU refuses to realize */
  constructor(properties: VirtioMemProperties) {
    checkProperties(properties);
    const { id, size, memaddr, blockSize = 2 * MIB, node = 0, dynamicMemslots = false } = properties;
    this.id = id;
    this.node = node;
    this.addr = memaddr;
    this.regionSize = size;
    this.blockSize = blockSize;
    this.blocks = size / blockSize;
    this.prealloc = properties.prealloc ?? false;
    this.dynamicMemslots = dynamicMemslots;
    const slotSize = Math.max(properties.minSlotSize ?? MIN_DYNAMIC_SLOT, size / MAX_DYNAMIC_SLOTS);
    this.slotSize = dynamicMemslots ? Math.min(size, roundUp(slotSize, blockSize)) : size;
    this.usableExtent = properties.usable === "region" ? size : (properties.usableExtent ?? USABLE_EXTENT);
    this.isQemu = properties.dialect !== "cloud-hypervisor";
    this.plugged = new Uint8Array(Math.ceil(this.blocks / 8));
    this.words[REQUESTED] = properties.requestedSize ?? 0;
    this.resizeUsable(true);
  }

  get usableRegionSize(): number {
    return this.words[USABLE]!;
  }

  get pluggedSize(): number {
    return this.words[PLUGGED_BYTES]!;
  }

  get requestedSize(): number {
    return this.words[REQUESTED]!;
  }

  /** Moves with every change that the host makes, never with a request. */
  get generation(): number {
    return this.words[GENERATION]!;
  }

  get needsReset(): boolean {
    return this.words[NEEDS_RESET] !== 0;
  }

  /** While set, every change of the plugged blocks is answered BUSY. */
  get migrating(): boolean {
    return this.words[MIGRATING] !== 0;
  }

  set migrating(running: boolean) {
    this.words[MIGRATING] = running ? 1 : 0;
  }

  /**
   * What the device says to a request before it does anything.
   *
   * @param addr guest-physical address in bytes @param count blocks, as the 16-bit field has it
   * @returns an answer (ACK and its state for STATE as `ACK | state << 8`), NO_REPLY, or PROCEED
   */
  check(type: number, addr: number, count: number): number {
    if (this.needsReset) return NO_REPLY;
    if (!(PLUG <= type && type <= STATE)) {
      if (!this.isQemu) return ERROR;
      this.words[NEEDS_RESET] = 1;
      return NO_REPLY;
    }
    if (type === UNPLUG_ALL) return this.checkUnplugAll();
    const beyondTarget = type === PLUG && this.pluggedSize + count * this.blockSize > this.requestedSize;
    if (beyondTarget && !this.isQemu) return NACK;
    if (!this.inUsableRegion(addr, count)) return ERROR;
    if (type === STATE) return this.answerState(addr, count);
    if (beyondTarget) return NACK;
    if (this.stateOf(addr, count) !== (type === PLUG ? UNPLUGGED : PLUGGED)) return ERROR;
    return this.busyOrProceed(type);
  }

  /** What the device says when it cannot do now what is right to ask. */
  get later(): number {
    return this.isQemu ? BUSY : ERROR;
  }

  /** Marks blocks that `check` let through. */
  commit(type: number, addr: number, count: number): void {
    if (type === UNPLUG_ALL) {
      this.plugged.fill(0);
      this.words[PLUGGED_BYTES] = 0;
      this.resizeUsable(true);
      return;
    }
    const first = this.blockAt(addr);
    (type === PLUG ? setRange : clearRange)(this.plugged, first, first + count);
    this.words[PLUGGED_BYTES]! += (type === PLUG ? count : -count) * this.blockSize;
  }

  /**
   * The operator's target. Writing the value it has already still tells the guest.
   *
   * @throws VmmError unless it is a multiple of the block size and at most the region
   */
  setRequestedSize(bytes: number): void {
    demand(
      Number.isSafeInteger(bytes) && bytes >= 0 && bytes % this.blockSize === 0,
      `${this.id} requested-size`,
      `a multiple of the block-size ${hex(this.blockSize)}`,
      hex(bytes),
    );
    demand(
      bytes <= this.regionSize,
      `${this.id} requested-size`,
      `at most the memory backend size ${hex(this.regionSize)}`,
      hex(bytes),
    );
    this.words[REQUESTED] = bytes;
    this.resizeUsable(false);
    this.words[GENERATION]!++;
  }

  /** Status := 0 by the driver: neither blocks nor sizes change. */
  deviceReset(): void {
    this.words[NEEDS_RESET] = 0;
  }

  /** Index of the block that holds an address of the region. */
  blockAt(addr: number): number {
    return Math.floor((addr - this.addr) / this.blockSize);
  }

  /** Whether the address lies in a plugged block; false outside the region. */
  isPlugged(addr: number): boolean {
    const block = this.blockAt(addr);
    return 0 <= block && block < this.blocks && getBit(this.plugged, block);
  }

  /** Whether a memslot maps an address of the region. */
  hasSlot(addr: number): boolean {
    return !this.dynamicMemslots || this.isPlugged(addr) || !this.isSlotEmpty(this.slotAt(addr));
  }

  /** Number of the memslot that covers an address of the region. */
  slotAt(addr: number): number {
    return Math.floor((addr - this.addr) / this.slotSize);
  }

  /** Memslots that KVM has for the region now. */
  get liveSlots(): number {
    let live = 0;
    for (let slot = 0; slot * this.slotSize < this.regionSize; slot++) {
      if (!this.dynamicMemslots || !this.isSlotEmpty(slot)) live++;
    }
    return live;
  }

  /** Whether a memslot holds no plugged block, so that dynamic memslots unmap it. */
  isSlotEmpty(slot: number): boolean {
    const first = (slot * this.slotSize) / this.blockSize;
    const end = Math.min(this.blocks, first + this.slotSize / this.blockSize);
    return findNextSet(this.plugged, end, first) === end;
  }

  /** PLUGGED, UNPLUGGED or MIXED over whole blocks of the region. */
  stateOf(addr: number, count: number): number {
    const first = this.blockAt(addr);
    const end = first + count;
    if (findNextClear(this.plugged, end, first) === end) return PLUGGED;
    return findNextSet(this.plugged, end, first) === end ? UNPLUGGED : MIXED;
  }

  private inUsableRegion(addr: number, count: number): boolean {
    if (count === 0 || addr < this.addr || (addr - this.addr) % this.blockSize !== 0) return false;
    return addr - this.addr + count * this.blockSize <= this.usableRegionSize;
  }

  private answerState(addr: number, count: number): number {
    const arranged = this.injection.take(STATE);
    return arranged === NOT_ARRANGED ? ACK | (this.stateOf(addr, count) << 8) : arranged;
  }

  private checkUnplugAll(): number {
    if (this.pluggedSize > 0) return this.busyOrProceed(UNPLUG_ALL);
    const arranged = this.injection.take(UNPLUG_ALL);
    return arranged === NOT_ARRANGED ? PROCEED : arranged;
  }

  private busyOrProceed(type: number): number {
    if (this.words[MIGRATING] !== 0) return this.later;
    const arranged = this.injection.take(type);
    return arranged === NOT_ARRANGED ? PROCEED : arranged;
  }

  /** The usable region grows with the target; it shrinks only where the guest cannot rely on it. */
  private resizeUsable(mayShrink: boolean): void {
    const wanted = this.requestedSize === 0 ? 0 : this.requestedSize + this.usableExtent;
    const usable = roundUp(Math.min(this.regionSize, wanted), this.blockSize);
    if (mayShrink || usable > this.usableRegionSize) this.words[USABLE] = usable;
  }
}
