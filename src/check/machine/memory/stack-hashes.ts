import type { Gates } from "./gates.ts";
import { HASHED } from "./line.ts";
import type { Mirror } from "./mirror.ts";

/**
 * By owner of memory (an actor's is its stack): the hash of it at a search's origin, as exclusive or of its lines' hashes there and at
 * the base. And that of all lines that the key leaves out.
 */
export class StackHashes {
  /** Two halves an owner. */
  readonly sums: Uint32Array;
  readonly rest = new Uint32Array(2);
  /** By owner: 1 if its memory may have changed since somebody made that 0. */
  readonly moved: Uint8Array;
  /** By line: number of its owner, plus 1; 0: nobody. */
  private readonly owners: Uint16Array;

  constructor({ owners, owning }: Gates) {
    this.owners = Uint16Array.from(owners);
    this.sums = new Uint32Array(2 * owning);
    this.moved = new Uint8Array(owning).fill(1);
  }

  /** The origin is the base. */
  clear(): void {
    this.sums.fill(0);
    this.rest.fill(0);
    this.moved.fill(1);
  }

  /** Takes in that the origin moves, in lines that a mirror says differ. */
  take(mirror: Mirror): void {
    const { owners, sums, moved } = this;
    const { differing, count } = mirror;
    mirror.hash(this.rest, HASHED.REST);
    for (let at = 0; at < count; at++) {
      const owner = owners[differing[at]!]!;
      if (owner === 0) continue;
      moved[owner - 1] = 1;
      mirror.hash(sums, HASHED.ALL, 2 * (owner - 1), at, at + 1);
    }
  }

  /** Whether all that is owned in which lines differ, as a mirror says, is that of owners that are marked with 1. */
  areOnly({ differing, count }: Mirror, marked: Uint8Array): boolean {
    const { owners } = this;
    for (let at = 0; at < count; at++) {
      const owner = owners[differing[at]!]!;
      if (owner !== 0 && marked[owner - 1] !== 1) return false;
    }
    return true;
  }
}
