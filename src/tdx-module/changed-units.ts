/**
 * A bounded list of numbers of 2 MiB units (GPA divided by 2 MiB) that changed. A unit may stand in it more
 * than once. When it cannot hold a change it says so, and the reader looks at everything.
 */
export class ChangedUnits {
  readonly units: Uint32Array;
  count = 0;
  /** More changed than the list tells. */
  overflow = false;

  constructor(capacity = 1024) {
    this.units = new Uint32Array(capacity);
  }

  add(unit: number): void {
    const n = this.count;
    if (n !== 0 && this.units[n - 1] === unit) return;
    if (n === this.units.length) {
      this.overflow = true;
      return;
    }
    this.units[n] = unit;
    this.count = n + 1;
  }

  /** A change that is not confined to one unit. */
  everything(): void {
    this.overflow = true;
  }

  clear(): void {
    this.count = 0;
    this.overflow = false;
  }
}
