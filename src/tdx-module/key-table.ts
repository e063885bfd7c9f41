import { type Flat, type FlatRange, range } from "../flat/flat-range.ts";

/** Widths of host-physical addresses, in bits, and the private key ids. */
export interface Platform {
  /** MAXPA. */
  readonly maxPa: number;
  /** Bits below MAXPA that hold the key id. */
  readonly hkidBits: number;
  /** First key id that is private; lower ones are for the host's own use. */
  readonly firstPrivateHkid: number;
}

/** State of a private key id. The module's own one is RESERVED. */
export const KEY = { FREE: 0, ASSIGNED: 1, FLUSHED: 2, WRITTEN_BACK: 3, RESERVED: 4 } as const;

/**
 * The key ownership table: which private key ids are in use.
 *
 * FLUSHED and WRITTEN_BACK together are the hardware's flushed state, before and after the caches of the
 * (only) package were written back.
 *
 * @source TDX module 1.5.25, key ownership table
 * @missing several packages
 */
export class KeyTable implements Flat {
  private readonly states: Uint8Array;
  private readonly first: number;

  constructor(platform: Platform) {
    this.states = new Uint8Array(2 ** platform.hkidBits);
    this.first = platform.firstPrivateHkid;
  }

  isPrivate(hkid: number): boolean {
    return this.first <= hkid && hkid < this.states.length;
  }
  stateOf(hkid: number): number {
    return this.states[hkid]!;
  }
  setState(hkid: number, state: number): void {
    this.states[hkid] = state;
  }
  /** First free private key id, or -1. */
  firstFree(): number {
    return this.states.indexOf(KEY.FREE, this.first);
  }
  /** TDH.PHYMEM.CACHE.WB: answers whether there was a flushed key id. */
  writeBackFlushed(): boolean {
    let any = false;
    for (let hkid = this.first; hkid < this.states.length; hkid++) {
      const state = this.states[hkid];
      if (state === KEY.FLUSHED) this.states[hkid] = KEY.WRITTEN_BACK;
      if (state === KEY.FLUSHED || state === KEY.WRITTEN_BACK) any = true;
    }
    return any;
  }

  flat(): readonly FlatRange[] {
    return [range(this.states, this.states.length)];
  }
  reserve(): void {
    // Fixed length: there is nothing to make room for.
  }
}
