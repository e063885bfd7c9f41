import type { HostTest } from "./host-spec.ts";
import type { AddressRange, BlockRange } from "./scenario.ts";
import type { Place } from "./scenario-error.ts";

export const OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "in"] as const;

/** A test of one number. `in` has both ends included. */
export interface Comparison {
  readonly operator: (typeof OPERATORS)[number];
  readonly value: number;
  /** Upper end of `in`; equal to `value` otherwise. */
  readonly high: number;
  /** True if the text named a unit of bytes; otherwise the number is in the counter's own unit. */
  readonly inBytes: boolean;
  /** As the user wrote it. */
  readonly text: string;
}

export const SEPT_STATES = ["FREE", "PENDING", "MAPPED", "PENDING_BLOCKED", "BLOCKED"] as const;

/**
 * What Linux does with memory: not in Linux; added but offline; free; on the zone's unaccepted list; allocated;
 * part of an online block but withheld by virtio-mem; holding the memmap; the kernel, firmware tables and holes.
 * Unknown: a world that looks at a kernel from outside does not see it.
 */
export const USES = [
  "none",
  "offline",
  "free",
  "unaccepted",
  "allocated",
  "fake-offline",
  "memmap",
  "reserved",
  "unknown",
] as const;
export type Use = (typeof USES)[number];

export const FATES = ["off", "running", "panicked", "killed", "hung"] as const;
export type FateState = (typeof FATES)[number];

export interface RangeFacts {
  readonly plugged?: boolean;
  readonly accepted?: boolean;
  readonly online?: boolean;
  readonly use?: Use;
  readonly sept?: (typeof SEPT_STATES)[number];
  readonly unacceptedBit?: 0 | 1;
  readonly pluggedBit?: 0 | 1;
}

/** A run of equal bits: `count` bits from `first`. */
export interface BitRun {
  readonly first: number;
  readonly count: number;
}

/** A line that must be in a text, or must not. */
export interface LineTest {
  readonly mode: "contains" | "matches" | "absent";
  readonly text: string;
}

export interface BitmapFacts {
  readonly version?: number;
  readonly physBase?: number;
  readonly unitSize?: number;
  readonly sizeBytes?: number;
  readonly tableBytes?: number;
  readonly unaccepted?: readonly BitRun[];
  readonly plugged?: readonly BitRun[];
}

export interface DeviceFacts {
  readonly plugged?: Comparison;
  readonly requested?: Comparison;
  /** State of a memory block in the driver's own words, by block number. */
  readonly blockStates?: { readonly [block: string]: string };
}

/** What a vCPU can do for long, by the key of its expectation. */
export const WAITS = { longestIrqsOff: "irqsOffNs", longestSpin: "spinNs" } as const;
export type WaitName = keyof typeof WAITS;

/** One thing that must hold. */
export type Expectation = { readonly place: Place } & (
  | { readonly kind: "counter"; readonly name: string; readonly test: Comparison }
  /** How far a counter moved since before the last step that acted. */
  | { readonly kind: "change"; readonly name: string; readonly test: Comparison }
  | ({ readonly kind: "range"; readonly facts: RangeFacts } & AddressRange)
  | { readonly kind: "bitmap"; readonly facts: BitmapFacts }
  | { readonly kind: "no-bitmap" }
  | { readonly kind: "dmesg"; readonly line: LineTest }
  | { readonly kind: "iomem"; readonly line: LineTest }
  | { readonly kind: "tdcalls"; readonly leaf: string; readonly test: Comparison }
  | { readonly kind: "exits"; readonly test: Comparison }
  | { readonly kind: "virtual-time"; readonly test: Comparison }
  /** Longest stretch of any vCPU until now. */
  | { readonly kind: "longest-wait"; readonly wait: WaitName; readonly test: Comparison }
  | { readonly kind: "block-size"; readonly test: Comparison }
  | { readonly kind: "block-count"; readonly state: string; readonly test: Comparison }
  | { readonly kind: "block-state"; readonly blocks: BlockRange; readonly state: string }
  | { readonly kind: "device"; readonly id: string; readonly facts: DeviceFacts }
  | { readonly kind: "machine"; readonly state: FateState }
  /** Status of the step before. It replaces the rule that each step succeeds. */
  | { readonly kind: "status"; readonly status: string }
  | { readonly kind: "host-state"; readonly state: string }
  | ({ readonly kind: "host-fact" } & HostTest)
  | { readonly kind: "host-dmesg"; readonly line: LineTest }
  | { readonly kind: "broken"; readonly invariant: string }
);
