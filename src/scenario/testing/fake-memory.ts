import { assert } from "../../assert.ts";
import { GIB, MIB, roundUp } from "../../units.ts";
import type { BitRun, Use } from "../expectation.ts";
import type { MachineSpec } from "../scenario.ts";
import type { MapRun, MemoryBlocks } from "../world.ts";

export const UNIT = 2 * MIB;

/** A stretch of guest memory of one owner, a few flags and a use for each 2 MiB unit. */
export interface Stretch {
  readonly owner: string;
  readonly start: number;
  readonly units: Unit[];
}

export interface Unit {
  plugged: boolean;
  accepted: boolean;
  online: boolean;
  use: Use;
}

export const isFree = ({ use }: Unit): boolean => use === "free" || use === "unaccepted";

const stretch = (owner: string, start: number, bytes: number, plugged: boolean): Stretch => ({
  owner,
  start,
  units: Array.from({ length: bytes / UNIT }, () => ({
    plugged,
    accepted: false,
    online: plugged,
    use: "none",
  })),
});

/** Memory of the fake machine: RAM as on q35, then one stretch for each device. */
export class FakeMemory {
  readonly stretches: Stretch[] = [];
  private next: number;

  constructor({ memory, virtioMem, dimms }: MachineSpec) {
    const low = memory < 2.75 * GIB ? memory : 2 * GIB;
    this.stretches.push(stretch("RAM", 0, low, true));
    if (memory > low) this.stretches.push(stretch("RAM", 4 * GIB, memory - low, true));
    this.next = roundUp(4 * GIB + Math.max(0, memory - low), GIB);
    for (const { id, size } of virtioMem) this.add(id, size, false);
    for (const { id, size } of dimms) this.add(id, size, true);
  }

  add(owner: string, bytes: number, plugged: boolean): Stretch {
    const added = stretch(owner, this.next, bytes, plugged);
    this.next = roundUp(this.next + bytes, 128 * MIB);
    this.stretches.push(added);
    return added;
  }

  remove(owner: string): void {
    const at = this.stretches.findIndex((one) => one.owner === owner);
    assert(at >= 0, `${owner} is there`);
    this.stretches.splice(at, 1);
  }

  of(owner: string): Stretch {
    const found = this.stretches.find((one) => one.owner === owner);
    assert(found !== undefined, `${owner} is there`);
    return found;
  }

  /** Every unit with its address, ascending. */
  *all(): Generator<readonly [at: number, unit: Unit, owner: string]> {
    for (const { owner, start, units } of this.stretches) {
      for (const [i, unit] of units.entries()) yield [start + i * UNIT, unit, owner];
    }
  }

  at(address: number): Unit | undefined {
    const found = this.stretches.find(
      ({ start, units }) => start <= address && address < start + units.length * UNIT,
    );
    return found?.units[Math.floor((address - found.start) / UNIT)];
  }

  bytes(test: (unit: Unit) => boolean): number {
    let count = 0;
    for (const { units } of this.stretches) {
      for (let i = 0; i < units.length; i++) if (test(units[i]!)) count++;
    }
    return count * UNIT;
  }

  map(): MapRun[] {
    const runs: MapRun[] = [];
    for (const [at, unit, owner] of this.all()) {
      const facts = factsOf(unit, at, owner);
      const last = runs.at(-1);
      const joins =
        last?.end === at &&
        JSON.stringify({ ...last, start: 0, end: 0 }) === JSON.stringify({ ...facts, start: 0, end: 0 });
      if (joins) runs[runs.length - 1] = { ...last, end: at + UNIT };
      else runs.push(facts);
    }
    return runs;
  }

  bits(test: (unit: Unit) => boolean): BitRun[] {
    const bits: BitRun[] = [];
    for (const [at, unit] of this.all()) {
      if (at >= 4 * GIB && test(unit)) bits.push({ first: (at - 4 * GIB) / UNIT, count: 1 });
    }
    return bits;
  }

  iomem(): string[] {
    return this.stretches.map(({ owner, start, units }) => {
      const hex = (n: number): string => n.toString(16).padStart(8, "0");
      return `${hex(start)}-${hex(start + units.length * UNIT - 1)} : ${owner === "RAM" ? "System RAM" : owner}`;
    });
  }

  blocks(): MemoryBlocks {
    const size = 128 * MIB;
    const numbers = new Map<number, boolean>();
    for (const [at, unit] of this.all()) {
      if (unit.plugged) numbers.set(Math.floor(at / size), unit.online);
    }
    const blocks = [...numbers].map(([number, online]) => ({
      number,
      state: online ? "online" : "offline",
      zones: number < 32 ? "DMA32" : "Normal",
    }));
    return { size, blocks };
  }
}

const factsOf = (unit: Unit, at: number, owner: string): MapRun => ({
  start: at,
  end: at + UNIT,
  owner,
  plugged: unit.plugged,
  accepted: unit.accepted,
  sept: unit.accepted ? "MAPPED" : unit.plugged ? "PENDING" : "FREE",
  unacceptedBit: at < 4 * GIB ? null : unit.accepted ? 0 : 1,
  pluggedBit: at < 4 * GIB ? null : unit.plugged ? 1 : 0,
  online: unit.online,
  use: unit.use,
});
