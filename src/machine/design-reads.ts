import type { Design } from "../linux/design.ts";

/** Values that were read, by their names. */
type Reads = Map<PropertyKey, unknown>;

/**
 * Remembers all that is read of a design. A machine learns of its design in no other way, so what it did is what it does
 * with every design of which the same reads give the same values.
 */
export class DesignReads {
  /** The design, for the machine that is to be watched. */
  readonly design: Design;
  private readonly own: Reads = new Map();
  private readonly hooks: Reads = new Map();

  constructor(design: Design) {
    const hooks = noting(design.hooks, this.hooks);
    const own = this.own;
    this.design = new Proxy(design, {
      get: (of, key) => (key === "hooks" ? hooks : noted(of, key, own)),
    });
  }

  /** Whether the machine would have read the same of another design. */
  holdFor(other: Design): boolean {
    return isSame(this.own, other) && isSame(this.hooks, other.hooks);
  }
}

const noted = (of: object, key: PropertyKey, reads: Reads): unknown => {
  const value: unknown = Reflect.get(of, key);
  reads.set(key, value);
  return value;
};

const noting = <T extends object>(of: T, reads: Reads): T =>
  new Proxy(of, { get: (from, key) => noted(from, key, reads) });

const isSame = (reads: Reads, other: object): boolean =>
  [...reads].every(([key, value]) => Reflect.get(other, key) === value);
