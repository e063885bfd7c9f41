import { DISABLED, TAKEN, UNFORESEEN } from "../../system.ts";
import type { Cells } from "../memory/cells.ts";
import type { RuleCalls } from "./rule-calls.ts";
import type { StepKeys } from "./step-keys.ts";
import { KNOWN, MORE_WORDS, StepMemory } from "./step-memory.ts";

/** One of so many steps that are foreseen is taken all the same, and held against what was foreseen. */
const TRIED = 64;
/** So are the first of each kind, and then one whenever their count has doubled. */
const CLOSELY = 32;

/** What of a fingerprint is not an exclusive or of what lines hold, and so changes in ways of its own. */
export interface ToldApart {
  /** Whether there is anything of that. */
  readonly tells: boolean;
  /** The machine is at the origin, and choices are about to be foreseen. */
  look(): void;
  /** Writes how what a fingerprint was completed with last differs from the origin's. @returns false if it is more than MORE_WORDS */
  difference(to: Uint32Array): boolean;
  /** Completes a fingerprint where the difference from the origin is written from a place on. */
  addForeseen(halves: Uint32Array, from: Uint32Array, at: number): void;
}

/**
 * Remembers what steps did. A step that was taken before, with the same of all that it depends on (see StepKeys), makes the same
 * difference now, to the fingerprint and to memory, whatever all else is.
 *
 * Now and then a step is taken all the same, and what comes out held against what was foreseen. Where a machine's parts do look
 * at more, that shows so, and the search is made again without foresight.
 */
export class Foresight {
  private readonly cells: Cells;
  private readonly keys: StepKeys;
  private readonly rules: RuleCalls;
  private readonly apart: ToldApart;
  private readonly surprised: () => never;
  private readonly memory: StepMemory;
  /** Choices of the origin that were asked about. */
  private asked = 0;
  /** The choice that was taken last and whose fingerprint is awaited, its actor and its kind; -1: none is. */
  private awaited = -1;
  private actor = 0;
  private kind = 0;
  private foreseen = 0;
  /** By kind of step: how often one was foreseen. */
  private readonly times: Uint32Array;
  /** What a step changed, where that is held against what is remembered. */
  private readonly change: Uint32Array;
  private readonly halves = new Uint32Array(2);
  private readonly more = new Uint32Array(MORE_WORDS);

  /**
   * @param apart stays one that tells something, or nothing
   * @param kinds of steps: numbers below this
   * @param most bytes for what is remembered
   * @param surprised what to do when a step comes to something else than it came to before: all that was foreseen is doubtful
   */
  constructor(
    cells: Cells,
    keys: StepKeys,
    rules: RuleCalls,
    apart: ToldApart,
    kinds: number,
    most: number,
    surprised: () => never,
  ) {
    this.cells = cells;
    this.keys = keys;
    this.rules = rules;
    this.surprised = surprised;
    this.change = new Uint32Array(cells.stateBytes / 4);
    this.apart = apart;
    this.memory = new StepMemory(this.change.length, apart.tells, most);
    this.times = new Uint32Array(kinds);
  }

  get bytes(): number {
    return this.memory.bytes + this.times.byteLength;
  }

  /** The origin is another state. */
  moved(): void {
    this.asked = 0;
    this.awaited = -1;
  }

  /** Tells what the choices of the origin come to, at which the machine is. As System.foresee. */
  foresee(
    choices: Int32Array,
    count: number,
    results: Int8Array,
    firsts: Uint32Array,
    seconds: Uint32Array,
  ): void {
    const { keys, memory, apart, halves } = this;
    const { tells } = apart;
    keys.take(choices, count);
    if (tells) apart.look();
    memory.touch(keys.lows, count);
    this.asked = count;
    for (let at = 0; at < count; at++) {
      const slot = this.slotOf(at);
      if (slot < 0 || this.isTried(memory.kind(slot))) results[at] = UNFORESEEN;
      else if (memory.what(slot) === KNOWN.DISABLED) results[at] = DISABLED;
      else {
        results[at] = TAKEN;
        this.hashAfter(slot);
        if (tells) apart.addForeseen(halves, memory.slots, memory.more(slot));
        firsts[at] = halves[0]!;
        seconds[at] = halves[1]!;
      }
    }
  }

  /** Fingerprint of the state after a step, but for what is told apart. */
  private hashAfter(slot: number): void {
    const { halves, memory } = this;
    const { originHalves } = this.cells;
    halves[0] = originHalves[0]! ^ memory.changeLow(slot);
    halves[1] = originHalves[1]! ^ memory.changeHigh(slot);
  }

  /** Where it is remembered what a choice came to; -1 if it is not. */
  private slotOf(at: number): number {
    const { memory } = this;
    const { lows, highs, ruled } = this.keys;
    const slot = memory.find(lows[at]!, highs[at]!);
    if (slot < 0 || memory.what(slot) !== KNOWN.MORE) return slot;
    return memory.find((lows[at]! ^ ruled[0]!) >>> 0, (highs[at]! ^ ruled[1]!) >>> 0);
  }

  private isTried(kind: number): boolean {
    const times = ++this.times[kind]!;
    return times <= CLOSELY || (times & (times - 1)) === 0 || ++this.foreseen % TRIED === 0;
  }

  /** Makes the machine, which is at the origin, what it is after a choice. @returns false if that is remembered no more */
  take(at: number): boolean {
    const { cells, memory, halves } = this;
    const slot = this.slotOf(at);
    if (slot < 0) return false;
    this.hashAfter(slot);
    cells.takeChange(memory.log, memory.begin(slot), memory.end(slot), halves);
    return true;
  }

  /** The machine is about to take a choice of the origin. */
  takes(): void {
    this.rules.called = false;
  }

  /** It was taken. @param result as System.choose @param kind what kind of step it was */
  took(at: number, actor: number, result: number, kind: number): void {
    if (at >= this.asked) return;
    const { memory } = this;
    this.actor = actor;
    this.kind = kind;
    this.awaited = result === TAKEN ? at : -1;
    const slot = this.slotOf(at);
    if (slot >= 0) {
      if (result !== (memory.what(slot) === KNOWN.DISABLED ? DISABLED : TAKEN)) this.surprised();
    } else if (result === DISABLED) this.note(at, KNOWN.DISABLED);
  }

  private note(at: number, what: number): void {
    const { lows, highs } = this.keys;
    this.memory.note(lows[at]!, highs[at]!, what, this.kind);
  }

  /** The fingerprint of the state after it was taken, as cells have it; what is told apart was told. */
  came(): void {
    const at = this.awaited;
    if (at < 0) return;
    this.awaited = -1;
    const { cells, keys, apart, halves, more } = this;
    cells.fingerprint(halves);
    halves[0]! ^= cells.originHalves[0]!;
    halves[1]! ^= cells.originHalves[1]!;
    const fits = !apart.tells || apart.difference(more);
    const slot = this.slotOf(at);
    if (slot < 0) {
      if (fits && keys.keepsToItself(this.actor)) this.keep(at);
    } else if (!fits || !this.isForeseen(slot)) this.surprised();
  }

  /** Remembers what the choice that was taken came to. */
  private keep(at: number): void {
    const { cells, memory, keys, rules, halves } = this;
    const isRuled = rules.called;
    if (isRuled) this.note(at, KNOWN.MORE);
    const end = cells.writeChange(memory.log, memory.room());
    const { lows, highs, ruled } = keys;
    const low = (isRuled ? lows[at]! ^ ruled[0]! : lows[at]!) >>> 0;
    const high = (isRuled ? highs[at]! ^ ruled[1]! : highs[at]!) >>> 0;
    const slot = memory.keep(low, high, this.kind, halves[0]!, halves[1]!, end);
    if (this.apart.tells) memory.slots.set(this.more, memory.more(slot));
  }

  /** Whether what the machine changed is what is remembered. */
  private isForeseen(slot: number): boolean {
    const { memory, change, halves, more } = this;
    const { log } = memory;
    const begin = memory.begin(slot);
    const words = this.cells.writeChange(change, 0);
    if (memory.changeLow(slot) !== halves[0] || memory.changeHigh(slot) !== halves[1]) return false;
    if (memory.end(slot) - begin !== words) return false;
    for (let at = 0; at < words; at++) if (log[begin + at] !== change[at]) return false;
    if (!this.apart.tells) return true;
    const place = memory.more(slot);
    return more.every((word, at) => memory.slots[place + at] === word);
  }
}
