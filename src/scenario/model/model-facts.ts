import { findNextClear, findNextSet, getBit, setRuns } from "../../flat/bitmap.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { type Use as PageUse, USE } from "../../linux/mem-map.ts";
import { BLOCK, BLOCK_STATES } from "../../linux/memory-block.ts";
import { ZONE_NAMES } from "../../linux/page-allocator/zones.ts";
import { SBM_STATES } from "../../linux/virtio-mem/states.ts";
import { pluggedBit, septStateName, unacceptedBit } from "../../machine/facts.ts";
import type { Machine } from "../../machine/machine.ts";
import { DIMM_AREA, VIRTIO_MEM_AREA } from "../../vmm/memory-map.ts";
import type { SEPT_STATES, Use } from "../expectation.ts";
import type { Bitmaps, Counter, DeviceState, MapRun, MemoryBlocks } from "../world.ts";

const UNIT = 2 ** 21;
const PAGE = 4096;
const PAGES_PER_UNIT = 512;
const KB_PER_PAGE = 4;

const USE_NAMES: { readonly [use in PageUse]: Use } = {
  [USE.HOLE]: "none",
  [USE.RESERVED]: "reserved",
  [USE.MEMMAP]: "memmap",
  [USE.FREE]: "free",
  [USE.UNACCEPTED]: "unaccepted",
  [USE.ALLOCATED]: "allocated",
  [USE.MOVABLE]: "allocated",
  [USE.OFFLINE]: "offline",
  [USE.FAKE_OFFLINE]: "fake-offline",
  [USE.UNLISTED]: "unaccepted",
  [USE.IN_TRANSIT]: "reserved",
};

const sum = (counts: Float64Array): number => counts.reduce((total, count) => total + count, 0);

/** Counters of /proc/meminfo and /proc/vmstat that the model keeps. */
export const countersOf = (kernel: Kernel | undefined): Counter[] => {
  const zones = kernel?.zones;
  const managed = zones === undefined ? 0 : sum(zones.managed);
  const free = zones === undefined ? 0 : sum(zones.free);
  const unaccepted = zones === undefined ? 0 : sum(zones.unaccepted);
  return [
    { name: "MemTotal", value: managed * KB_PER_PAGE },
    { name: "MemFree", value: free * KB_PER_PAGE },
    { name: "Unaccepted", value: unaccepted * KB_PER_PAGE },
    { name: "nr_free_pages", value: free },
    { name: "nr_unaccepted", value: unaccepted },
  ];
};

/** Use of the unit's first page, and whether the whole unit has it. */
const useOfPage = (kernel: Kernel | undefined, gpa: number): Use =>
  kernel === undefined ? "none" : USE_NAMES[kernel.mm.useAt(Math.floor(gpa / PAGE))];

const ownerOf = (machine: Machine, area: number): string => {
  const { kind, index } = machine.vmm.map.areas[area]!;
  if (machine.vmm.map.end(area) <= machine.vmm.map.start(area)) return "";
  if (kind === VIRTIO_MEM_AREA) return machine.vmm.devices[index]!.id;
  if (kind !== DIMM_AREA) return "RAM";
  return machine.vmm.pieces[machine.vmm.map.piece(area)]!.id;
};

const bitOrNull = (bit: number): 0 | 1 | null => (bit < 0 ? null : bit === 0 ? 0 : 1);

const factsAt = (machine: Machine, owner: string, start: number, end: number): MapRun => {
  const kernel = machine.booted ? machine.kernel : undefined;
  const sept = septStateName(machine.td, start) as (typeof SEPT_STATES)[number];
  const unit = Math.floor(start / UNIT);
  return {
    start,
    end,
    owner,
    plugged: machine.vmm.pluggedFrame(start / PAGE),
    accepted: sept === "MAPPED",
    sept,
    unacceptedBit: bitOrNull(unacceptedBit(kernel, unit)),
    pluggedBit: bitOrNull(pluggedBit(kernel, unit)),
    online: kernel?.blocks.stateOf(kernel.blocks.blockOf(start)) === BLOCK.ONLINE,
    use: useOfPage(kernel, start),
  };
};

const FACTS = [
  "owner",
  "plugged",
  "accepted",
  "sept",
  "unacceptedBit",
  "pluggedBit",
  "online",
  "use",
] as const;

const same = (a: MapRun, b: MapRun): boolean => FACTS.every((fact) => a[fact] === b[fact]);

/** End of the range around `at` in which the secure EPT has one state: a leaf, or what one missing table covers. */
const septEnd = (machine: Machine, at: number): number => {
  const { sept } = machine.td;
  sept.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
  const table = sept.at >>> 9;
  const { level } = sept;
  const uniform =
    level > 0 || sept.mappedCount[table] === PAGES_PER_UNIT || sept.pendingCount[table] === PAGES_PER_UNIT;
  const size = level === 0 && uniform ? UNIT : PAGE * PAGES_PER_UNIT ** level;
  return at - (at % size) + size;
};

/** End of the run of equal bits around `at` in both bitmaps. */
const bitsEnd = (kernel: Kernel | undefined, at: number, limit: number): number => {
  const table = kernel?.table;
  if (table === undefined || at >= table.end) return limit;
  if (at < table.physBase) return Math.min(limit, table.physBase);
  const bit = Math.floor((at - table.physBase) / table.unitSize);
  const stop = Math.min(table.units, Math.ceil((limit - table.physBase) / table.unitSize));
  const next = (bits: Uint8Array): number =>
    getBit(bits, bit) ? findNextClear(bits, stop, bit) : findNextSet(bits, stop, bit);
  const end =
    table.plugged === undefined
      ? next(table.unaccepted)
      : Math.min(next(table.unaccepted), next(table.plugged));
  return Math.min(limit, table.physBase + end * table.unitSize);
};

/** End of the range around `at` that Linux uses in one way, as far as one section tells. */
const useEnd = (kernel: Kernel | undefined, at: number, limit: number): number => {
  if (kernel === undefined) return limit;
  const { mm, geometry } = kernel;
  const section = Math.min(limit, at - (at % geometry.sectionSize) + geometry.sectionSize);
  const index = mm.indexOf(Math.floor(at / PAGE));
  if (index < 0) return section;
  const pages = Math.ceil((section - at) / PAGE);
  return Math.min(section, at + (mm.endOfUse(index, index + pages) - index) * PAGE);
};

/** How far each kind of fact is known to stay as it is; asked for again only where that is passed. */
class Horizon {
  private readonly machine: Machine;
  private readonly kernel: Kernel | undefined;
  private bits = 0;
  private use = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.kernel = machine.booted ? machine.kernel : undefined;
  }

  /** End of the stretch from `at` that one look tells everything about. */
  end(owner: string, at: number, limit: number): number {
    if (at >= this.bits) this.bits = bitsEnd(this.kernel, at, limit);
    if (at >= this.use) this.use = useEnd(this.kernel, at, limit);
    const end = Math.min(septEnd(this.machine, at), this.bits, this.use);
    const device = this.machine.vmm.devices.find(({ id }) => id === owner);
    if (device === undefined) return end;
    return Math.min(end, at - ((at - device.addr) % device.blockSize) + device.blockSize);
  }
}

interface Area {
  readonly owner: string;
  readonly start: number;
  readonly end: number;
}

/** RAM, devices and DIMMs, and what they leave of the hot-plug window, ascending. */
const areasOf = (machine: Machine): Area[] => {
  const { map, layout } = machine.vmm;
  const areas = map.areas
    .map(
      (_, area): Area => ({
        owner: ownerOf(machine, area),
        start: map.start(area) * PAGE,
        end: map.end(area) * PAGE,
      }),
    )
    .filter(({ start, end }) => start < end)
    .sort((a, b) => a.start - b.start);
  if (layout.deviceMemory === undefined) return areas;
  const windowEnd = layout.deviceMemory.start + layout.deviceMemory.size;
  const gaps: Area[] = [];
  let at: number = layout.deviceMemory.start;
  for (const { start, end } of areas) {
    if (start > at && start < windowEnd) gaps.push({ owner: "window", start: at, end: start });
    at = Math.max(at, end);
  }
  if (at < windowEnd) gaps.push({ owner: "window", start: at, end: windowEnd });
  return [...areas, ...gaps].sort((a, b) => a.start - b.start);
};

/** The memory map as runs of equal facts, ascending. */
export const mapRunsOf = (machine: Machine): MapRun[] => {
  const runs: MapRun[] = [];
  for (const { owner, start, end } of areasOf(machine)) {
    const horizon = new Horizon(machine);
    for (let at = start; at < end; ) {
      const stop = Math.min(end, horizon.end(owner, at, end));
      const facts = factsAt(machine, owner, at, stop);
      const last = runs.at(-1);
      if (last !== undefined && last.end === at && same(last, facts))
        runs[runs.length - 1] = { ...last, end: stop };
      else runs.push(facts);
      at = stop;
    }
  }
  return runs;
};

export const blocksOf = (kernel: Kernel | undefined): MemoryBlocks => {
  if (kernel === undefined) return { size: 0, blocks: [] };
  const { blocks } = kernel;
  return {
    size: blocks.blockSize,
    blocks: blocks.present().map((number) => {
      const zone = blocks.zones[blocks.rowOf(number)]!;
      return {
        number,
        state: BLOCK_STATES[blocks.stateOf(number)]!,
        zones:
          ZONE_NAMES[zone % ZONE_NAMES.length] !== undefined && zone !== 0xff
            ? ZONE_NAMES[zone % 4]!
            : "none",
      };
    }),
  };
};

export const bitmapsOf = (kernel: Kernel | undefined): Bitmaps | null => {
  const table = kernel?.table;
  if (table === undefined) return null;
  const runs = (bits: Uint8Array) =>
    [...setRuns(bits, table.units)].map(({ start, end }) => ({ first: start, count: end - start }));
  return {
    version: table.version,
    physBase: table.physBase,
    unitSize: table.unitSize,
    sizeBytes: table.sizeBytes,
    tableBytes: 24 + table.version * table.sizeBytes,
    unaccepted: runs(table.unaccepted),
    plugged: table.plugged === undefined ? null : runs(table.plugged),
  };
};

export const devicesOf = (machine: Machine): DeviceState[] => {
  const { vmm } = machine;
  const devices: DeviceState[] = vmm.devices.map((device, index) => ({
    id: device.id,
    kind: "virtio-mem",
    start: device.addr,
    size: device.regionSize,
    plugged: device.pluggedSize,
    requested: device.requestedSize,
    blockStates: machine.booted ? driverStates(machine.kernel, index) : {},
  }));
  for (let slot = 0; slot < vmm.dimms.count; slot++) {
    if (!vmm.dimms.isPlugged(slot)) continue;
    const area = vmm.areaOfSlot(slot);
    const size = (vmm.map.end(area) - vmm.map.start(area)) * PAGE;
    const id = ownerOf(machine, area);
    devices.push({
      id,
      kind: "dimm",
      start: vmm.map.start(area) * PAGE,
      size,
      plugged: size,
      requested: size,
      blockStates: {},
    });
  }
  return devices;
};

const driverStates = (kernel: Kernel, device: number): { [block: string]: string } => {
  const driver = kernel.virtioMem[device]!;
  const states: { [block: string]: string } = {};
  for (const [index, state] of driver.states.entries())
    if (state !== 0) states[String(driver.layout.firstBlock + index)] = SBM_STATES[state] ?? String(state);
  return states;
};
