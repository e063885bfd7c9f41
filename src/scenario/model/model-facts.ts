import { setRuns } from "../../flat/bitmap.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { orderOf, type Use as PageUse, USE, useOf } from "../../linux/mem-map.ts";
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

/**
 * End of the stretch from `at` that one look tells everything about: the whole unit where neither Linux nor
 * hardware divides it, else one page.
 */
const stretchEnd = (machine: Machine, at: number, limit: number): number => {
  const unitEnd = Math.min(limit, at - (at % UNIT) + UNIT);
  const { sept } = machine.td;
  sept.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
  if (sept.level === 0) {
    const table = sept.at >>> 9;
    const uniform = [sept.mappedCount[table]!, sept.pendingCount[table]!].includes(512);
    if (!uniform) return Math.min(unitEnd, at - (at % PAGE) + PAGE);
  }
  return Math.min(unitEnd, useEnd(machine, at, unitEnd));
};

const useEnd = (machine: Machine, at: number, limit: number): number => {
  if (!machine.booted) return limit;
  const { mm } = machine.kernel;
  const index = mm.indexOf(Math.floor(at / PAGE));
  if (index < 0) return limit;
  const pages = (limit - at) / PAGE;
  const use = useOf(mm.use[index]!);
  let page = 0;
  while (page < pages && useOf(mm.use[index + page]!) === use) {
    const order = orderOf(mm.use[index + page]!);
    page += order === 0 ? 1 : 2 ** order - ((index + page) % 2 ** order);
  }
  return at + Math.min(page, pages) * PAGE;
};

/** The memory map as runs of equal facts, ascending. */
export const mapRunsOf = (machine: Machine): MapRun[] => {
  const { map } = machine.vmm;
  const runs: MapRun[] = [];
  const areas = map.areas
    .map((_, area) => area)
    .filter((area) => map.end(area) > map.start(area))
    .sort((a, b) => map.start(a) - map.start(b));
  for (const area of areas) {
    const owner = ownerOf(machine, area);
    const end = map.end(area) * PAGE;
    for (let at = map.start(area) * PAGE; at < end; ) {
      const stop = stretchEnd(machine, at, end);
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
