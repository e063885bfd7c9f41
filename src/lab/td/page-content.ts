import { MIB, PAGE_SIZE, roundDown, roundUp } from "../../units.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";
import { punchHole } from "../guest-ram/holes.ts";

const UNIT = 2 * MIB;

/**
 * What TDX does to the content of pages, done to the guest's memory files: a page is zero once it is accepted, and what
 * the guest gave back has no page any more.
 */
export class PageContent {
  private readonly ram: GuestRam;
  /** Units, counted from address 0, that may hold something. */
  private readonly written = new Set<number>();

  constructor(ram: GuestRam) {
    this.ram = ram;
  }

  /** The guest may write [start, end) from now on, which reads as zeros. */
  accepted(start: number, end: number): void {
    for (let at = start; at < end; at += UNIT) {
      const unit = Math.floor(at / UNIT);
      const stop = Math.min(end, (unit + 1) * UNIT);
      if (this.written.has(unit) && this.ram.has(at, stop - at))
        this.ram.write(at, new Uint8Array(stop - at));
      this.written.add(unit);
    }
  }

  /** The guest has written [start, end) already, and may: nothing of it is lost. */
  inUse(start: number, end: number): void {
    for (let at = roundDown(start, UNIT); at < end; at += UNIT) this.written.add(at / UNIT);
  }

  /** The guest may not touch [start, end) any more. Its pages go. */
  async released(start: number, end: number): Promise<void> {
    if (end <= start || !this.ram.has(start, end - start)) return;
    for (const { file, offset, length } of this.ram.filesOf(start, end - start))
      await punchHole(file.path, offset, roundUp(length, PAGE_SIZE));
    this.discarded(start, end);
  }

  /** QEMU has given the pages of [start, end) back itself. */
  discarded(start: number, end: number): void {
    for (let at = roundUp(start, UNIT); at + UNIT <= roundDown(end, UNIT); at += UNIT)
      this.written.delete(at / UNIT);
  }
}
