import { findNextSet, getBit } from "../../flat/bitmap.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { VM } from "../../linux/virtio-mem/driver.ts";
import type { Vmm } from "../../vmm/vmm.ts";
import type { InvariantId } from "./table.ts";

/** What the rules look at when nobody has anything left to do. */
export interface RestFacts {
  readonly kernel: Kernel;
  readonly vmm: Vmm;
  /** End of all memory that the table was sized over, bytes. */
  readonly tableTop: number;
}

/** Calls `report` for each place where the rule is broken. */
type Report = (start: number, end: number, why: string) => void;
type RestRule = (facts: RestFacts, report: Report) => void;

const PAGE = 4096;
const UNIT = 2 ** 21;

const i12: RestRule = ({ kernel: { table }, tableTop }, report) => {
  if (table === undefined) return;
  if (table.physBase % table.unitSize !== 0)
    report(table.physBase, table.physBase, "the window does not start at a unit");
  const used = Math.ceil((tableTop - table.physBase) / table.unitSize);
  const stray = used < table.units ? findNextSet(table.unaccepted, table.units, used) : table.units;
  const at = table.physBase + stray * table.unitSize;
  if (stray < table.units) report(at, at + table.unitSize, "a bit past the end of memory is set");
};

const i18: RestRule = ({ kernel: { table }, vmm }, report) => {
  if (table?.plugged === undefined) return;
  for (const device of vmm.devices) {
    for (let block = 0; block < device.blocks; block++) {
      const start = device.addr + block * device.blockSize;
      const inside = table.physBase <= start && start + device.blockSize <= table.end;
      if (!inside && device.isPlugged(start))
        report(start, start + device.blockSize, "plugged outside the table's window");
    }
  }
};

const i19: RestRule = ({ kernel: { zones, geometry } }, report) => {
  for (let zone = 0; zone < zones.count; zone++) {
    const listed = zones.length[zones.unacceptedList(zone)]! * geometry.pagesPerChunk;
    if (listed !== zones.unaccepted[zone])
      report(0, 0, `zone ${zone} lists ${listed} pages and counts ${zones.unaccepted[zone]}`);
  }
};

const i20: RestRule = ({ kernel: { zones } }, report) => {
  for (let zone = 0; zone < zones.count; zone++)
    if (zones.free[zone]! < zones.unaccepted[zone]!)
      report(
        0,
        0,
        `zone ${zone} has ${zones.free[zone]} free pages and ${zones.unaccepted[zone]} unaccepted`,
      );
};

const i25: RestRule = ({ kernel: { zones, options } }, report) => {
  if (options.accept !== "eager") return;
  for (let zone = 0; zone < zones.count; zone++)
    if (zones.unaccepted[zone] !== 0) report(0, 0, `zone ${zone} lists ${zones.unaccepted[zone]} pages`);
};

/**
 * Sub-block mode only: the driver's bits against the device's blocks, sub-block by sub-block. A driver that found memory
 * plugged by an earlier kernel knows nothing of it until UNPLUG_ALL succeeded; I36 speaks of that time.
 */
const i34: RestRule = ({ kernel, vmm }, report) => {
  // There the driver plugs nothing and keeps no bits.
  if (kernel.boot.inKdump) return;
  for (const [index, driver] of kernel.virtioMem.entries()) {
    const device = vmm.devices[index]!;
    if (!driver.layout.sbm || driver.has(VM.UNPLUG_ALL_REQUIRED)) continue;
    const { firstBlock, blocks, subBlockSize } = driver.layout;
    for (let bit = 0; bit < blocks * driver.subBlocks; bit++) {
      const start = driver.addressOf(firstBlock) + bit * subBlockSize;
      if (getBit(driver.plugged, bit) === device.isPlugged(start)) continue;
      report(start, start + subBlockSize, "driver and device disagree on whether it is plugged");
    }
  }
};

const i16: RestRule = ({ kernel: { table, mm } }, report) => {
  if (table === undefined) return;
  const first = Math.floor(table.address / PAGE);
  const last = Math.floor((table.address + 24 + table.version * table.sizeBytes - 1) / PAGE);
  for (const page of [first, last])
    if (!mm.isMapped(page) || mm.useAt(page) !== 0x10)
      report(page * PAGE, (page + 1) * PAGE, "a page of the unaccepted table is not reserved and mapped");
};

export const REST_RULES: readonly { readonly id: InvariantId; readonly check: RestRule }[] = [
  { id: "I12", check: i12 },
  { id: "I16", check: i16 },
  { id: "I18", check: i18 },
  { id: "I19", check: i19 },
  { id: "I20", check: i20 },
  { id: "I25", check: i25 },
  { id: "I34", check: i34 },
];

/** Bytes up to which a table has real units: the end of memory, up to the next unit. */
export const unitsEnd = (bytes: number): number => Math.ceil(bytes / UNIT) * UNIT;
