import type { RunReport } from "../report.ts";
import type { Both } from "./quantity.ts";

/** A quantity in which the worlds differ though nothing lets them. */
export interface Difference extends Both<string> {
  /** Position of the step among the steps of the scenario, from 1, and its line; null: at the end. */
  readonly step: number | null;
  readonly line: number | null;
  /** The step in the scenario's words. */
  readonly what: string;
  readonly quantity: string;
  /** What it is about: a device, memory blocks, a range; empty if the quantity says it all. */
  readonly about: string;
  /** Bytes by which the values may differ at most; 0: they have to be equal. */
  readonly bound: number;
}

/** The document that `run --world both --json` prints. */
export interface LockstepReport {
  readonly format: "tidemark-lockstep";
  readonly formatVersion: 1;
  readonly tidemark: string;
  readonly scenario: { readonly file: string; readonly name: string; readonly title: string };
  readonly design: string;
  readonly seed: number;
  readonly result: "same" | "different";
  /** Steps after which both machines ran, and were compared. */
  readonly compared: number;
  /** In the order in which they were seen. */
  readonly differences: readonly Difference[];
  readonly worlds: Both<RunReport>;
}
