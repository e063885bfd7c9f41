import type { HostFacts } from "../machine/host-actor.ts";
import type { Waits } from "../machine/stalls.ts";
import type { BitRun, FateState, SEPT_STATES, Use } from "./expectation.ts";
import type { Action, AddressRange, Scenario } from "./scenario.ts";

/** A value now, or a promise of it: the model world answers at once, a real kernel takes its time. */
export type Eventually<T> = T | Promise<T>;

/**
 * One thing that happened. A machine step, not a step of the scenario: one scenario step makes many.
 *
 * Steps are emitted one by one in virtual-time order. The object is only valid during the call, so that a
 * world may use one object for all of them; who keeps something copies it.
 */
export interface TraceEvent {
  /** Number of the machine step, from 1, ascending. */
  readonly step: number;
  /** Virtual time when the step ended, in nanoseconds since power-on. */
  readonly ns: number;
  /** Who acted: firmware, stub, guest, driver, vmm, tdx-module, operator, host ... */
  readonly actor: string;
  /** vCPU it acted on; null for those who are not on one. */
  readonly vcpu: number | null;
  /** What it did, without operands, so that equal deeds have equal names: `TDG.MEM.PAGE.ACCEPT 2M`. */
  readonly what: string;
  /** Guest-physical bytes it was about, half open; null if it was about no memory. */
  readonly start: number | null;
  readonly end: number | null;
  /** The answer by name: SUCCESS, PAGE_ALREADY_ACCEPTED, -EBUSY, ACK ... */
  readonly status: string;
  /** State afterwards of what it acted on: MAPPED, OFFLINE_PARTIAL ...; null if there is none to name. */
  readonly stateAfter: string | null;
  /** How many equal deeds on adjoining ranges this stands for; 1 if absent. */
  readonly count?: number;
  /** Line of the scenario it was done for, if the world knows better than the player (`parallel`). */
  readonly line?: number;
}

/** How a step ended. Refusals are behaviour, not errors. */
export interface Outcome {
  /** SUCCESS, or the refusal by name: -EBUSY, NACK, TD_KILLED, PANIC ... */
  readonly status: string;
  /** More about a refusal, for a reader; empty if the status says it all. */
  readonly detail: string;
}

export const SUCCESS = "SUCCESS";

/** Whether the TD lives, and if not, why. */
export interface Fate {
  readonly state: FateState;
  /** Panic string or reason; empty while the TD runs. */
  readonly why: string;
}

/** A counter by the name Linux prints it under, in the unit Linux prints. */
export interface Counter {
  readonly name: string;
  readonly value: number;
}

/** Everything known about a run of equal memory. Facts of hardware, of the kernel's belief, and of use. */
export interface MapRun {
  readonly start: number;
  readonly end: number;
  /** What the memory belongs to: `RAM`, a device or DIMM by its id, `window` for hot-plug space without device. */
  readonly owner: string;
  /** The VMM promises backing. */
  readonly plugged: boolean;
  /** Hardware lets the guest use it. */
  readonly accepted: boolean;
  /** The exact hardware state. */
  readonly sept: (typeof SEPT_STATES)[number];
  /** The kernel's bits; null outside the bitmap, or if there is none. */
  readonly unacceptedBit: 0 | 1 | null;
  readonly pluggedBit: 0 | 1 | null;
  /** Linux has the memory block online. Boot RAM is. */
  readonly online: boolean;
  readonly use: Use;
}

export interface MemoryBlock {
  readonly number: number;
  /** online, offline or going-offline, as memoryN/state. */
  readonly state: string;
  /** Zones as memoryN/valid_zones prints them. */
  readonly zones: string;
}

export interface MemoryBlocks {
  /** block_size_bytes. */
  readonly size: number;
  /** Ascending by number. */
  readonly blocks: readonly MemoryBlock[];
}

export interface DeviceState {
  readonly id: string;
  readonly kind: "virtio-mem" | "dimm";
  readonly start: number;
  readonly size: number;
  readonly plugged: number;
  readonly requested: number;
  /** The driver's state of its memory blocks, by block number; empty for DIMMs. */
  readonly blockStates: { readonly [block: string]: string };
}

/** The EFI unaccepted table. */
export interface Bitmaps {
  readonly version: number;
  readonly physBase: number;
  readonly unitSize: number;
  /** Bytes of one bitmap. */
  readonly sizeBytes: number;
  /** Bytes of the table: its header and its bitmaps. */
  readonly tableBytes: number;
  readonly unaccepted: readonly BitRun[];
  /** null if the table has no plugged bitmap. */
  readonly plugged: readonly BitRun[] | null;
}

export interface Cost {
  /** Calls by leaf name: TDG.MEM.PAGE.ACCEPT ... */
  readonly tdcalls: { readonly [leaf: string]: number };
  readonly seamcalls: { readonly [leaf: string]: number };
  readonly exits: number;
}

/** What designs are compared by, beside cost. */
export interface Tally {
  /** TD exits by what they were for. */
  readonly exits: { readonly [kind: string]: number };
  /** Bytes accepted that the VMM had not plugged. */
  readonly unpluggedAccepted: number;
  /** Bytes accepted that went back to the VMM and were never written in between. */
  readonly acceptedForNothing: number;
  /** Most host memory that the guest ever had, bytes, in both planes. */
  readonly peakHostMemory: number;
}

export interface Violation {
  /** I1 to I44. */
  readonly invariant: string;
  /** Machine step after which it was seen. */
  readonly step: number;
  /** Guest-physical bytes concerned, half open; null if the rule is not about a range. */
  readonly range: { readonly start: number; readonly end: number } | null;
  /** One sentence. */
  readonly why: string;
}

/** A fault that the scenario asked for or the seed drew, and what became of it. */
export interface FaultRecord {
  readonly call: string;
  /** First call of that name to be struck, and how many; null for a fault that was drawn. */
  readonly at: number | null;
  readonly times: number | null;
  /** What struck calls answered; `late` if they only were. */
  readonly answer: string;
  readonly lateNs: number;
  readonly optional: boolean;
  readonly line: number;
  readonly column: number;
  /** Calls that counted for it, and those that it struck. */
  readonly seen: number;
  readonly struck: number;
  /** Machine steps of the first and the last strike; 0 if there was none. */
  readonly firstStep: number;
  readonly lastStep: number;
}

export interface LogLine {
  readonly ns: number;
  readonly text: string;
}

/** A mistake that a kernel found in itself, ended who met it, and went on after. */
export interface Oops {
  /** What happened and where, in the kernel's words. */
  readonly text: string;
  /** The lines of its log that name it. */
  readonly lines: readonly string[];
}

/** What a world cannot tell. */
export interface Untold {
  /** States of memory blocks in a virtio-mem driver. */
  readonly driverBlocks: boolean;
  /** The use of pages in blocks that are online. */
  readonly pageUse: boolean;
  /** Whether nothing is left to do. */
  readonly idle: boolean;
  /** Bits of the plugged bitmap that are as it happens. */
  pluggedBits(): readonly BitRun[];
}

/**
 * Where a scenario is played: our own machine, or a real kernel. The player knows nothing else of it.
 *
 * Order of calls: `onEvent`, `start`, then `perform`, `elapse` and queries in any order, `stop` last.
 * Queries change nothing. A world that cannot be run throws WorldUnavailable from `start`; what it does not
 * model yet it throws as NotModelled, from any call.
 */
export interface World {
  readonly name: "model" | "linux";
  /** True if long calls give way to the event loop at least every 100 ms, so that Ctrl-C is heard in them. */
  readonly breathes: boolean;
  onEvent(listener: (event: TraceEvent) => void): void;
  /** Builds the machine; nothing has run yet. */
  start(scenario: Scenario): Eventually<void>;
  /**
   * Does one step, and everything that follows from it until nobody can go on unless time passes.
   * Work that waits for a timer stays where it is. An operator's request that the VMM took is a SUCCESS, even
   * if the guest is not done with it. For `parallel`: SUCCESS, or the first refusal.
   */
  perform(action: Action): Eventually<Outcome>;
  /**
   * Lets time pass to the next timer, at most to `untilNs`, and does what follows from it.
   *
   * @returns "timer" if one expired (time may be before `untilNs`), "until" if none was due and it is `untilNs`
   */
  elapse(untilNs: number): Eventually<"timer" | "until">;
  /** True if nothing is left to do and no timer runs. */
  idle(): Eventually<boolean>;
  /** Virtual nanoseconds since power-on. */
  now(): Eventually<number>;
  /** Machine steps so far, those included that no event told of; absent where every step is told of. */
  steps?(): number;
  fate(): Eventually<Fate>;
  /** The same names from `start` on. */
  counters(): Eventually<readonly Counter[]>;
  /** The same at once, if the world can also answer inside an event listener; for curves. */
  peekCounters?(): readonly Counter[];
  /**
   * Ascending, not overlapping; what no run covers is not memory.
   *
   * @param range asks about these bytes only; runs beyond them may be left out, or may not
   */
  snapshotMap(range?: AddressRange): Eventually<readonly MapRun[]>;
  dmesg(): Eventually<readonly LogLine[]>;
  /** All since power-on, resets included, in their order; absent where the kernel panics on the first. */
  oopses?(): Eventually<readonly Oops[]>;
  /** Lines of /proc/iomem as root sees them. */
  iomem(): Eventually<readonly string[]>;
  blocks(): Eventually<MemoryBlocks>;
  devices(): Eventually<readonly DeviceState[]>;
  /** null if there is no table. */
  bitmaps(): Eventually<Bitmaps | null>;
  cost(): Eventually<Cost>;
  /** True if another step than the last time may meet the machine's death: a real kernel touches memory when it likes. */
  readonly wavers?: boolean;
  /** Numbers of the invariants that this world can see broken; all if left out. */
  readonly invariants?: ReadonlySet<string>;
  /** What it cannot tell though a scenario may ask for it; nothing if left out. A page's use has "unknown" for that. */
  readonly untold?: Untold;
  /** All seen so far, in the order they were seen. */
  violations(): Eventually<readonly Violation[]>;
  /** The TDX host; null without one, absent in a world that has none. */
  host?(): Eventually<HostFacts | null>;
  /** Absent in a world that cannot tell. */
  tally?(): Eventually<Tally>;
  /** Absent in a world that cannot tell. */
  waits?(): Eventually<Waits>;
  /** What became of the faults; absent in a world that has none. */
  faults?(): Eventually<readonly FaultRecord[]>;
  stop(): Eventually<void>;
}

/** The world cannot be run here: something is missing. The message is one line that says what to do. */
export class WorldUnavailable extends Error {
  override name = "WorldUnavailable";
}
