import type { Fingerprinter } from "./fingerprinter.ts";
import type { VisitedSet } from "./visited-set.ts";

/** A visited set of fingerprints, in which states are also looked up in batches. */
export interface FingerprintTable extends VisitedSet {
  readonly fingerprinter: Fingerprinter;
  /** Reads where these fingerprints belong, so that their lines are in the cache. */
  touch(firsts: Uint32Array, count: number): void;
  /** `add` of a fingerprint that was taken before. */
  put(first: number, second: number, level: number): boolean;
}
