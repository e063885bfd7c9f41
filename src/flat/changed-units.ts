/**
 * A bounded list of numbers of 2 MiB units (GPA divided by 2 MiB) that changed. A unit may stand in it more
 * than once. When it cannot hold a change it says so, lists no more, and the reader looks at everything.
 */
export class ChangedUnits {
  readonly units: Uint32Array;
  count = 0;
  /** More changed than the list tells. */
  overflow = false;
  /** The unit at the end of the list; -1: none. Repeats of it stop here, and so does all after an overflow. */
  private last = -1;

  constructor(capacity = 1024) {
    this.units = new Uint32Array(capacity);
  }

  add(unit: number): void {
    if (unit === this.last || this.overflow) return;
    this.append(unit);
  }

  private append(unit: number): void {
    if (this.count === this.units.length) {
      this.overflow = true;
      return;
    }
    this.units[this.count++] = unit;
    this.last = unit;
  }

  /** A change that is not confined to one unit. */
  everything(): void {
    this.overflow = true;
  }

  clear(): void {
    this.count = 0;
    this.last = -1;
    this.overflow = false;
  }
}
