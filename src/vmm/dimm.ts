import { MEMORY_SLOT_FLAG } from "../abi/acpi/memory-hotplug-registers.ts";
import { MIB, PAGE_SIZE } from "../units.ts";
import { DIMM_PLUGGED_EVENT } from "./events.ts";
import type { Vmm } from "./vmm.ts";
import { demand, hex, VmmError } from "./vmm-error.ts";
import { placeInWindow, type Taken } from "./window.ts";

/** A memory backend of ordinary pages has this alignment on x86. */
export const DIMM_ALIGN = 2 * MIB;

const PIECE = 0;
const FLAGS = 1;
const NODE = 2;
const OST_EVENT = 3;
const OST_STATUS = 4;
const EJECTING = 5;
const ROW = 6;

/** No slot. */
export const NO_SLOT = -1;

/** The DIMM slots: what is in each, its ACPI event flags, and what the guest last reported of it. Flat. */
export class DimmSlots {
  readonly count: number;
  /** Per slot: number of its piece + 1 (0: empty), flags, node, last _OST event and status, eject under way. */
  readonly rows: Float64Array;

  constructor(count: number) {
    this.count = count;
    this.rows = new Float64Array(count * ROW);
  }

  isPlugged(slot: number): boolean {
    return this.rows[slot * ROW + PIECE] !== 0;
  }

  /** Slots that hold a DIMM. */
  get used(): number {
    let used = 0;
    for (let slot = 0; slot < this.count; slot++) if (this.isPlugged(slot)) used++;
    return used;
  }

  /** Whether some slot holds the DIMM of a piece. */
  holds(piece: number): boolean {
    for (let slot = 0; slot < this.count; slot++) if (this.piece(slot) === piece) return true;
    return false;
  }

  /** Number of the piece in a slot. */
  piece(slot: number): number {
    return this.rows[slot * ROW + PIECE]! - 1;
  }

  node(slot: number): number {
    return this.rows[slot * ROW + NODE]!;
  }

  /** Enabled, insert event, remove event: bits of MEMORY_SLOT_FLAG. */
  flags(slot: number): number {
    return this.rows[slot * ROW + FLAGS]!;
  }

  ostEvent(slot: number): number {
    return this.rows[slot * ROW + OST_EVENT]!;
  }

  ostStatus(slot: number): number {
    return this.rows[slot * ROW + OST_STATUS]!;
  }

  fill(slot: number, piece: number, node: number, hotplugged: boolean): void {
    const row = slot * ROW;
    this.rows[row + PIECE] = piece + 1;
    this.rows[row + NODE] = node;
    this.setFlag(slot, MEMORY_SLOT_FLAG.ENABLED, true);
    if (hotplugged) this.setFlag(slot, MEMORY_SLOT_FLAG.INSERT_EVENT, true);
  }

  /** Empties a slot. Its remove event stays pending, as in QEMU. */
  empty(slot: number): void {
    const row = slot * ROW;
    this.rows[row + PIECE] = 0;
    this.rows[row + NODE] = 0;
    this.setFlag(slot, MEMORY_SLOT_FLAG.ENABLED, false);
  }

  setFlag(slot: number, flag: number, on: boolean): void {
    const at = slot * ROW + FLAGS;
    this.rows[at] = on ? this.rows[at]! | flag : this.rows[at]! & ~flag;
  }

  setOstEvent(slot: number, event: number): void {
    this.rows[slot * ROW + OST_EVENT] = event;
  }

  setOstStatus(slot: number, status: number): void {
    this.rows[slot * ROW + OST_STATUS] = status;
  }

  /** The guest ejected a slot's DIMM, and the VMM has not removed it yet; or that is over. */
  setEjecting(slot: number, on: boolean): void {
    this.rows[slot * ROW + EJECTING] = on ? 1 : 0;
  }

  /** Lowest slot with an eject under way, or NO_SLOT. */
  get ejecting(): number {
    for (let slot = 0; slot < this.count; slot++) if (this.rows[slot * ROW + EJECTING] !== 0) return slot;
    return NO_SLOT;
  }

  /** Lowest empty slot, or NO_SLOT. */
  get free(): number {
    for (let slot = 0; slot < this.count; slot++) if (!this.isPlugged(slot)) return slot;
    return NO_SLOT;
  }
}

/** What the operator says of a new DIMM. Left out: the VMM chooses. */
export interface DimmOptions {
  /** Name of a memory backend. */
  readonly memdev: string;
  readonly slot?: number;
  readonly addr?: number;
  readonly node?: number;
}

/**
 * Puts a DIMM into a slot: its memory is there from now on, private or shared by policy. A DIMM that was not there
 * at boot raises an insert event.
 *
 * The checks come in QEMU's order: backend, node, slot, maxmem, room, size, address.
 *
 * @returns the slot
 * @throws VmmError when a check fails; nothing changed then
 * @source QEMU hw/mem/pc-dimm.c, hw/mem/memory-device.c
 */
export const plugDimm = (k: Vmm, options: DimmOptions, hotplugged: boolean): number => {
  const { memdev, node = 0 } = options;
  const piece = k.backend(memdev);
  if (piece === undefined) throw new VmmError("memdev", "the name of a memory backend", memdev);
  demand(!k.dimms.holds(piece), "memdev", "a backend that nothing uses", memdev);
  demand(Number.isInteger(node) && 0 <= node && node < k.nodes, "node", `0 to ${k.nodes - 1}`, String(node));
  const slot = chooseSlot(k.dimms, options.slot ?? NO_SLOT);
  const size = k.pieces[piece]!.pages * PAGE_SIZE;
  const taken = takenRanges(k);
  demand(k.layout.maxmem > k.layout.memory, "maxmem", "more than the boot memory", hex(k.layout.maxmem));
  demand(k.memslots < k.maxMemslots, "memory slots of KVM", `a free one of ${k.maxMemslots}`, "none");
  const room = k.layout.maxmem - k.layout.memory - taken.reduce((sum, other) => sum + other.size, 0);
  demand(size <= room, `${memdev} size`, `at most ${hex(room)}, which maxmem leaves`, hex(size));
  demand(size % DIMM_ALIGN === 0, `${memdev} size`, `a multiple of ${hex(DIMM_ALIGN)}`, hex(size));
  const wanted = { id: memdev, size, align: DIMM_ALIGN, hint: options.addr ?? 0 };
  const start = placeInWindow(k.layout.deviceMemory, taken, wanted);
  // All checks passed: nothing below can fail.
  k.dimms.fill(slot, piece, node, hotplugged);
  placeDimm(k, slot, start / PAGE_SIZE, piece);
  k.sink?.emit(DIMM_PLUGGED_EVENT, slot, start, size, 0, 0);
  if (hotplugged) k.raiseGpe();
  return slot;
};

/**
 * Asks the guest to give a DIMM back: a remove event. Asking again is allowed and raises the event again.
 *
 * @throws VmmError for an empty slot
 */
export const requestUnplugDimm = (k: Vmm, slot: number): void => {
  demand(
    Number.isInteger(slot) && 0 <= slot && slot < k.dimms.count && k.dimms.isPlugged(slot),
    "slot",
    "one that holds a DIMM",
    String(slot),
  );
  k.dimms.setFlag(slot, MEMORY_SLOT_FLAG.REMOVE_EVENT, true);
  k.raiseGpe();
};

const placeDimm = (k: Vmm, slot: number, start: number, piece: number): void => {
  const memory = k.pieces[piece]!;
  memory.start(k.startsPrivate);
  k.map.place(k.areaOfSlot(slot), start, memory.pages, piece);
  k.noteChanged(start, start + memory.pages);
};

const chooseSlot = (dimms: DimmSlots, wanted: number): number => {
  const slot = wanted === NO_SLOT ? dimms.free : wanted;
  const found = wanted === NO_SLOT ? "none free" : String(wanted);
  demand(
    Number.isInteger(slot) && 0 <= slot && slot < dimms.count && !dimms.isPlugged(slot),
    "slot",
    `a free one of ${dimms.count}`,
    found,
  );
  return slot;
};

const takenRanges = (k: Vmm): Taken[] => {
  const taken: Taken[] = k.devices.map((device) => ({
    id: device.id,
    start: device.addr,
    size: device.regionSize,
  }));
  for (let slot = 0; slot < k.dimms.count; slot++) {
    if (!k.dimms.isPlugged(slot)) continue;
    const area = k.areaOfSlot(slot);
    const size = (k.map.end(area) - k.map.start(area)) * PAGE_SIZE;
    taken.push({ id: k.pieceOf(area).id, start: k.map.start(area) * PAGE_SIZE, size });
  }
  return taken;
};
