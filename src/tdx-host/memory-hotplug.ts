import { assert } from "../assert.ts";
import { ERRNO } from "./errno.ts";
import type { TdxHost } from "./host-kernel.ts";
import { type ByteRange, bytesInside, hexAddress, type MemoryRange } from "./memory-range.ts";

/** A memory block that was added: /sys/devices/system/memory/memoryN. */
export interface HostBlock {
  readonly number: number;
  readonly node: number;
  online: boolean;
}

/** What became of an attempt to add memory. */
export interface HotAddResult {
  /** 0 or the error number that the driver sees. */
  readonly error: number;
  /** Bytes of the range that firmware calls convertible. The kernel does not look at them. */
  readonly convertible: number;
}

/**
 * Memory added to the host after boot: its blocks, and the check that keeps memory out of the page allocator that TDX
 * cannot use.
 *
 * Two checks exist. The notifier refuses each block that goes online outside the static memory list: -EPERM a block, and
 * nothing in the log but debug. The range check (proposed) refuses the whole range as it is added, with one line. Neither looks
 * at convertible ranges: what was not there at boot has no metadata. Memory that Linux does not take stays with its driver, as
 * device DAX memory.
 *
 * @source Linux arch/x86/virt/vmx/tdx/tdx.c, tdx_memory_notifier; patch series "Check whole hot-adding memory range for TDX", v3,
 *   2024-10; Linux mm/memory_hotplug.c, drivers/dax/kmem.c
 * @missing offline and removal, zones and memmap of the added memory
 */
export class HostMemoryHotplug {
  readonly blockSize: number;
  private readonly host: TdxHost;
  private readonly blocks = new Map<number, HostBlock>();
  /** Ranges that a driver has and Linux does not. */
  private readonly withDriver: MemoryRange[] = [];

  constructor(host: TdxHost, blockSize: number) {
    assert(Number.isInteger(Math.log2(blockSize)), "a memory block is a power of two");
    this.host = host;
    this.blockSize = blockSize;
  }

  /** add_memory_driver_managed() for a range that the kmem driver hands over. Its blocks are offline at first. */
  hotAdd(range: MemoryRange): HotAddResult {
    const { start, end } = range;
    const { host } = this;
    const convertible = bytesInside(host.cmrs, start, end);
    const error = this.checkAdd(start, end);
    if (error !== 0) {
      this.withDriver.push(range);
      return { error, convertible };
    }
    host.hotAdded = [...host.hotAdded, range];
    for (let at = start; at < end; at += this.blockSize) {
      const number = at / this.blockSize;
      this.blocks.set(number, { number, node: range.node, online: false });
    }
    return { error: 0, convertible };
  }

  /** The resource comes first, then the size, then TDX. @source Linux mm/memory_hotplug.c, add_memory_driver_managed */
  private checkAdd(start: number, end: number): number {
    const { blockSize, host } = this;
    if (bytesInside([...host.memory, ...host.hotAdded], start, end) > 0) return ERRNO.EEXIST;
    if (start % blockSize !== 0 || end % blockSize !== 0 || start >= end) {
      const size = hexAddress(end - start);
      host.log.print(
        "err",
        `Block size [${hexAddress(blockSize)}] unaligned hotplug range: start ${hexAddress(start)}, size ${size}`,
      );
      return ERRNO.EINVAL;
    }
    if (host.policy.hotplugCheck === "range-check" && !this.isTdxMemory(start, end)) {
      const where = `${hexAddress(start)}-${hexAddress(end)}`;
      host.log.tdx("info", `Reject hot-adding memory range: ${where} for TDX compatibility.`);
      return ERRNO.EINVAL;
    }
    return 0;
  }

  /**
   * `echo 1 > /sys/devices/system/memory/memoryN/online`.
   *
   * @returns 0, of a block that is online already too (its `state` would answer -EINVAL); -ENOENT without such a block; or the error
   *   number of the write
   * @source Linux drivers/base/core.c, online_store and device_online
   */
  online(number: number): number {
    const block = this.blocks.get(number);
    const start = number * this.blockSize;
    const end = start + this.blockSize;
    if (block === undefined) return bytesInside(this.host.memory, start, end) > 0 ? 0 : ERRNO.ENOENT;
    if (block.online) return 0;
    if (this.host.policy.hotplugCheck === "notifier" && !this.isTdxMemory(start, end)) {
      const last = (end - 1).toString(16).padStart(8, "0");
      const first = start.toString(16).padStart(8, "0");
      this.host.log.print("debug", `online_pages [mem 0x${first}-0x${last}] failed`);
      return ERRNO.EPERM;
    }
    block.online = true;
    this.host.pages.give(start, end);
    return 0;
  }

  /** Whether memory may go to the page allocator: all of it in one range of the static list, or no TDX. */
  private isTdxMemory(start: number, end: number): boolean {
    const { memlist } = this.host;
    return memlist.length === 0 || memlist.some((range) => range.start <= start && end <= range.end);
  }

  /** The blocks that were added, ascending. */
  get added(): readonly HostBlock[] {
    return [...this.blocks.values()].sort((a, b) => a.number - b.number);
  }
  /** Bytes that only device DAX can hand out: added but offline, or never taken by Linux. */
  get devdaxBytes(): number {
    const offline = this.added.filter(({ online }) => !online).length * this.blockSize;
    return offline + unionBytes(this.withDriver, [...this.host.memory, ...this.host.hotAdded]);
  }
}

/** Bytes that lie in any of `ranges` and in none of `others`, which are disjoint. */
const unionBytes = (ranges: readonly ByteRange[], others: readonly ByteRange[]): number => {
  let bytes = 0;
  let behind = 0;
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const from = Math.max(start, behind);
    if (from >= end) continue;
    bytes += end - from - bytesInside(others, from, end);
    behind = end;
  }
  return bytes;
};
