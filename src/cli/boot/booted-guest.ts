import type { LabViolation } from "../../lab/enforce/violation.ts";
import type { Scenario } from "../../scenario/scenario.ts";
import type { Fate, MapRun } from "../../scenario/world.ts";
import type { BootOptions } from "./options.ts";

/** What a guest is started with. */
export interface BootOrder {
  /** Its machine. */
  readonly scenario: Scenario;
  readonly options: BootOptions;
  /** More of the kernel's command line. */
  readonly append: string;
  /** Takes what the console says, in order. */
  readonly print: (bytes: Uint8Array) => void;
  /** Told what takes time, as a phrase. */
  readonly progress: (what: string) => void;
  readonly signal: AbortSignal;
}

/** How it went. */
export interface GuestOutcome {
  /** Of the kernel, such as 6.12.117+deb12-cloud-amd64. */
  readonly release: string;
  readonly fate: Fate;
  readonly violations: readonly LabViolation[];
  readonly tdcalls: { readonly [leaf: string]: number };
  readonly seamcalls: { readonly [leaf: string]: number };
  /** TD exits. */
  readonly exits: number;
}

/** A guest at the entry of its kernel, as `tidemark boot` uses it. */
export interface BootedGuest {
  /** Lets the kernel go. @returns true once the agent in it is ready, false if it ended before */
  boot(): Promise<boolean>;
  /** Fulfilled once the guest is over. */
  gone(): Promise<void>;
  /** Types on the console. */
  type(bytes: Uint8Array): void;
  /** Tells the console's terminal its size. The agent must be ready. */
  setSize(columns: number, rows: number): Promise<void>;
  map(): Promise<MapRun[]>;
  /** Ends the guest, whose last words on the console are printed, and tells how it went. */
  outcome(): Promise<GuestOutcome>;
  /** Ends it, and removes everything of it. */
  close(): Promise<void>;
}

export type StartGuest = (order: BootOrder) => Promise<BootedGuest>;
