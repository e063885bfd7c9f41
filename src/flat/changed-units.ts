const COUNT = 0;
const OVERFLOW = 1;
const LAST = 2;

/**
 * A bounded list of numbers of 2 MiB units (GPA divided by 2 MiB) that changed. A unit may stand in it more
 * than once. When it cannot hold a change it says so, lists no more, and the reader looks at everything.
 */
export class ChangedUnits {
  readonly units: Uint32Array;
  /** Units in the list; 1 after an overflow; unit at the end of the list + 1: repeats of it stop there. */
  private readonly words = new Uint32Array(3);

  constructor(capacity = 1024) {
    this.units = new Uint32Array(capacity);
  }

  get count(): number {
    return this.words[COUNT]!;
  }

  /** More changed than the list tells. */
  get overflow(): boolean {
    return this.words[OVERFLOW] !== 0;
  }

  add(unit: number): void {
    if (unit + 1 === this.words[LAST] || this.words[OVERFLOW] !== 0) return;
    this.append(unit);
  }

  private append(unit: number): void {
    const count = this.words[COUNT]!;
    if (count === this.units.length) {
      this.words[OVERFLOW] = 1;
      return;
    }
    this.units[count] = unit;
    this.words[COUNT] = count + 1;
    this.words[LAST] = unit + 1;
  }

  /** A change that is not confined to one unit. */
  everything(): void {
    this.words[OVERFLOW] = 1;
  }

  views(): ArrayBufferView[] {
    return [this.units, this.words];
  }

  clear(): void {
    this.words.fill(0);
  }
}
