import type { Scenario } from "../scenario.ts";
import type { Sight } from "./sight.ts";

/** Something of each world. */
export interface Both<T> {
  readonly model: T;
  readonly linux: T;
}

/** What both worlds show after the same step. */
export interface Pair extends Both<Sight> {
  readonly scenario: Scenario;
  /** The same after the step before; undefined after the first. */
  readonly before: Both<Sight> | undefined;
  /** The same after the kernel that runs now had come up; undefined if none did since. */
  readonly booted: Both<Sight> | undefined;
}

/** Two values that may not differ, and do. */
export interface Finding extends Both<string> {
  /** What it is about: a device, memory blocks; empty if the quantity says it all. */
  readonly about: string;
}

/** Something that both worlds can know, and how it is compared. */
export interface Quantity {
  readonly name: string;
  /** Bytes by which the values may differ; 0: they are equal. */
  readonly bound: number;
  readonly compare: (pair: Pair) => readonly Finding[];
}

/** One finding if two values are not the same as text. */
export const unlessSame = (about: string, model: unknown, linux: unknown): Finding[] =>
  String(model) === String(linux) ? [] : [{ about, model: String(model), linux: String(linux) }];
