import type { HoldPoint } from "./hold-points.ts";

/** Where a thread of a real guest is held. */
export interface HeldAt {
  readonly point: HoldPoint;
  /** Which call of the function since its deed began, from 1; of those about `address`, if there is one. */
  readonly nth: number;
  /** Guest-physical byte that the call has to be about. */
  readonly address?: number;
  /** Where the story has it, and who it is. */
  readonly text: string;
}

/** A thread that is held goes on. */
export interface GoesOn {
  /** Which of the steps that act its deed is, from 0. */
  readonly step: number;
  /** Where it is held next; absent: it goes on to its end. */
  readonly until?: HeldAt;
}

/** A step of a scenario that begins, or ends, while somebody is held. */
export interface ScheduledStep extends GoesOn {
  /** It is asked for and not waited for: who is to do it is held. */
  readonly asks: boolean;
  /** Who goes on after it, one after the other. */
  readonly next: readonly GoesOn[];
}
