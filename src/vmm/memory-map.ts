import { assert } from "../assert.ts";

/** What kind of memory an area is. */
export const RAM_AREA = 0;
export const VIRTIO_MEM_AREA = 1;
export const DIMM_AREA = 2;

/** No memory of the VMM lies there. */
export const NO_AREA = -1;

const START = 0;
const END = 1;
const PIECE = 2;
const ROW = 3;

/** An area of the map that is never there, or only while a DIMM is in its slot. */
export interface AreaDefinition {
  readonly kind: number;
  /** Number of the RAM range, of the device, or of the slot. */
  readonly index: number;
}

/**
 * Which piece of guest memory lies at a guest frame: boot RAM, virtio-mem regions, DIMMs.
 *
 * An area is there for ever (RAM, regions) or while its slot holds a DIMM. Frames are 4 KiB guest frames.
 */
export class MemoryMap {
  readonly areas: readonly AreaDefinition[];
  /** Kind by area, for hot paths. */
  readonly kinds: Uint8Array;
  /** Per area: first frame, frame behind the last (0: not there), number of its piece. */
  readonly rows: Float64Array;
  private last = 0;

  constructor(areas: readonly AreaDefinition[]) {
    this.areas = areas;
    this.kinds = Uint8Array.from(areas, (area) => area.kind);
    this.rows = new Float64Array(areas.length * ROW);
  }

  /** Puts a piece of memory at a frame. */
  place(area: number, start: number, pages: number, piece: number): void {
    assert(!this.isPresent(area), "a piece of memory is placed where its area has none");
    this.rows[area * ROW + START] = start;
    this.rows[area * ROW + END] = start + pages;
    this.rows[area * ROW + PIECE] = piece;
  }

  remove(area: number): void {
    this.rows.fill(0, area * ROW, (area + 1) * ROW);
  }

  /** Looks from the first area on the next time: which rows it reads then does not depend on what was looked for before. */
  forgetLast(): void {
    this.last = 0;
  }

  /** Area that a frame lies in, or NO_AREA. */
  find(frame: number): number {
    const rows = this.rows;
    const last = this.last * ROW;
    if (rows[last]! <= frame && frame < rows[last + END]!) return this.last;
    for (let area = 0; area < this.areas.length; area++) {
      const row = area * ROW;
      if (rows[row]! <= frame && frame < rows[row + END]!) {
        this.last = area;
        return area;
      }
    }
    return NO_AREA;
  }

  start(area: number): number {
    return this.rows[area * ROW + START]!;
  }

  end(area: number): number {
    return this.rows[area * ROW + END]!;
  }

  isPresent(area: number): boolean {
    return this.rows[area * ROW + END] !== 0;
  }

  piece(area: number): number {
    return this.rows[area * ROW + PIECE]!;
  }

  /** First frame at or behind `frame` that an area covers, or Infinity. */
  nextCovered(frame: number): number {
    let first = Number.POSITIVE_INFINITY;
    for (let area = 0; area < this.areas.length; area++) {
      if (this.end(area) > frame) first = Math.min(first, Math.max(frame, this.start(area)));
    }
    return first;
  }
}
