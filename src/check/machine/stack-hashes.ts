import type { Mirror } from "./mirror.ts";

/** By actor: the hash of its stack at a search's origin, as exclusive or of its lines' hashes there and at the base. */
export class StackHashes {
  /** Two halves an actor. */
  readonly sums: Uint32Array;
  /** By line: number of the actor whose stack it is in, plus 1; 0: nobody's. */
  private readonly owners: Uint16Array;

  constructor(owners: readonly number[]) {
    this.owners = Uint16Array.from(owners);
    this.sums = new Uint32Array(2 * owners.reduce((most, owner) => Math.max(most, owner), 0));
  }

  /** Takes in that the origin moves, in lines that a mirror says differ. */
  take(mirror: Mirror): void {
    const { owners, sums } = this;
    const { differing, count } = mirror;
    for (let at = 0; at < count; at++) {
      const owner = owners[differing[at]!]!;
      if (owner !== 0) mirror.hash(sums, 2 * (owner - 1), at, at + 1);
    }
  }

  /** Whether all stacks in which lines differ, as a mirror says, are those of actors that are marked with 1. */
  areOnly({ differing, count }: Mirror, actors: Uint8Array): boolean {
    const { owners } = this;
    for (let at = 0; at < count; at++) {
      const owner = owners[differing[at]!]!;
      if (owner !== 0 && actors[owner - 1] !== 1) return false;
    }
    return true;
  }
}
