import type { Mirror } from "./mirror.ts";

/** Tells in a way of its own what lines hold that the key leaves out, and follows a search's origin. */
export interface ApartTeller {
  /** The origin is the base. */
  clear(): void;
  /** The origin moves in lines that a mirror says differ: its copy and the memory are the old one and the new one, or the other way round. */
  take(mirror: Mirror): void;
}

export const NO_TELLER: ApartTeller = { clear: () => undefined, take: () => undefined };
