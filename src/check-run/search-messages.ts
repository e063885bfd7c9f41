import type { AfterViolation } from "../check/expander.ts";
import type { SharedTable } from "../check/shared-fingerprint-set.ts";

/** Tells the data of a thread that searches from those of others. */
export const SEARCH_THREAD = "tidemark search";

/** What a thread is given when it starts. */
export interface ThreadData {
  readonly kind: typeof SEARCH_THREAD;
  readonly configuration: unknown;
  readonly after: AfterViolation;
  readonly partialOrder: boolean;
  readonly seed: number;
  /** Bytes of the search that are this thread's part. */
  readonly bytes: number;
}

/** A stretch of the frontier in shared memory; bytes [begin, used) are still to do. */
export interface SharedSegment {
  readonly buffer: SharedArrayBuffer;
  readonly begin: number;
  readonly used: number;
}

/** Records that one thread expands in a row, of a segment of the order. */
export interface Piece extends SharedSegment {
  readonly segment: number;
}

/** What a thread is asked to do. Each is answered once. */
export type Order =
  /** Goes over to a table; one thread also puts the initial state there and into its frontier. */
  | { readonly kind: "begin"; readonly shared: SharedTable; readonly first: boolean }
  /** Takes pieces that nobody has taken until there is none or all are to pause. */
  | {
      readonly kind: "expand";
      readonly level: number;
      readonly pieces: readonly Piece[];
      /** By segment: pieces of it that are still to do. */
      readonly left: SharedArrayBuffer;
    }
  /** Goes over to a larger table and puts its part of the old one there. */
  | {
      readonly kind: "grow";
      readonly from: SharedTable;
      readonly to: SharedTable;
      readonly part: number;
      readonly parts: number;
    };

/** What a thread answers. Counts are of all that it did so far. */
export interface Report {
  readonly kind: "report";
  /** New stretches of the next level's frontier. */
  readonly produced: readonly SharedSegment[];
  /** The piece that it was in when all paused: its index in the order, and where to go on. */
  readonly unfinished: { readonly index: number; readonly begin: number } | undefined;
  readonly transitions: number;
  readonly resting: number;
  readonly expanded: number;
  readonly appended: number;
  readonly deepest: number;
  readonly frontierBytes: number;
  /** Of what its system remembers. */
  readonly systemBytes: number;
  /** Numbers of the violations that it met. */
  readonly violations: readonly number[];
  readonly goals: Uint32Array;
}

/** The system threw. */
export interface Failure {
  readonly kind: "failure";
  /** As `serveSearch` was told to tell it. */
  readonly error: unknown;
}
