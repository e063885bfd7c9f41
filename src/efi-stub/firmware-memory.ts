import {
  EFI_MEMORY_CACHEABLE,
  type EfiMemoryDescriptor,
  type EfiMemoryType,
  efiMemoryDescriptor,
} from "../abi/efi/memory-descriptor.ts";
import { assert } from "../assert.ts";
import { GIB, PAGE_SIZE, roundUp } from "../units.ts";
import type { BackableGuestBytes } from "./guest-bytes.ts";

/** Memory of one type, guest-physical bytes, whole pages. */
export interface FirmwareRange {
  readonly start: number;
  readonly end: number;
  readonly type: EfiMemoryType;
  /** Bits of EFI_MEMORY_ATTRIBUTE; cacheable RAM unless said otherwise. */
  readonly attribute?: bigint;
}

/** Pages and pools of a firmware, and the map that tells of them. */
export interface FirmwareMemory {
  /** A pool of zeros, 8-byte aligned; undefined if there is no room. */
  allocate(type: EfiMemoryType, size: number): number | undefined;
  /** A pool that holds these bytes. */
  place(type: EfiMemoryType, bytes: Uint8Array): number;
  /** Whole pages of zeros. */
  allocatePages(type: EfiMemoryType, size: number): number;
  free(at: number): void;
  /** A view of allocated memory. */
  bytes(at: number, length: number): Uint8Array;
  /** The map, neighbours of one kind joined, in address order. */
  descriptors(): EfiMemoryDescriptor[];
  /** Changes whenever the map does. */
  key(): number;
  /** Makes the current key stale. */
  touch(): void;
  /** Makes all unaccepted memory conventional. @returns whether there was any */
  acceptAll(): boolean;
}

/** Firmware without support for memory above it allocates below this. */
const POOL_LIMIT = 4 * GIB;
const DEFAULT_OFFSET = 24;

/** Replaces [start, end), which lies in one range, by a range of another type. */
const carve = (
  ranges: readonly FirmwareRange[],
  start: number,
  end: number,
  type: EfiMemoryType,
): FirmwareRange[] =>
  ranges.flatMap((range) => {
    if (end <= range.start || range.end <= start) return [range];
    const parts = [
      { ...range, end: start },
      { ...range, start, end, type },
      { ...range, start: end },
    ];
    return parts.filter((part) => part.start < part.end);
  });

const joined = (ranges: readonly FirmwareRange[]): FirmwareRange[] => {
  const out: FirmwareRange[] = [];
  for (const range of ranges) {
    const last = out.at(-1);
    const same = last?.type === range.type && last.attribute === range.attribute && last.end === range.start;
    if (same) out[out.length - 1] = { ...last, end: range.end };
    else out.push(range);
  }
  return out;
};

interface Pages {
  readonly start: number;
  readonly end: number;
}

class PagesAndPools implements FirmwareMemory {
  private readonly memory: BackableGuestBytes;
  private readonly offset: number;
  private ranges: FirmwareRange[];
  private version = 1;
  /** Bytes of pages by the address that was handed out. */
  private readonly pools = new Map<number, Pages>();
  /** Where the next pages are taken; undefined: as high as they fit below the limit. */
  private next: number | undefined;
  /** Starts of freed pages. They are not handed out again, so that a view of them stays what it was. */
  private readonly freed = new Set<number>();

  constructor(
    memory: BackableGuestBytes,
    map: readonly FirmwareRange[],
    offset: number,
    first: number | undefined,
  ) {
    this.memory = memory;
    this.ranges = [...map];
    this.offset = offset;
    this.next = first;
  }

  allocate(type: EfiMemoryType, size: number): number | undefined {
    const pages = this.takePages(type, roundUp(this.offset + size, PAGE_SIZE));
    if (pages === undefined) return undefined;
    const at = pages.start + this.offset;
    this.pools.set(at, pages);
    return at;
  }

  place(type: EfiMemoryType, bytes: Uint8Array): number {
    const at = this.allocate(type, bytes.length);
    assert(at !== undefined, "the memory map has room for firmware's tables");
    this.bytes(at, bytes.length).set(bytes);
    return at;
  }

  allocatePages(type: EfiMemoryType, size: number): number {
    const pages = this.takePages(type, roundUp(size, PAGE_SIZE));
    assert(pages !== undefined, "the memory map has room for the boot parameters");
    return pages.start;
  }

  free(at: number): void {
    const pages = this.pools.get(at);
    assert(pages !== undefined, "what is freed was allocated");
    this.pools.delete(at);
    this.freed.add(pages.start);
    this.ranges = carve(this.ranges, pages.start, pages.end, "CONVENTIONAL");
    this.version++;
  }

  bytes(at: number, length: number): Uint8Array {
    const view = this.memory.bytes(at, length);
    assert(view !== undefined, "firmware writes into what it allocated");
    return view;
  }

  descriptors(): EfiMemoryDescriptor[] {
    return joined(this.ranges).map(({ start, end, type, attribute }) =>
      efiMemoryDescriptor(type, BigInt(start), BigInt(end), attribute ?? EFI_MEMORY_CACHEABLE),
    );
  }

  key(): number {
    return this.version;
  }

  touch(): void {
    this.version++;
  }

  acceptAll(): boolean {
    if (!this.ranges.some(({ type }) => type === "UNACCEPTED")) return false;
    this.ranges = this.ranges.map((range) =>
      range.type === "UNACCEPTED" ? { ...range, type: "CONVENTIONAL" as const } : range,
    );
    this.version++;
    return true;
  }

  private takePages(type: EfiMemoryType, length: number): Pages | undefined {
    const pages = this.next === undefined ? this.highestPages(length) : this.nextPages(this.next, length);
    if (pages === undefined) return undefined;
    this.ranges = carve(this.ranges, pages.start, pages.end, type);
    this.memory.back(pages.start, length);
    this.version++;
    return pages;
  }

  /** The highest pages that fit below the limit, as firmware allocates from the top down. */
  private highestPages(length: number): Pages | undefined {
    for (const range of this.ranges.toReversed()) {
      if (range.type !== "CONVENTIONAL" || this.freed.has(range.start)) continue;
      const end = Math.min(range.end, POOL_LIMIT);
      if (end - range.start >= length) return { start: end - length, end };
    }
    return undefined;
  }

  private nextPages(start: number, length: number): Pages | undefined {
    const end = start + length;
    const fits = this.ranges.some(
      (range) => range.type === "CONVENTIONAL" && range.start <= start && end <= range.end,
    );
    if (!fits) return undefined;
    this.next = end;
    return { start, end };
  }
}

/**
 * @param map in address order, without overlaps
 * @param offset byte of a page at which every pool starts, a multiple of 8 below 4096
 * @param first page from which on all pages are taken, upwards; as high as they fit below 4 GiB if absent
 */
export const firmwareMemory = (
  memory: BackableGuestBytes,
  map: readonly FirmwareRange[],
  offset: number = DEFAULT_OFFSET,
  first?: number,
): FirmwareMemory => {
  assert(offset % 8 === 0 && 0 <= offset && offset < PAGE_SIZE, "a pool starts 8-byte aligned within a page");
  const ordered = map.every((range, i) => i === 0 || map[i - 1]!.end <= range.start);
  assert(ordered && map.every(({ start, end }) => start <= end), "the map is in address order");
  return new PagesAndPools(memory, map, offset, first);
};
