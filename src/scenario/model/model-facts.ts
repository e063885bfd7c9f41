import { setRuns } from "../../flat/bitmap.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { BLOCK_STATES } from "../../linux/memory-block.ts";
import { ZONE_NAMES } from "../../linux/page-allocator/zones.ts";
import { SBM_STATES } from "../../linux/virtio-mem/states.ts";
import type { Machine } from "../../machine/machine.ts";
import { DIMM_AREA, VIRTIO_MEM_AREA } from "../../vmm/memory-map.ts";
import type { Bitmaps, Counter, DeviceState, MemoryBlocks } from "../world.ts";

const PAGE = 4096;
const KB_PER_PAGE = 4;

const sum = (counts: Float64Array): number => {
  let total = 0;
  for (let zone = 0; zone < counts.length; zone++) total += counts[zone]!;
  return total;
};

/**
 * Counters of /proc/meminfo and /proc/vmstat that the model keeps.
 *
 * @param before what an earlier call answered; it is the answer again while no counter has changed
 */
export const countersOf = (
  kernel: Kernel | undefined,
  before: readonly Counter[] = [],
): readonly Counter[] => {
  const zones = kernel?.zones;
  const managed = zones === undefined ? 0 : sum(zones.managed);
  const free = zones === undefined ? 0 : sum(zones.free);
  const unaccepted = zones === undefined ? 0 : sum(zones.unaccepted);
  const [memTotal, , , nrFree, nrUnaccepted] = before;
  const isKnown = nrFree?.value === free && nrUnaccepted?.value === unaccepted;
  if (isKnown && memTotal?.value === managed * KB_PER_PAGE) return before;
  return [
    { name: "MemTotal", value: managed * KB_PER_PAGE },
    { name: "MemFree", value: free * KB_PER_PAGE },
    { name: "Unaccepted", value: unaccepted * KB_PER_PAGE },
    { name: "nr_free_pages", value: free },
    { name: "nr_unaccepted", value: unaccepted },
  ];
};

/** Name of what lies in an area of the VMM's map; empty where nothing does. */
export const ownerOf = (machine: Machine, area: number): string => {
  const { kind, index } = machine.vmm.map.areas[area]!;
  if (machine.vmm.map.end(area) <= machine.vmm.map.start(area)) return "";
  if (kind === VIRTIO_MEM_AREA) return machine.vmm.devices[index]!.id;
  if (kind !== DIMM_AREA) return "RAM";
  return machine.vmm.pieces[machine.vmm.map.piece(area)]!.id;
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
