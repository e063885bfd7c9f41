import type { Mirror } from "./mirror.ts";

const ALL_BITS = -1;

/** By line: bits of who can tell it apart from the key; and in whose lines a search's origin moved. */
export class Tellers {
  private readonly bits: Uint32Array;
  private moved = ALL_BITS;

  constructor(bits: readonly number[]) {
    this.bits = Uint32Array.from(bits);
  }

  /** Bits of who tells lines that a mirror says differ. */
  of({ differing, count }: Mirror): number {
    const { bits } = this;
    let all = 0;
    for (let at = 0; at < count; at++) all |= bits[differing[at]!]!;
    return all;
  }

  /** The origin moves in lines that a mirror says differ. */
  move(mirror: Mirror): void {
    this.moved |= this.of(mirror);
  }

  moveAll(): void {
    this.moved = ALL_BITS;
  }

  /** Bits of who tells lines in which the origin may differ from what it was when this was asked last. */
  takeMoved(): number {
    const { moved } = this;
    this.moved = 0;
    return moved;
  }
}
