import { findNextSet } from "../../flat/bitmap.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { orderOf, USE, type Use, useOf } from "../../linux/mem-map.ts";
import { GFP, highestZone } from "../../linux/page-allocator/gfp.ts";
import { WMARK, zoneWatermarkOk } from "../../linux/page-allocator/watermarks.ts";
import { zoneOf } from "../../linux/page-allocator/zones.ts";
import { somePage } from "../../machine/facts.ts";
import type { Machine } from "../../machine/machine.ts";
import type { VirtioMemDevice } from "../../vmm/virtio-mem-device.ts";
import { UNIT } from "./configurations/placement.ts";

/**
 * Whether a page that can be migrated has certainly somewhere to go: another zone has a block of its order above its mark. Its own
 * zone may have no more than what is about to leave with it.
 */
const hasRoom = (k: Kernel, pfn: number, order: number): boolean => {
  const own = zoneOf(k, pfn);
  const highest = highestZone(GFP.MOVABLE);
  for (let zone = 0; zone < k.zones.count; zone++)
    if (
      zone !== own &&
      k.zones.managed[zone]! > 0 &&
      zoneWatermarkOk(k, zone, order, WMARK.LOW, highest, GFP.MOVABLE)
    )
      return true;
  return false;
};

/** Uses of pages that nobody can move out of the driver's way. */
const HOLDS: ReadonlySet<Use> = new Set<Use>([USE.ALLOCATED, USE.RESERVED, USE.MEMMAP]);

type Test = (k: Kernel, byte: number, pfn: number) => boolean;

const isHeld: Test = (_k, byte) => HOLDS.has(useOf(byte));
const isStranded: Test = (k, byte, pfn) => useOf(byte) === USE.MOVABLE && !hasRoom(k, pfn, orderOf(byte));

/** Whether some page of [start, end) bytes, both multiples of 2 MiB, passes. */
const somePageOf = (k: Kernel, start: number, end: number, test: Test): boolean => {
  for (let unit = start / UNIT; unit < end / UNIT; unit++)
    if (somePage(k, unit, (byte, pfn) => test(k, byte, pfn))) return true;
  return false;
};

/** Whether some block of the device that lies in [start, end) bytes is plugged. */
const isPlugged = (device: VirtioMemDevice, start: number, end: number): boolean => {
  const first = Math.max(0, device.blockAt(start));
  const stop = Math.min(device.blocks, Math.ceil((end - device.addr) / device.blockSize));
  return first < stop && findNextSet(device.plugged, stop, first) < stop;
};

/** The sub-blocks, or big blocks, of a device of which something is plugged: what its driver gives back in one request. */
function* pluggedPieces(
  { kernel, vmm }: Machine,
  number: number,
): Generator<readonly [start: number, end: number]> {
  const { subBlockSize } = kernel.virtioMem[number]!.layout;
  const device = vmm.devices[number]!;
  const end = device.addr + device.regionSize;
  const first = Math.floor(device.addr / subBlockSize) * subBlockSize;
  for (let start = first; start < end; start += subBlockSize)
    if (isPlugged(device, start, start + subBlockSize)) yield [start, start + subBlockSize];
}

const shallShrink = ({ vmm }: Machine, device: number): boolean => {
  const { requestedSize, pluggedSize } = vmm.devices[device]!;
  return requestedSize < pluggedSize;
};

interface RightfulWait {
  readonly because: string;
  readonly holds: (machine: Machine, device: number) => boolean;
}

/**
 * What a driver whose timer is armed may wait for without asking its device. virtio_mem_run_wq() arms it for -EBUSY, -ENOMEM and
 * -ETXTBSY. The last is an answer of the device, which is asked each time then, as it is where memory is plugged and cannot be added.
 *
 * A driver that wants more than it has asks for it. One that has what it shall have waits for a block to leave Linux of which
 * nothing is plugged, and so nothing in use. Neither is a reason.
 *
 * @source Linux drivers/virtio/virtio_mem.c, virtio_mem_run_wq, virtio_mem_sbm_unplug_request, virtio_mem_bbm_unplug_request,
 *   virtio_mem_fake_offline
 */
const RIGHTFUL_WAITS: readonly RightfulWait[] = [
  {
    because:
      "-EBUSY: it shall give memory back, and of each piece that is plugged some page is in use and cannot be moved",
    holds: (machine, device) =>
      shallShrink(machine, device) &&
      [...pluggedPieces(machine, device)].every(([start, end]) =>
        somePageOf(machine.kernel, start, end, isHeld),
      ),
  },
  {
    // The run ends there, whatever else it could take.
    because: "-ENOMEM: it shall give memory back, and a page in use can be moved and has nowhere to go",
    holds: (machine, device) =>
      shallShrink(machine, device) &&
      [...pluggedPieces(machine, device)].some(([start, end]) =>
        somePageOf(machine.kernel, start, end, isStranded),
      ),
  },
  {
    because: "a fault struck, and what it left behind need not be to mend",
    holds: ({ injector }) => injector?.points.struck.some((times) => times > 0) === true,
  },
];

/** Whether a driver that waits for its timer, in a state in which nobody has anything else to do, has a reason. */
export const waitsRightly = (machine: Machine, device: number): boolean =>
  RIGHTFUL_WAITS.some(({ holds }) => holds(machine, device));
