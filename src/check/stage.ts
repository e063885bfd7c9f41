import type { FingerprintTable } from "./fingerprint-table.ts";
import type { LinkLog } from "./links.ts";
import { type FrontierWriter, recordBytes } from "./segment.ts";
import type { System } from "./system.ts";

/** Successors that wait together. */
const PLACES = 64;
/** States longer than this are looked up one by one: to save each would cost more than waiting for memory. */
const SHORT_STATE = 128;

/** Whether successors of a system are worth staging. */
export const isWorthStaging = (stateBytes: number): boolean => stateBytes <= SHORT_STATE;

/**
 * Successors that wait to be looked up together. A look-up in a table larger than the caches waits for memory, some
 * hundred instructions long. The look-ups of a batch, one right after the other, wait for it at the same time.
 */
export class Stage {
  /** New states that were found. */
  fresh = 0;
  private count = 0;
  private readonly firsts = new Uint32Array(PLACES);
  private readonly seconds = new Uint32Array(PLACES);
  private readonly parents = new Uint32Array(PLACES);
  private readonly choices = new Uint16Array(PLACES);
  /** Length of the saved state; 0: it is not expanded. */
  private readonly lengths = new Uint32Array(PLACES);
  private readonly bytes: Uint8Array;
  private readonly stride: number;
  private readonly visited: FingerprintTable;
  private readonly links: LinkLog;
  private readonly frontier: FrontierWriter;

  constructor(stateBytes: number, visited: FingerprintTable, links: LinkLog, frontier: FrontierWriter) {
    this.stride = recordBytes(stateBytes);
    this.bytes = new Uint8Array(PLACES * this.stride);
    this.visited = visited;
    this.links = links;
    this.frontier = frontier;
  }

  /** Takes in the system's current state. */
  push(system: System, parent: number, choice: number, goesOn: boolean, level: number): void {
    const place = this.count;
    const { fingerprinter } = this.visited;
    fingerprinter.take(system);
    this.firsts[place] = fingerprinter.halves[0]!;
    this.seconds[place] = fingerprinter.halves[1]!;
    this.parents[place] = parent;
    this.choices[place] = choice;
    this.lengths[place] = goesOn ? system.save(this.bytes, place * this.stride) : 0;
    if (++this.count === PLACES) this.flush(level);
  }

  /** Looks up all that wait. What is new goes into the frontier. */
  flush(level: number): void {
    const { count, firsts, seconds, parents, choices, lengths, visited, links, frontier } = this;
    this.count = 0;
    visited.touch(firsts, count);
    for (let place = 0; place < count; place++) {
      if (!visited.put(firsts[place]!, seconds[place]!, level)) continue;
      this.fresh++;
      const number = links.add(parents[place]!, choices[place]!);
      const length = lengths[place]!;
      if (length > 0) frontier.appendBytes(this.bytes, place * this.stride, length, number);
    }
  }
}
