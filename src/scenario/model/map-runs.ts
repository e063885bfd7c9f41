import { findNextClear, findNextSet, getBit } from "../../flat/bitmap.ts";
import type { Kernel } from "../../linux/kernel.ts";
import { NIL, type Use as PageUse, USE } from "../../linux/mem-map.ts";
import { BLOCK } from "../../linux/memory-block.ts";
import { pluggedBit, septStateName, unacceptedBit } from "../../machine/facts.ts";
import type { Machine } from "../../machine/machine.ts";
import type { VirtioMemDevice } from "../../vmm/virtio-mem-device.ts";
import type { SEPT_STATES, Use } from "../expectation.ts";
import type { AddressRange } from "../scenario.ts";
import type { MapRun } from "../world.ts";
import { ownerOf } from "./model-facts.ts";

const UNIT = 2 ** 21;
const PAGE = 4096;

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

const bitOrNull = (bit: number): 0 | 1 | null => (bit < 0 ? null : bit === 0 ? 0 : 1);

/** One fact of the map: what it is from the address that was asked for last, and up to where it stays so. */
abstract class Fact<T> {
  value: T;
  end = 0;
  constructor(first: T) {
    this.value = first;
  }

  /** @param at an address, each not below the one before @param limit where the caller stops looking */
  at(at: number, limit: number): number {
    if (at >= this.end) this.look(at, limit);
    return this.end;
  }

  /** Sets `value` and `end`, which may be any address up to which the value is known to hold. */
  protected abstract look(at: number, limit: number): void;
}

type Sept = (typeof SEPT_STATES)[number];

class SeptFact extends Fact<Sept> {
  private readonly machine: Machine;
  constructor(machine: Machine) {
    super("FREE");
    this.machine = machine;
  }
  protected override look(at: number, limit: number): void {
    const td = this.machine.platform.pages;
    this.value = septStateName(td, at) as Sept;
    this.end = td.sept.endOfState(at, limit);
  }
}

/** Bit of one of the kernel's bitmaps, and null outside of its window. */
class BitFact extends Fact<0 | 1 | null> {
  private readonly kernel: Kernel | undefined;
  private readonly plugged: boolean;
  constructor(kernel: Kernel | undefined, plugged: boolean) {
    super(null);
    this.kernel = kernel;
    this.plugged = plugged;
  }
  protected override look(at: number, limit: number): void {
    const { kernel, plugged } = this;
    const unit = Math.floor(at / UNIT);
    this.value = bitOrNull(plugged ? pluggedBit(kernel, unit) : unacceptedBit(kernel, unit));
    this.end = limit;
    const table = kernel?.table;
    const bits = plugged ? table?.plugged : table?.unaccepted;
    if (table === undefined || bits === undefined || at >= table.end) return;
    if (at < table.physBase) {
      this.end = Math.min(limit, table.physBase);
      return;
    }
    const bit = Math.floor((at - table.physBase) / table.unitSize);
    const stop = Math.min(table.units, Math.ceil((limit - table.physBase) / table.unitSize));
    const next = getBit(bits, bit) ? findNextClear(bits, stop, bit) : findNextSet(bits, stop, bit);
    this.end = Math.min(limit, table.physBase + next * table.unitSize);
  }
}

/** What Linux does with a page. Sections have their memmap each; where none is, there is no memory. */
class UseFact extends Fact<Use> {
  private readonly kernel: Kernel | undefined;
  constructor(kernel: Kernel | undefined) {
    super("none");
    this.kernel = kernel;
  }
  protected override look(at: number, limit: number): void {
    this.end = limit;
    if (this.kernel === undefined) return;
    const { mm, geometry } = this.kernel;
    const use = mm.useAt(Math.floor(at / PAGE));
    this.value = USE_NAMES[use];
    for (let from = at; from < limit; ) {
      const section = from - (from % geometry.sectionSize) + geometry.sectionSize;
      const index = mm.indexOf(Math.floor(from / PAGE));
      const pages = Math.ceil((section - from) / PAGE);
      const end = index === NIL ? section : from + (mm.endOfUse(index, index + pages) - index) * PAGE;
      this.end = Math.min(limit, end);
      if (end < section || mm.useAt(section / PAGE) !== use) return;
      from = section;
    }
  }
}

/** Whether the memory block is online. */
class OnlineFact extends Fact<boolean> {
  private readonly kernel: Kernel | undefined;
  constructor(kernel: Kernel | undefined) {
    super(false);
    this.kernel = kernel;
  }
  protected override look(at: number, limit: number): void {
    this.end = limit;
    if (this.kernel === undefined) return;
    const { blocks } = this.kernel;
    const block = blocks.blockOf(at);
    this.value = blocks.stateOf(block) === BLOCK.ONLINE;
    this.end = (block + 1) * blocks.blockSize;
  }
}

/** Whether the VMM has given the page to the guest: in a device by its blocks, elsewhere all of an area or nothing. */
class PluggedFact extends Fact<boolean> {
  private readonly machine: Machine;
  private readonly device: VirtioMemDevice | undefined;
  constructor(machine: Machine, owner: string) {
    super(false);
    this.machine = machine;
    this.device = machine.vmm.devices.find(({ id }) => id === owner);
  }
  protected override look(at: number, limit: number): void {
    this.value = this.machine.vmm.pluggedFrame(at / PAGE);
    this.end = limit;
    if (this.device === undefined) return;
    const { plugged, blocks, addr, blockSize } = this.device;
    const block = this.device.blockAt(at);
    const next = this.value ? findNextClear(plugged, blocks, block) : findNextSet(plugged, blocks, block);
    this.end = addr + next * blockSize;
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

const FACTS = ["owner", "plugged", "sept", "unacceptedBit", "pluggedBit", "online", "use"] as const;

type GrowingRun = { -readonly [fact in keyof MapRun]: MapRun[fact] };

const same = (a: MapRun, b: MapRun): boolean => FACTS.every((fact) => a[fact] === b[fact]);

/** Adds the runs of one area. */
const addRuns = (runs: GrowingRun[], machine: Machine, { owner, start, end }: Area): void => {
  const kernel = machine.booted ? machine.kernel : undefined;
  const plugged = new PluggedFact(machine, owner);
  const sept = new SeptFact(machine);
  const unacceptedBit = new BitFact(kernel, false);
  const pluggedBit = new BitFact(kernel, true);
  const online = new OnlineFact(kernel);
  const use = new UseFact(kernel);
  const facts = [plugged, sept, unacceptedBit, pluggedBit, online, use];
  for (let at = start; at < end; ) {
    let stop = end;
    for (const fact of facts) stop = Math.min(stop, fact.at(at, end));
    const run: GrowingRun = {
      start: at,
      end: stop,
      owner,
      plugged: plugged.value,
      accepted: sept.value === "MAPPED",
      sept: sept.value,
      unacceptedBit: unacceptedBit.value,
      pluggedBit: pluggedBit.value,
      online: online.value,
      use: use.value,
    };
    const last = runs.at(-1);
    if (last !== undefined && last.end === at && same(last, run)) last.end = stop;
    else runs.push(run);
    at = stop;
  }
};

const EVERYWHERE = { start: 0, end: Number.POSITIVE_INFINITY };

/** The memory map, or the pages of it that `range` touches, as runs of equal facts, ascending. */
export const mapRunsOf = (machine: Machine, range: AddressRange = EVERYWHERE): MapRun[] => {
  const runs: GrowingRun[] = [];
  for (const { owner, ...area } of areasOf(machine)) {
    const start = Math.max(area.start, range.start - (range.start % PAGE));
    const end = Math.min(area.end, Math.ceil(range.end / PAGE) * PAGE);
    if (start < end) addRuns(runs, machine, { owner, start, end });
  }
  return runs;
};
