import type { Found } from "./expander.ts";

/** What a breadth-first search has counted. */
export interface Tallies {
  readonly states: number;
  readonly transitions: number;
  readonly resting: number;
  readonly expanded: number;
  readonly appended: number;
  readonly deepest: number;
}

/**
 * A breadth-first search between two records: all that it takes to go on elsewhere and to end with the same counts.
 * Its arrays are the search's own: they have to be written before it goes on.
 */
export interface Checkpoint {
  readonly tallies: Tallies;
  /** Distance of the states that are being expanded; of those expanded last, where none of their level is left. */
  readonly depth: number;
  readonly found: readonly Found[];
  readonly goals: readonly number[];
  /** The table of fingerprints, and the level of each slot if levels are kept. */
  readonly table: Uint32Array;
  readonly levels: Uint16Array | undefined;
  /** Records of this level that are still to do, and those of the next. */
  readonly level: readonly Uint8Array[];
  readonly next: readonly Uint8Array[];
  /** Absent for a search on several threads, which tells no stories. */
  readonly links:
    | { readonly parents: readonly Uint32Array[]; readonly choices: readonly Uint16Array[] }
    | undefined;
}
