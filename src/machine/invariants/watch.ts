import type { DirtyRanges } from "../../flat/dirty-ranges.ts";
import { UNACCEPTED_MEMORY_LOCK } from "../../linux/unaccepted-memory.ts";
import { ACCEPTED, acceptedOf, pluggedBit } from "../facts.ts";
import { PromoLook } from "./promo-look.ts";
import type { InvariantId } from "./table.ts";
import { type Facts, isSound, UNIT_RULES } from "./unit-rules.ts";
import { Violations } from "./violations.ts";

const UNIT = 2 ** 21;

const HARDWARE_RULES = UNIT_RULES.filter(({ hardware }) => hardware);
const BIT_RULES = UNIT_RULES.filter(({ bits }) => bits);
const USE_RULES = UNIT_RULES.filter(({ use }) => use);

/** A range of units, half open, counted from address 0. */
export interface UnitRange {
  readonly start: number;
  readonly end: number;
}

/** What the watch needs of the machine. */
export interface Watched extends Facts {
  /** Number of the machine step that is running or has just run. */
  readonly step: number;
  /** All memory there is or may be: RAM, then the device window. */
  readonly memory: readonly UnitRange[];
  /** Whether a unit is boot memory. */
  isStatic(unit: number): boolean;
  /** Units whose plugged truth changed. */
  readonly pluggedChanged: DirtyRanges;
}

/**
 * Compares hardware truth, the kernel's belief and use after each step, where something moved.
 *
 * The parts list the units that they change; a rule about a unit and the one above it is asked for both. While a
 * release holds the bitmap lock, bits and hardware may differ, and the lists wait.
 */
export class Watch {
  readonly violations: Violations;
  private readonly machine: Watched;
  private readonly facts: Facts;
  private readonly promo: PromoLook;

  /** @param violations those of the kernel before, if there was one */
  constructor(machine: Watched, violations = new Violations()) {
    this.violations = violations;
    this.machine = machine;
    this.facts = machine;
    const { table, zones } = machine.kernel;
    if (table !== undefined) table.observer = this;
    this.promo = new PromoLook(machine.kernel, (why) => this.report("I24", 0, 0, why));
    zones.observer = this.promo;
  }

  /** Memory that only the rules look at. */
  views(): ArrayBufferView[] {
    return this.promo.views();
  }

  report(invariant: InvariantId, start: number, end: number, why: string): void {
    this.violations.add(invariant, this.machine.step, start, end, why);
  }

  /** Looks at every unit that changed since the last look. */
  afterStep(): void {
    const { kernel, td, pluggedChanged } = this.machine;
    const { changed } = td.sept;
    const bits = kernel.table?.dirty;
    if (changed.count === 0 && !changed.overflow && kernel.mm.dirty.count === 0) {
      if ((bits === undefined || bits.count === 0) && pluggedChanged.count === 0) return;
    }
    if (!kernel.locks.isFree(UNACCEPTED_MEMORY_LOCK)) return;
    if (changed.overflow) this.checkAll();
    else {
      for (let index = 0; index < changed.count; index++) this.checkPair(changed.units[index]!);
      this.checkRanges(kernel.mm.dirty, USE_RULES);
      if (bits !== undefined) this.checkRanges(bits, BIT_RULES);
      this.checkRanges(pluggedChanged, BIT_RULES);
    }
    this.forget();
  }

  /** Drops what changed, as after a boot phase that no rule speaks of. */
  forget(): void {
    const { kernel, td, pluggedChanged } = this.machine;
    td.sept.changed.clear();
    kernel.mm.dirty.clear();
    kernel.table?.dirty.clear();
    pluggedChanged.clear();
  }

  /** The full form: every unit of all memory. Tests hold the incremental form against it. */
  checkAll(): void {
    for (const range of this.machine.memory) this.checkRange(range);
  }

  /** The full form for some units. */
  checkRange({ start, end }: UnitRange): void {
    for (let unit = start; unit < end; unit++) this.checkUnit(unit, UNIT_RULES);
  }

  private checkRanges(ranges: DirtyRanges, rules: typeof UNIT_RULES): void {
    for (let index = 0; index < ranges.count; index++) {
      const end = ranges.ends[index]!;
      for (let unit = ranges.starts[index]! - 1; unit < end; unit++)
        if (unit >= 0) this.checkUnit(unit, rules);
    }
  }

  private checkPair(unit: number): void {
    if (unit > 0) this.checkUnit(unit - 1, HARDWARE_RULES);
    this.checkUnit(unit, HARDWARE_RULES);
  }

  private checkUnit(unit: number, rules: typeof UNIT_RULES): void {
    if (isSound(this.facts, unit)) return;
    for (const { id, broken } of rules) {
      const why = broken(this.facts, unit);
      if (why !== undefined) this.reportUnit(id, unit, why);
    }
  }

  /** I5: the kernel cleared unaccepted bits; units are relative to the table's window, as for all below. */
  accepted(start: number, end: number): void {
    const { machine } = this;
    for (let unit = this.base + start; unit < this.base + end; unit++) {
      if (acceptedOf(machine.td, unit) === ACCEPTED.ALL || !machine.pluggedAt(unit)) continue;
      this.reportUnit("I5", unit, "its bit was cleared, and hardware has not accepted it");
    }
  }

  /** I6, I13: the kernel set unaccepted bits. */
  unaccepted(start: number, end: number): void {
    const { kernel, td } = this.machine;
    const { version } = kernel.table!;
    for (let unit = this.base + start; unit < this.base + end; unit++) {
      if (acceptedOf(td, unit) === ACCEPTED.ALL)
        this.reportUnit("I6", unit, "its bit was set, and hardware still has it accepted");
      if (version === 1 || pluggedBit(kernel, unit) === 0)
        this.reportUnit("I13", unit, "its unaccepted bit was set, which this table forbids");
    }
  }

  /** I15: the kernel set plugged bits. */
  plugged(start: number, end: number): void {
    const { machine } = this;
    for (let unit = this.base + start; unit < this.base + end; unit++)
      if (!machine.pluggedAt(unit))
        this.reportUnit("I15", unit, "its plugged bit was set, and the VMM has not plugged it");
  }

  /** I14: the kernel cleared plugged bits. */
  unplugged(start: number, end: number): void {
    const { machine } = this;
    for (let unit = this.base + start; unit < this.base + end; unit++)
      if (machine.isStatic(unit)) this.reportUnit("I14", unit, "the plugged bit of boot memory was cleared");
  }

  /** Number of the table's first unit, counted from address 0. */
  private get base(): number {
    const { physBase, unitSize } = this.machine.kernel.table!;
    return physBase / unitSize;
  }

  private reportUnit(invariant: InvariantId, unit: number, why: string): void {
    this.report(invariant, unit * UNIT, (unit + 1) * UNIT, why);
  }
}
