import type { RunReport } from "../src/scenario/report.ts";

/** One run of `tidemark run`: a bundled scenario, and values set over its own. */
export interface Run {
  readonly scenario: string;
  readonly set: readonly string[];
}
export type Report = Pick<RunReport, "cost" | "counters" | "curves" | "played">;
export type LookUp = (run: Run) => Report;
export const FIELD_PATH: string;
export const keyOf: (run: Run) => string;
export const runs: () => Run[];
export const lookUp: (results: ReadonlyMap<string, Report>) => LookUp;
/** Bytes accepted while vCPUs come up, and virtual nanoseconds of the boot, without and with faults that grow dearer. */
export const bringUpOf: (result: LookUp) => readonly {
  readonly vcpus: number;
  readonly accepted: number;
  readonly exits: number;
  readonly bootNs: number;
  readonly growingNs: number;
}[];
/** Virtual nanoseconds of a boot by GiB of memory. */
export const eagerOf: (result: LookUp) => readonly {
  readonly size: number;
  readonly lazyNs: number;
  readonly eagerNs: number;
}[];
/** A boot that accepts 8 GiB, by vCPUs: virtual nanoseconds as reported, as played, and of a lazy boot. */
export const parallelOf: (result: LookUp) => readonly {
  readonly vcpus: number;
  readonly reportedNs: number;
  readonly bootNs: number;
  readonly lazyNs: number;
}[];
/** The document with every generated part made anew from the results, by the keys of the runs. */
export const fieldDocument: (text: string, results: ReadonlyMap<string, Report>) => string;
