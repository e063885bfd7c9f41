import { Fingerprinter } from "./fingerprinter.ts";
import { DISABLED, type System, TAKEN } from "./system.ts";

const NONE = -1;

/** Numbers of states by their fingerprints. */
class Numbers {
  private slots = new Int32Array(2 ** 12).fill(NONE);
  private readonly lows: number[] = [];
  private readonly highs: number[] = [];

  /** @returns the state's number; a new one has the next */
  of(low: number, high: number): number {
    if (this.lows.length * 2 > this.slots.length) this.grow();
    const slot = this.slotOf(low, high);
    if (this.slots[slot] !== NONE) return this.slots[slot]!;
    this.slots[slot] = this.lows.length;
    this.lows.push(low);
    this.highs.push(high);
    return this.slots[slot]!;
  }

  private slotOf(low: number, high: number): number {
    const mask = this.slots.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const state = this.slots[slot]!;
      if (state === NONE || (this.lows[state] === low && this.highs[state] === high)) return slot;
    }
  }

  private grow(): void {
    this.slots = new Int32Array(this.slots.length * 2).fill(NONE);
    for (const [state, low] of this.lows.entries()) this.slots[this.slotOf(low, this.highs[state]!)] = state;
  }
}

/** A state in which something is wrong: after its last step, or because nothing can go on. */
export interface WrongState {
  readonly violation: number;
  readonly path: readonly number[];
  readonly atRest: boolean;
}

/**
 * All states of a system and all steps between them, which is what it takes to say of something that it ends: a search that
 * keeps states only cannot. States are numbered in the order of their distance from the first; one that breaks a rule
 * is not gone on from.
 *
 * Every step counts here. Neither symmetry nor partial order may leave any out: whoever is put off forever by a reduction
 * would look as if nobody gave them their turn.
 */
export class StateGraph {
  /** By state: its first step; one more than there are states that were expanded. */
  readonly firsts: number[] = [0];
  /** By step: the state it leads to, the choice that is taken, and who takes it. */
  readonly targets: number[] = [];
  readonly choices: number[] = [];
  readonly actors: number[] = [];
  /** The first of each kind. */
  readonly wrong = new Map<number, WrongState>();
  private readonly system: System;
  private readonly judge: () => number;
  private readonly numbers = new Numbers();
  private readonly fingerprinter: Fingerprinter;
  /** By state: as it was saved, until it is expanded; the state it was met from; the step that met it. */
  private readonly saved: Uint8Array[] = [];
  private readonly parents: number[] = [];
  private readonly ways: number[] = [];
  private readonly buffer: Uint8Array;
  private next = 0;

  /** @param judge says what is wrong where nothing can go on, in place of the system */
  constructor(system: System, judge = () => system.atRest()) {
    this.system = system;
    this.judge = judge;
    this.fingerprinter = new Fingerprinter(system.keyBytes, 0);
    this.buffer = new Uint8Array(system.stateBytes);
    system.reset();
    this.numberHere(NONE, NONE);
  }

  get states(): number {
    return this.saved.length;
  }

  /** Whether every state was expanded. */
  get complete(): boolean {
    return this.next === this.saved.length;
  }

  /** Expands up to so many states more. */
  expand(most: number): void {
    const { system } = this;
    for (const end = this.next + most; this.next < end && !this.complete; this.next++) {
      const record = this.saved[this.next]!;
      system.restore(record, 0, record.length);
      const count = system.choices();
      const before = this.targets.length;
      for (let choice = 0; choice < count; choice++) this.take(choice, record);
      if (this.targets.length === before) this.rest(record);
      this.firsts.push(this.targets.length);
      this.saved[this.next] = this.buffer.subarray(0, 0);
    }
  }

  private take(choice: number, record: Uint8Array): void {
    const { system } = this;
    system.restore(record, 0, record.length);
    system.choices();
    const actor = system.actor(choice);
    const result = system.choose(choice);
    if (result === DISABLED) return;
    this.choices.push(choice);
    this.actors.push(actor);
    if (result !== TAKEN) this.note(result, [...this.pathTo(this.next), choice], false);
    this.targets.push(result === TAKEN ? this.numberHere(this.next, this.targets.length) : NONE);
  }

  private rest(record: Uint8Array): void {
    this.system.restore(record, 0, record.length);
    const result = this.judge();
    if (result !== TAKEN) this.note(result, this.pathTo(this.next), true);
  }

  private note(violation: number, path: readonly number[], atRest: boolean): void {
    if (!this.wrong.has(violation)) this.wrong.set(violation, { violation, path, atRest });
  }

  private numberHere(parent: number, way: number): number {
    const { system, fingerprinter, saved } = this;
    fingerprinter.take(system);
    const number = this.numbers.of(fingerprinter.halves[0]!, fingerprinter.halves[1]!);
    if (number < saved.length) return number;
    saved.push(this.buffer.slice(0, system.save(this.buffer, 0)));
    this.parents.push(parent);
    this.ways.push(way);
    return number;
  }

  /** Choices of a shortest way to a state. */
  pathTo(state: number): number[] {
    const path: number[] = [];
    for (let at = state; this.parents[at] !== NONE; at = this.parents[at]!)
      path.push(this.choices[this.ways[at]!]!);
    return path.reverse();
  }
}
