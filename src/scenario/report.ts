import type { Waits } from "../machine/stalls.ts";
import type { VmmPolicy } from "./scenario.ts";
import type { TranscriptSection } from "./transcript.ts";
import type {
  Bitmaps,
  Cost,
  DeviceState,
  Fate,
  FaultRecord,
  MapRun,
  MemoryBlocks,
  Violation,
} from "./world.ts";

/** `held`: all did. `broken`: an invariant broke that was not declared. `failed`: an expectation was not met. */
export type Verdict = "held" | "broken" | "failed";

export interface ReportedViolation extends Violation {
  /** Line of the scenario step during which it was seen; 0 if before the first. */
  readonly line: number;
  /** The scenario declares that this invariant breaks. */
  readonly expected: boolean;
}

/** One expectation after it was judged. */
export interface Judgement {
  readonly line: number;
  readonly column: number;
  /** The expectation in a few words. */
  readonly what: string;
  readonly held: boolean;
  readonly expected: string;
  readonly found: string;
  /** Nobody wrote it: each step succeeds unless the next one expects another status. */
  readonly implicit: boolean;
  /**
   * What of it was not asked, because this world cannot tell; left out: all was. `expected` and `found` are about the rest, and
   * empty if there is none.
   */
  readonly unasked?: string | undefined;
}

/** A step of the scenario as it was played. */
export interface PlayedStep {
  readonly line: number;
  readonly kind: string;
  readonly what: string;
  /** SUCCESS, a refusal by name, or SKIPPED because the TD no longer lived. */
  readonly status: string;
  readonly detail: string;
  readonly startNs: number;
  readonly endNs: number;
  /** Machine steps it made; `lastStep` is `firstStep - 1` if it made none. */
  readonly firstStep: number;
  readonly lastStep: number;
}

/** The memory map at one moment. */
export interface MapPicture {
  /** When: `before boot (line 4)`, `after unplug d0 (line 9)`. */
  readonly label: string;
  readonly ns: number;
  readonly runs: readonly MapRun[];
  /** Runs that were too many to keep; 0 as a rule. */
  readonly leftOut: number;
}

/** Counters over virtual time, column by column; all columns have the same length. */
export interface Curves {
  readonly ns: readonly number[];
  readonly step: readonly number[];
  /** Only counters that moved. */
  readonly counters: { readonly [name: string]: readonly number[] };
}

export interface Setup {
  readonly platform: string;
  readonly memory: number;
  readonly maxmem: number;
  readonly slots: number;
  readonly vcpus: number;
  readonly nodes: number;
  readonly kernel: string;
  /** Fixes that the kernel was made to lack. */
  readonly revert: readonly string[];
  readonly accept: string;
  readonly autoOnline: string;
  readonly memmapOnMemory: boolean;
  readonly vmm: VmmPolicy;
}

/** Everything one run showed. This is the document that `run --json` prints. */
export interface RunReport {
  readonly format: "tidemark-run";
  readonly formatVersion: 1;
  /** Version of Tidemark. */
  readonly tidemark: string;
  readonly scenario: {
    readonly file: string;
    readonly name: string;
    readonly title: string;
    readonly about: string;
  };
  /** The choices a reader compares runs by. */
  readonly setup: Setup;
  readonly world: string;
  readonly design: string;
  readonly seed: number;
  readonly verdict: Verdict;
  readonly fate: Fate;
  readonly violations: readonly ReportedViolation[];
  /** Violations seen but not listed, because they were too many. */
  readonly violationsLeftOut: number;
  readonly expectations: readonly Judgement[];
  /** Faults that were asked for, then those that the seed drew. */
  readonly faults: readonly FaultRecord[];
  readonly played: readonly PlayedStep[];
  readonly transcript: readonly TranscriptSection[];
  readonly map: { readonly before: MapPicture; readonly after: MapPicture };
  /** Counters at the end, by the kernel's names, in the unit the kernel prints (kB for meminfo). */
  readonly counters: { readonly [name: string]: number };
  readonly countersBefore: { readonly [name: string]: number };
  readonly curves: Curves;
  /** In the kernel's own format, with its time stamp. */
  readonly dmesg: readonly string[];
  readonly iomem: readonly string[];
  readonly memoryBlocks: MemoryBlocks;
  readonly devices: readonly DeviceState[];
  readonly bitmaps: Bitmaps | null;
  readonly cost: Cost & { readonly virtualNs: number };
  /** Longest stretches of a vCPU; null in a world that cannot tell. */
  readonly waits: Waits | null;
}
