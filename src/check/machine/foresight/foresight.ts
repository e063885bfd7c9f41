import { DISABLED, TAKEN, UNFORESEEN } from "../../system.ts";
import type { Cells } from "../memory/cells.ts";
import type { RuleCalls } from "./rule-calls.ts";
import type { StepKeys } from "./step-keys.ts";
import { KNOWN, StepMemory } from "./step-memory.ts";

/** One of so many steps that are foreseen is taken all the same, and held against what was foreseen. */
const TRIED = 64;
/** So are the first of each kind, and then one whenever their count has doubled. */
const CLOSELY = 32;

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

  /**
   * @param kinds of steps: numbers below this
   * @param surprised what to do when a step comes to something else than it came to before: all that was foreseen is doubtful
   */
  constructor(cells: Cells, keys: StepKeys, rules: RuleCalls, kinds: number, surprised: () => never) {
    this.cells = cells;
    this.keys = keys;
    this.rules = rules;
    this.surprised = surprised;
    this.change = new Uint32Array(cells.stateBytes / 4);
    this.memory = new StepMemory(this.change.length);
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
    const { keys, memory, cells } = this;
    keys.take(choices, count);
    memory.touch(keys.lows, count);
    this.asked = count;
    for (let at = 0; at < count; at++) {
      const slot = this.slotOf(at);
      if (slot < 0 || this.isTried(memory.kind(slot))) results[at] = UNFORESEEN;
      else if (memory.what(slot) === KNOWN.DISABLED) results[at] = DISABLED;
      else {
        results[at] = TAKEN;
        firsts[at] = cells.originHalves[0]! ^ memory.changeLow(slot);
        seconds[at] = cells.originHalves[1]! ^ memory.changeHigh(slot);
      }
    }
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
    halves[0] = cells.originHalves[0]! ^ memory.changeLow(slot);
    halves[1] = cells.originHalves[1]! ^ memory.changeHigh(slot);
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

  /** The fingerprint of the state after it was taken. */
  came(halves: Uint32Array): void {
    const at = this.awaited;
    if (at < 0) return;
    this.awaited = -1;
    const { cells, memory, keys, rules } = this;
    const low = (halves[0]! ^ cells.originHalves[0]!) >>> 0;
    const high = (halves[1]! ^ cells.originHalves[1]!) >>> 0;
    const slot = this.slotOf(at);
    if (slot >= 0) {
      if (!this.isForeseen(slot, low, high)) this.surprised();
      return;
    }
    if (!keys.keepsToItself(this.actor)) return;
    const more = rules.called;
    if (more) this.note(at, KNOWN.MORE);
    const end = cells.writeChange(memory.log, memory.room());
    const { lows, highs, ruled } = keys;
    const keyLow = (more ? lows[at]! ^ ruled[0]! : lows[at]!) >>> 0;
    const keyHigh = (more ? highs[at]! ^ ruled[1]! : highs[at]!) >>> 0;
    memory.keep(keyLow, keyHigh, this.kind, low, high, end);
  }

  /** Whether what the machine changed is what is remembered. */
  private isForeseen(slot: number, low: number, high: number): boolean {
    const { memory, change } = this;
    const { log } = memory;
    const begin = memory.begin(slot);
    const words = this.cells.writeChange(change, 0);
    if (memory.changeLow(slot) !== low || memory.changeHigh(slot) !== high) return false;
    if (memory.end(slot) - begin !== words) return false;
    for (let at = 0; at < words; at++) if (log[begin + at] !== change[at]) return false;
    return true;
  }
}
