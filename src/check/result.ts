/**
 * Why a search ended. Only "complete" says something about every state; after all others what is known holds for the
 * states that were met.
 */
export type End = "complete" | "violation" | "depth" | "states" | "memory" | "interrupted";

/** A broken rule and the choices, from the initial state on, that lead to it. */
export interface Violation {
  readonly violation: number;
  /** Indexes of choices, one a step. */
  readonly path: readonly number[];
  /** It shows where nothing can go on any more, after the whole path. */
  readonly atRest: boolean;
}

/** What a search counts. All of it but `bytes` is the same for any number of threads. */
export interface Counts {
  /** States met, the initial one included; under symmetry, classes of states. */
  readonly states: number;
  /** Choices taken, also those that led to a state met before. */
  readonly transitions: number;
  /** Length of the longest of the shortest paths to a state. */
  readonly depth: number;
  /** States in which nothing could be taken. */
  readonly resting: number;
  /** States in the frontier now. */
  readonly frontier: number;
  /** Bytes of tables, frontiers and links. */
  readonly bytes: number;
}

export interface SearchResult extends Counts {
  readonly end: End;
  /** The first of each rule, by length and then by number. */
  readonly violations: readonly Violation[];
  /** Goals that some run met, as the system numbers them, 32 a word. */
  readonly goals: Uint32Array;
  /**
   * Upper bound of the probability that a state was taken for another and left out. 0 for an exact search.
   */
  readonly omission: number;
}

/**
 * The probability that among `states` different keys some two have one fingerprint, if fingerprints are as good as
 * random: n (n - 1) / 2 pairs, each of which agrees with probability 1 / (2^32 - 1)^2. At most 1.
 */
export const omissionProbability = (states: number): number =>
  Math.min(1, (states * (states - 1)) / 2 / (2 ** 32 - 1) ** 2);

/** Bounds of a search. What is left out is without bound. */
export interface Limits {
  readonly depth?: number;
  readonly states?: number;
  readonly bytes?: number;
}
