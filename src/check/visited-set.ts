import type { System } from "./system.ts";

/** The states that were met. */
export interface VisitedSet {
  /** Number of states in it. */
  readonly size: number;
  /** Bytes of memory that it takes now. */
  readonly bytes: number;
  /** The search has to pause before the next record is expanded: there is no room, or somebody asks for it. */
  readonly crowded: boolean;
  /**
   * Puts the system's current state in.
   *
   * @param level distance from the initial state, kept with a new state if the set keeps levels
   * @returns whether it was not there before
   */
  add(system: System, level: number): boolean;
  /** Level kept with the state that was added, or found, last. Only of a set that keeps levels. */
  readonly lastLevel: number;
}

/** A visited set that one thread has for itself. */
export interface OwnVisitedSet extends VisitedSet {
  /** What `grow` would take on top of `bytes` while it runs. */
  readonly growthBytes: number;
  /** Doubles the number of slots. */
  grow(): void;
  /** Notes a lower level of the state that was found last. Only of a set that keeps levels. */
  lowerLevel(level: number): void;
}

/** Highest level that a set can keep; deeper states are all kept as this one. */
export const DEEPEST = 0xffff;

/** States a record may have after it, and the slots that a table keeps free for them. */
export const MOST_CHOICES = 0xffff;
export const FEWEST_SLOTS = 4 * (MOST_CHOICES + 1);

/** Filled to this part, a table grows: probes stay short, and the choices of one more state always fit. */
export const CROWDED = 0.75;
