import { findNextClear, findNextSet, setRuns } from "../../flat/bitmap.ts";
import type { Machine } from "../../machine/machine.ts";
import type { BitRun } from "../../scenario/expectation.ts";
import { mapRunsOf } from "../../scenario/model/map-runs.ts";
import type { Bitmaps, Counter, DeviceState, MapRun, MemoryBlocks } from "../../scenario/world.ts";
import { PAGE_SIZE } from "../../units.ts";
import type { GuestSnapshot } from "../agent/readings/snapshot.ts";
import type { GuestTable } from "../td/guest-table.ts";

/** Counters of /proc/meminfo in kB, and of /proc/vmstat in pages. */
const MEMINFO = ["MemTotal", "MemFree", "MemAvailable", "Unaccepted", "Shmem", "Slab"] as const;
const VMSTAT = ["nr_free_pages", "nr_unaccepted"] as const;
const KB_PER_PAGE = 4;

/** The counters of a guest; all zero before it has booted. */
export const countersOf = (snapshot: GuestSnapshot | undefined): Counter[] => {
  const kb = (name: string): number => snapshot?.meminfo.get(name) ?? 0;
  return [
    ...MEMINFO.map((name) => ({ name, value: kb(name) })),
    { name: VMSTAT[0], value: kb("MemFree") / KB_PER_PAGE },
    { name: VMSTAT[1], value: kb("Unaccepted") / KB_PER_PAGE },
  ];
};

export const blocksOf = (snapshot: GuestSnapshot | undefined): MemoryBlocks => ({
  size: Number(snapshot?.blockBytes ?? 0n),
  blocks: (snapshot?.blocks ?? []).map(({ index, state, validZones }) => ({
    number: index,
    state,
    zones: validZones.length === 0 ? "none" : validZones.join(" "),
  })),
});

/** What QEMU's memory devices are, by our VMM, which follows them. */
export const devicesOf = ({ vmm }: Machine): DeviceState[] => {
  const virtioMem = vmm.devices.map(
    (device): DeviceState => ({
      id: device.id,
      kind: "virtio-mem",
      start: device.addr,
      size: device.regionSize,
      plugged: device.pluggedSize,
      requested: device.requestedSize,
      blockStates: {},
    }),
  );
  const dimms: DeviceState[] = [];
  for (let slot = 0; slot < vmm.dimms.count; slot++) {
    if (!vmm.dimms.isPlugged(slot)) continue;
    const area = vmm.areaOfSlot(slot);
    const start = vmm.map.start(area) * PAGE_SIZE;
    const size = vmm.map.end(area) * PAGE_SIZE - start;
    const { id } = vmm.pieces[vmm.dimms.piece(slot)]!;
    dimms.push({ id, kind: "dimm", start, size, plugged: size, requested: size, blockStates: {} });
  }
  return [...virtioMem, ...dimms];
};

const runsOf = (bits: Uint8Array): BitRun[] =>
  [...setRuns(bits, bits.length * 8)].map(({ start, end }) => ({ first: start, count: end - start }));

export const bitmapsOf = (table: GuestTable | undefined): Bitmaps | null => {
  if (table === undefined) return null;
  const { version, physBase, unitSize, unaccepted, plugged } = table;
  return {
    version,
    physBase,
    unitSize,
    sizeBytes: unaccepted.length,
    tableBytes: table.bytes,
    unaccepted: runsOf(unaccepted),
    plugged: plugged === undefined ? null : runsOf(plugged),
  };
};

/** Bits that stand for boot memory. @param ram guest-physical bytes */
export const bootBits = (
  table: Pick<GuestTable, "physBase" | "unitSize" | "end"> | undefined,
  ram: readonly { readonly start: number; readonly size: number }[],
): BitRun[] => {
  if (table === undefined) return [];
  const bit = (gpa: number): number =>
    (Math.min(Math.max(gpa, table.physBase), table.end) - table.physBase) / table.unitSize;
  return ram
    .map(({ start, size }) => ({ from: Math.floor(bit(start)), to: Math.ceil(bit(start + size)) }))
    .filter(({ from, to }) => to > from)
    .map(({ from, to }) => ({ first: from, count: to - from }));
};

/** End of the run of equal bits, or of blocks in one state, that a run of memory may go on to. */
const nextEdge = (table: GuestTable | undefined, blockBytes: number, at: number, end: number): number => {
  let edge = blockBytes === 0 ? end : Math.min(end, at - (at % blockBytes) + blockBytes);
  if (table === undefined || at >= table.end) return edge;
  if (at < table.physBase) return Math.min(edge, table.physBase);
  const bit = Math.floor((at - table.physBase) / table.unitSize);
  for (const bits of [table.unaccepted, table.plugged ?? table.unaccepted]) {
    const next = ((bits[bit >> 3]! >> (bit & 7)) & 1) === 1 ? findNextClear : findNextSet;
    const stop = next(bits, bits.length * 8, bit);
    edge = Math.min(edge, table.physBase + stop * table.unitSize);
  }
  return edge;
};

const bitAt = (table: GuestTable | undefined, bits: Uint8Array | undefined, at: number): 0 | 1 | null => {
  if (table === undefined || bits === undefined || at < table.physBase || at >= table.end) return null;
  const bit = Math.floor((at - table.physBase) / table.unitSize);
  return ((bits[bit >> 3]! >> (bit & 7)) & 1) === 1 ? 1 : 0;
};

/** What the state of a memory block tells of its pages. */
const useOf = (state: string | undefined): MapRun["use"] =>
  state === undefined ? "none" : state === "offline" ? "offline" : "unknown";

/**
 * The memory map: hardware truth from our module and VMM, the kernel's bits from its memory, blocks from its sysfs.
 * What Linux does with a page of an online block is not seen from outside.
 */
export const mapOf = (
  machine: Machine,
  table: GuestTable | undefined,
  snapshot: GuestSnapshot | undefined,
): MapRun[] => {
  const blockBytes = Number(snapshot?.blockBytes ?? 0n);
  const states = new Map((snapshot?.blocks ?? []).map(({ index, state }) => [index, state]));
  return mapRunsOf(machine).flatMap((run) => {
    const parts: MapRun[] = [];
    for (let at = run.start; at < run.end; ) {
      const end = nextEdge(table, blockBytes, at, run.end);
      parts.push({
        ...run,
        start: at,
        end,
        unacceptedBit: bitAt(table, table?.unaccepted, at),
        pluggedBit: bitAt(table, table?.plugged, at),
        online: states.get(Math.floor(at / blockBytes)) === "online",
        use: useOf(states.get(Math.floor(at / blockBytes))),
      });
      at = end;
    }
    return parts;
  });
};
