import { assert } from "../assert.ts";
import type { Tallies } from "./checkpoint.ts";
import type { FingerprintTable } from "./fingerprint-table.ts";
import { Foreseen } from "./foreseen.ts";
import { assertFits, type LinkLog } from "./links.ts";
import {
  type FrontierWriter,
  isChained,
  lengthOf,
  MOST_CHAINED_CHOICES,
  RECORD_HEADER,
  recordBytes,
  type Segment,
} from "./segment.ts";
import { isWorthStaging, Stage } from "./stage.ts";
import { DISABLED, type System, TAKEN, UNFORESEEN } from "./system.ts";
import { MOST_CHOICES, type VisitedSet } from "./visited-set.ts";

/**
 * What becomes of a state that breaks a rule: "stop" ends the search at the end of its level, "prune" goes on
 * elsewhere, "continue" goes on from it too. All keep the first violation of each number.
 */
export type AfterViolation = "stop" | "prune" | "continue";

/** A violation: the choice that showed it in the state of this number, or REST. */
export interface Found {
  readonly violation: number;
  readonly parent: number;
  readonly choice: number;
}

/** In place of a choice: nothing could be taken, and that was wrong. */
export const REST = -1;

export interface ExpanderParts {
  readonly system: System;
  readonly visited: VisitedSet | FingerprintTable;
  readonly links: LinkLog;
  readonly frontier: FrontierWriter;
  readonly after: AfterViolation;
  /** Whether the system's ample choices are enough. The visited set has to keep levels. */
  readonly partialOrder: boolean;
}

/** Takes every choice of the states of a level and keeps what is new. The same for one thread and for many. */
export class Expander {
  transitions = 0;
  /** States in which nothing could be taken. */
  resting = 0;
  /** States whose choices were all taken. */
  expanded = 0;
  /** Level of the deepest new state. */
  deepest = 0;
  /** By the violation's number: where it was met first. */
  readonly found = new Map<number, Found>();
  /** Level of the states that are made now. */
  level = 0;

  private readonly parts: ExpanderParts;
  private readonly marks: Uint8Array;
  /** Absent where states are looked up one by one. */
  private readonly stage: Stage | undefined;
  /** Absent where no state is known before its choice is taken. */
  private readonly foreseen: Foreseen | undefined;
  private segment: Segment | undefined;
  private at = 0;
  private number = 0;
  private taken = 0;
  private freshAhead = false;
  private moved = false;

  constructor(parts: ExpanderParts) {
    this.parts = parts;
    const { system, visited, links, frontier, partialOrder } = parts;
    const looked = partialOrder || system.meet !== undefined;
    const staged = !looked && "touch" in visited && isWorthStaging(system.stateBytes);
    this.stage = staged ? new Stage(system.stateBytes, visited, links, frontier) : undefined;
    const foresees = !partialOrder && system.foresee !== undefined && system.saveNext !== undefined;
    this.foreseen = foresees && "touch" in visited ? new Foreseen(visited, MOST_CHAINED_CHOICES) : undefined;
    this.marks = new Uint8Array(partialOrder ? 2 ** 16 : 0);
  }

  /** Goes on counting where another ended. */
  load({ transitions, resting, expanded, deepest }: Tallies, found: readonly Found[]): void {
    Object.assign(this, { transitions, resting, expanded, deepest });
    for (const one of found) this.found.set(one.violation, one);
  }

  /** Expands records until the segment is done or the visited set has to grow. @returns whether it is done */
  expand(segment: Segment): boolean {
    const { visited } = this.parts;
    this.segment = segment;
    while (segment.begin < segment.used) {
      const at = segment.begin;
      const saved = segment.words[(at >>> 2) + 1]!;
      const chained = isChained(saved);
      if (!chained && visited.crowded) return this.finish(false);
      this.number = segment.words[at >>> 2]!;
      const length = lengthOf(saved);
      this.at = at;
      this.expandRecord(length, chained);
      this.expanded++;
      segment.begin = at + recordBytes(length);
    }
    return this.finish(true);
  }

  /** Nothing is left waiting between two calls. */
  private finish(done: boolean): boolean {
    if (this.stage === undefined) return done;
    this.stage.flush(this.level);
    if (this.stage.fresh > 0) this.deepest = this.level;
    this.stage.fresh = 0;
    return done;
  }

  private expandRecord(length: number, chained: boolean): void {
    const { system, partialOrder } = this.parts;
    const { bytes } = this.segment!;
    if (chained) system.restoreNext!(bytes, this.at + RECORD_HEADER, length);
    else system.restore(bytes, this.at + RECORD_HEADER, length);
    const count = system.choices();
    assertFits(count, system.saveNext === undefined ? MOST_CHOICES : MOST_CHAINED_CHOICES);
    this.taken = 0;
    this.moved = false;
    if (partialOrder && this.expandAmple(count, length)) return;
    this.foreseen?.ask(system, count);
    if (!partialOrder) for (let choice = 0; choice < count; choice++) this.take(choice, length);
    if (this.taken === 0) this.rest(length);
  }

  /** Takes the ample choices, and the others unless one of these led ahead. @returns whether anything was taken */
  private expandAmple(count: number, length: number): boolean {
    const { system } = this.parts;
    const { marks } = this;
    marks.fill(0, 0, count);
    const ample = system.ample?.(marks) === true;
    this.freshAhead = false;
    if (ample) {
      for (let choice = 0; choice < count; choice++) if (marks[choice] === 1) this.take(choice, length);
      // Somebody who goes on at a later level takes what was put off here. Without one it is taken now.
      if (this.freshAhead) return true;
    }
    for (let choice = 0; choice < count; choice++)
      if (!ample || marks[choice] === 0) this.take(choice, length);
    return this.taken > 0;
  }

  private take(choice: number, length: number): void {
    if (this.foreseen !== undefined && this.isForeseen(choice, length, this.foreseen)) return;
    const { system, visited, partialOrder } = this.parts;
    this.goBack(length);
    this.moved = true;
    const result = system.choose(choice);
    if (result === DISABLED) return;
    this.taken++;
    this.transitions++;
    const goesOn = result === TAKEN || this.goesOn(result, choice);
    if (this.stage !== undefined) {
      this.stage.push(system, this.number, choice, goesOn, this.level);
      return;
    }
    if (visited.add(system, this.level)) {
      system.meet?.();
      this.isNew(choice, goesOn);
      this.freshAhead ||= goesOn;
    } else if (partialOrder && visited.lastLevel === this.level) this.freshAhead = true;
  }

  /** The system is in a new state. */
  private isNew(choice: number, goesOn: boolean): void {
    const { system, links, frontier } = this.parts;
    this.deepest = this.level;
    const number = links.add(this.number, choice);
    if (goesOn) frontier.append(system, number);
  }

  /** Whether it is known what a choice comes to. It counts as if it were taken. */
  private isForeseen(choice: number, length: number, foreseen: Foreseen): boolean {
    const { system } = this.parts;
    const result = foreseen.results[choice]!;
    if (result === UNFORESEEN) return false;
    if (result === DISABLED) return true;
    this.taken++;
    this.transitions++;
    if (!foreseen.put(choice, this.level)) return true;
    this.goBack(length);
    this.moved = true;
    if (!system.takeForeseen!(choice)) {
      const taken = system.choose(choice);
      assert(taken === TAKEN, "a choice comes to what was foreseen");
      system.meet?.();
    }
    this.isNew(choice, true);
    return true;
  }

  /** Makes the record's state the current one again. */
  private goBack(length: number): void {
    const { system } = this.parts;
    if (!this.moved) return;
    if (system.back !== undefined) system.back();
    else system.restore(this.segment!.bytes, this.at + RECORD_HEADER, length);
  }

  /** Notes a violation. @returns whether the state that shows it is expanded as well */
  private goesOn(violation: number, choice: number): boolean {
    if (!this.found.has(violation)) this.found.set(violation, { violation, parent: this.number, choice });
    return this.parts.after === "continue";
  }

  private rest(length: number): void {
    const { system } = this.parts;
    this.resting++;
    this.goBack(length);
    const result = system.atRest();
    if (result !== TAKEN) this.goesOn(result, REST);
  }
}
