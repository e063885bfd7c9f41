import { clearRange, setRange } from "../flat/bitmap.ts";
import { DirtyRanges } from "../flat/dirty-ranges.ts";

/** Is told of every change of a bit as it is made. Ranges are units relative to the window, half open. */
export interface TableObserver {
  accepted(start: number, end: number): void;
  unaccepted(start: number, end: number): void;
  plugged(start: number, end: number): void;
  unplugged(start: number, end: number): void;
}

/**
 * The kernel's view of the unaccepted-memory table in guest memory: where its window lies and its bitmaps.
 * Bits are bytes in guest RAM, least significant first; the second bitmap exists in version 2 only.
 *
 * @source Linux include/linux/efi.h; version 2: RFCv2 "Support memory hotplug/unplug for TDX CoCo guests"
 */
export class UnacceptedTable {
  readonly version: 1 | 2;
  /** Address of the table itself, which need not be page aligned. */
  readonly address: number;
  /** Guest-physical address of bit 0, bytes; a multiple of unitSize. */
  readonly physBase: number;
  readonly unitSize: number;
  /** Length of one bitmap in bytes. */
  readonly sizeBytes: number;
  /** Bit set: not accepted. */
  readonly unaccepted: Uint8Array;
  /** Bit set: the VMM has plugged it. */
  readonly plugged: Uint8Array | undefined;
  /** Units (absolute) whose bits changed. */
  readonly dirty = new DirtyRanges();
  observer: TableObserver | undefined;

  constructor(
    address: number,
    version: 1 | 2,
    physBase: number,
    unitSize: number,
    unaccepted: Uint8Array,
    plugged?: Uint8Array,
  ) {
    this.address = address;
    this.version = version;
    this.physBase = physBase;
    this.unitSize = unitSize;
    this.sizeBytes = unaccepted.length;
    this.unaccepted = unaccepted;
    this.plugged = plugged;
  }

  /** Units in the window: bits of one bitmap. */
  get units(): number {
    return this.sizeBytes * 8;
  }

  /** End of the window in bytes. */
  get end(): number {
    return this.physBase + this.units * this.unitSize;
  }

  /** Clears unaccepted bits [start, end), relative to the window. */
  markAccepted(start: number, end: number): void {
    clearRange(this.unaccepted, start, end);
    this.changed(start, end);
    this.observer?.accepted(start, end);
  }

  /** Sets unaccepted bits [start, end). */
  markUnaccepted(start: number, end: number): void {
    setRange(this.unaccepted, start, end);
    this.changed(start, end);
    this.observer?.unaccepted(start, end);
  }

  /** Sets or clears plugged bits [start, end) of a version 2 table. */
  markPlugged(start: number, end: number, plugged: boolean): void {
    if (plugged) setRange(this.plugged!, start, end);
    else clearRange(this.plugged!, start, end);
    this.changed(start, end);
    if (plugged) this.observer?.plugged(start, end);
    else this.observer?.unplugged(start, end);
  }

  private changed(start: number, end: number): void {
    const base = this.physBase / this.unitSize;
    this.dirty.add(base + start, base + end);
  }
}
