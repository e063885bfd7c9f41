import { assert } from "../assert.ts";
import { ERRNO } from "./errno.ts";

/** What a range in the iomem tree is, bit by bit. */
export const RESOURCE = {
  /** In use: nothing may be put inside it by a request from above. */
  BUSY: 0x01,
  SYSTEM_RAM: 0x02,
  /** Memory that a driver added under its own name; kexec keeps off it. */
  DRIVER_MANAGED: 0x04,
  /** May grow together with a neighbour of the same kind. */
  MERGEABLE: 0x08,
  /** User space may not map it. */
  EXCLUSIVE: 0x10,
} as const;

/** No resource, and the end of a list of them. */
export const NO_RESOURCE = -1;

const ROOT = 0;
/** Depth below which /proc/iomem prints no more indent. */
const MAX_IORES_LEVEL = 5;

/**
 * iomem_resource: which physical ranges are what, as a tree of disjoint ranges in address order.
 *
 * Columns of numbers, a row a range; names are interned and never forgotten, so a row names its text by a
 * number. Addresses are bytes, ends are exclusive.
 *
 * @source Linux kernel/resource.c
 * @missing ports, muxed requests, reservations that are split by drivers
 */
export class ResourceTree {
  starts: Float64Array;
  ends: Float64Array;
  parents: Int32Array;
  children: Int32Array;
  siblings: Int32Array;
  names: Int32Array;
  flags: Uint8Array;
  /** [0]: rows ever used, [1]: head of the list of free rows (linked by sibling). */
  readonly words = new Int32Array([0, NO_RESOURCE]);
  private readonly interned: string[] = [];

  /** @param end end of the physical address space, bytes */
  constructor(end = 2 ** 52) {
    const rows = 64;
    this.starts = new Float64Array(rows);
    this.ends = new Float64Array(rows);
    this.parents = new Int32Array(rows);
    this.children = new Int32Array(rows);
    this.siblings = new Int32Array(rows);
    this.names = new Int32Array(rows);
    this.flags = new Uint8Array(rows);
    const root = this.newRow(0, end, this.intern("PCI mem"), 0);
    assert(root === ROOT, "the first row is the root");
    this.parents[ROOT] = NO_RESOURCE;
  }

  /** Number of a name; the same text has the same number. */
  intern(name: string): number {
    const known = this.interned.indexOf(name);
    return known >= 0 ? known : this.interned.push(name) - 1;
  }

  /** Text of a name's number; undefined if nobody interned it. */
  nameOf(name: number): string | undefined {
    return this.interned[name];
  }

  /**
   * __request_resource(): puts [start, start + size) under `parent`.
   *
   * @returns the new row, or -1 with nothing changed when it does not fit or overlaps a child
   */
  insert(parent: number, start: number, size: number, name: number, flags: number): number {
    if (this.conflict(parent, start, size) !== NO_RESOURCE) return NO_RESOURCE;
    return this.link(parent, this.newRow(start, start + size, name, flags));
  }

  /**
   * __request_region(): as insert at the root, but a request that falls into a range which is not busy goes
   * below it. This is how memory of a virtio-mem device lands under the device.
   *
   * @returns the new row, or -1 with nothing changed: some busy range is in the way
   */
  request(start: number, size: number, name: number, flags: number): number {
    const parent = this.parentFor(start, size);
    if (parent === NO_RESOURCE) return NO_RESOURCE;
    return this.link(parent, this.newRow(start, start + size, name, flags));
  }

  /** Whether `request` would succeed. */
  canRequest(start: number, size: number): boolean {
    return this.parentFor(start, size) !== NO_RESOURCE;
  }

  /** Takes a row out of the tree. Its children, of which hotplug makes none, go with it. */
  release(row: number): void {
    this.setLink(row, this.siblings[row]!);
    this.forget(row);
  }

  /**
   * merge_system_ram_resource(): marks a row mergeable and joins it with the neighbours that are so too and
   * touch it.
   *
   * @returns the row that now covers the range
   */
  merge(row: number): number {
    this.flags[row]! |= RESOURCE.MERGEABLE;
    const next = this.siblings[row]!;
    if (next !== NO_RESOURCE && this.mergeable(row, next)) this.join(row, next);
    const before = this.previous(row);
    if (before === NO_RESOURCE || !this.mergeable(before, row)) return row;
    this.join(before, row);
    return before;
  }

  /**
   * release_mem_region_adjustable(): takes [start, start + size) out of the busy system RAM that holds it,
   * which shrinks or splits.
   *
   * @returns 0, or -EINVAL with nothing changed when no such range covers all of it
   */
  releaseAdjustable(start: number, size: number): number {
    const end = start + size;
    for (let row = this.children[ROOT]!; row !== NO_RESOURCE; ) {
      if (this.starts[row]! > start || this.ends[row]! < end) {
        row = this.siblings[row]!;
      } else if ((this.flags[row]! & RESOURCE.BUSY) === 0) {
        row = this.children[row]!;
      } else if ((this.flags[row]! & RESOURCE.SYSTEM_RAM) === 0) {
        return ERRNO.EINVAL;
      } else {
        this.cut(row, start, end);
        return 0;
      }
    }
    return ERRNO.EINVAL;
  }

  /** Busy row that holds exactly [start, start + size), or -1. */
  find(start: number, size: number): number {
    for (let row = this.children[ROOT]!; row !== NO_RESOURCE; ) {
      if (this.starts[row]! > start || this.ends[row]! < start + size) row = this.siblings[row]!;
      else if ((this.flags[row]! & RESOURCE.BUSY) === 0) row = this.children[row]!;
      else return this.starts[row] === start && this.ends[row] === start + size ? row : NO_RESOURCE;
    }
    return NO_RESOURCE;
  }

  /** Text of /proc/iomem for a privileged reader, newline at the end of each line. */
  iomemText(): string {
    let text = "";
    let row = this.children[ROOT]!;
    let depth = 0;
    const hex = (n: number): string => n.toString(16).padStart(8, "0");
    while (row !== NO_RESOURCE) {
      const indent = "  ".repeat(Math.min(depth, MAX_IORES_LEVEL));
      text += `${indent}${hex(this.starts[row]!)}-${hex(this.ends[row]! - 1)} : ${this.nameOf(this.names[row]!)}\n`;
      if (this.children[row] !== NO_RESOURCE) {
        row = this.children[row]!;
        depth++;
        continue;
      }
      while (row !== ROOT && this.siblings[row] === NO_RESOURCE) {
        row = this.parents[row]!;
        depth--;
      }
      if (row === ROOT) break;
      row = this.siblings[row]!;
    }
    return text;
  }

  /** The arrays that hold the tree, for snapshots. */
  views(): ArrayBufferView[] {
    const { starts, ends, parents, children, siblings, names, flags, words } = this;
    return [starts, ends, parents, children, siblings, names, flags, words];
  }

  /** Where a request lands: the root, or below the ranges that are not busy and hold all of it; -1 if refused. */
  private parentFor(start: number, size: number): number {
    for (let parent = ROOT; ; ) {
      const conflict = this.conflict(parent, start, size);
      if (conflict === NO_RESOURCE) return parent;
      if (conflict === parent || (this.flags[conflict]! & RESOURCE.BUSY) !== 0) return NO_RESOURCE;
      parent = conflict;
    }
  }

  /** First child of `parent` that overlaps, `parent` itself if the range does not fit into it, or -1. */
  private conflict(parent: number, start: number, size: number): number {
    const end = start + size;
    if (!(size > 0) || start < this.starts[parent]! || end > this.ends[parent]!) return parent;
    for (let row = this.children[parent]!; row !== NO_RESOURCE; row = this.siblings[row]!) {
      if (this.starts[row]! >= end) return NO_RESOURCE;
      if (this.ends[row]! > start) return row;
    }
    return NO_RESOURCE;
  }

  private link(parent: number, row: number): number {
    this.parents[row] = parent;
    let before = NO_RESOURCE;
    let after = this.children[parent]!;
    while (after !== NO_RESOURCE && this.starts[after]! < this.starts[row]!) {
      before = after;
      after = this.siblings[after]!;
    }
    this.siblings[row] = after;
    if (before === NO_RESOURCE) this.children[parent] = row;
    else this.siblings[before] = row;
    return row;
  }

  /** Makes whatever points at `row` point at `target`. */
  private setLink(row: number, target: number): void {
    const before = this.previous(row);
    if (before === NO_RESOURCE) this.children[this.parents[row]!] = target;
    else this.siblings[before] = target;
  }

  private previous(row: number): number {
    let before = NO_RESOURCE;
    for (let at = this.children[this.parents[row]!]!; at !== row; at = this.siblings[at]!) before = at;
    return before;
  }

  private mergeable(low: number, high: number): boolean {
    return (
      this.flags[low] === this.flags[high] &&
      this.ends[low] === this.starts[high] &&
      this.names[low] === this.names[high] &&
      this.children[low] === NO_RESOURCE &&
      this.children[high] === NO_RESOURCE
    );
  }

  private join(low: number, high: number): void {
    this.ends[low] = this.ends[high]!;
    this.siblings[low] = this.siblings[high]!;
    this.forget(high);
  }

  private cut(row: number, start: number, end: number): void {
    if (this.starts[row] === start && this.ends[row] === end) this.release(row);
    else if (this.starts[row] === start) this.starts[row] = end;
    else if (this.ends[row] === end) this.ends[row] = start;
    else {
      const upper = this.newRow(end, this.ends[row]!, this.names[row]!, this.flags[row]!);
      this.ends[row] = start;
      this.link(this.parents[row]!, upper);
    }
  }

  private newRow(start: number, end: number, name: number, flags: number): number {
    let row = this.words[1]!;
    if (row !== NO_RESOURCE) this.words[1] = this.siblings[row]!;
    else {
      row = this.words[0]!++;
      if (row === this.starts.length) this.grow();
    }
    this.starts[row] = start;
    this.ends[row] = end;
    this.names[row] = name;
    this.flags[row] = flags;
    this.children[row] = NO_RESOURCE;
    this.siblings[row] = NO_RESOURCE;
    return row;
  }

  private forget(row: number): void {
    this.siblings[row] = this.words[1]!;
    this.words[1] = row;
  }

  private grow(): void {
    const rows = this.starts.length * 2;
    const wider = <A extends Float64Array | Int32Array | Uint8Array>(old: A, fresh: A): A => {
      fresh.set(old);
      return fresh;
    };
    this.starts = wider(this.starts, new Float64Array(rows));
    this.ends = wider(this.ends, new Float64Array(rows));
    this.parents = wider(this.parents, new Int32Array(rows));
    this.children = wider(this.children, new Int32Array(rows));
    this.siblings = wider(this.siblings, new Int32Array(rows));
    this.names = wider(this.names, new Int32Array(rows));
    this.flags = wider(this.flags, new Uint8Array(rows));
  }
}
