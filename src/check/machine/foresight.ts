import type { Machine } from "../../machine/machine.ts";
import { hashWords } from "../fingerprint.ts";
import { DISABLED, TAKEN, UNFORESEEN } from "../system.ts";
import type { Cells } from "./cells.ts";

/** Steps that are remembered; one drives out another. */
const SLOTS = 2 ** 18;
/** What a slot holds of a step: nothing, in what the fingerprint changes, or that there is no such step. */
const KIND = { EMPTY: 0, TAKEN: 1, DISABLED: 2 } as const;
/** One of so many steps that are foreseen is taken all the same, and held against what was foreseen. */
const TRIED = 64;

/**
 * Remembers what steps did. What a step does depends on the stack of who takes it and on what all share, and not on the stacks
 * of others who have work: nobody reads or writes these. So a step that was taken before, with the same of the former, makes
 * the same difference to the fingerprint now, whatever the latter are.
 *
 * What was foreseen is held against what comes out for each state that is new, and now and then for others. Where a
 * machine's parts do look at the stacks of others, that shows so, and the search is made again without foresight.
 */
export class Foresight {
  private readonly machine: Machine;
  private readonly cells: Cells;
  private readonly surprised: () => never;
  /** By slot: two halves of what a step depends on, two of what it makes of the fingerprint. */
  private readonly steps = new Uint32Array(4 * SLOTS);
  private readonly kinds = new Uint8Array(SLOTS);
  /** By actor, at the origin: 1 if it has no work. And whether that is known, with all else that steps depend on. */
  private readonly idle: Uint8Array;
  private looked = false;
  /** What steps depend on, but for the stack of who takes them. */
  private readonly shared = new Uint32Array(2);
  /** What no key has and rules look at: bytes, and words of them and of who is idle. */
  private readonly watched: readonly Uint8Array[];
  private readonly words: Uint32Array;
  private readonly bytes: Uint8Array;
  /** The step that was asked about last, and where it is remembered; -1: none was. */
  private slot = -1;
  private readonly asked = new Uint32Array(2);
  private actor = 0;
  private known = false;
  private awaits = false;
  private foreseen = 0;

  /** @param surprised what to do when a step comes to something else than it came to before: all that was foreseen is doubtful */
  constructor(machine: Machine, cells: Cells, surprised: () => never) {
    this.machine = machine;
    this.cells = cells;
    this.surprised = surprised;
    this.idle = new Uint8Array(machine.tasks.actors.length);
    const views = [...machine.cpus.observer.views(), ...(machine.watch?.views() ?? [])];
    this.watched = views.map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    const length = this.watched.reduce((sum, bytes) => sum + bytes.length, this.idle.length);
    this.words = new Uint32Array(Math.ceil(length / 4));
    this.bytes = new Uint8Array(this.words.buffer);
  }

  /** The origin is another state. */
  moved(): void {
    this.looked = false;
    this.slot = -1;
    this.awaits = false;
  }

  /**
   * Tells what a choice of the origin comes to. Before the machine first leaves the origin, one has to be asked about.
   *
   * @param choice its number among all there ever are @param halves are made the fingerprint of the state after it
   * @returns as System.foresee
   */
  foresee(choice: number, actor: number, halves: Uint32Array): number {
    if (!this.looked) this.look();
    const { asked, shared, cells, steps, kinds } = this;
    const { sums } = cells.stacks;
    const own = 2 * actor;
    asked[0] = shared[0]! ^ (own < sums.length ? sums[own]! : 0) ^ Math.imul(choice + 1, 0x9e3779b1);
    asked[1] = shared[1]! ^ (own < sums.length ? sums[own + 1]! : 0) ^ Math.imul(choice + 1, 0x85ebca6b);
    const slot = asked[0]! % SLOTS;
    const kind = kinds[slot]!;
    this.slot = slot;
    this.actor = actor;
    this.awaits = false;
    this.known = kind !== KIND.EMPTY && steps[4 * slot] === asked[0] && steps[4 * slot + 1] === asked[1];
    if (!this.known || ++this.foreseen % TRIED === 0) return UNFORESEEN;
    if (kind === KIND.DISABLED) return DISABLED;
    halves[0] = cells.originHalves[0]! ^ steps[4 * slot + 2]!;
    halves[1] = cells.originHalves[1]! ^ steps[4 * slot + 3]!;
    return TAKEN;
  }

  private look(): void {
    const { machine, idle, shared, cells, bytes, words } = this;
    const { actors } = machine.tasks;
    const { sums } = cells.stacks;
    let low = cells.originHalves[0]!;
    let high = cells.originHalves[1]!;
    for (let actor = 0; actor < idle.length; actor++) {
      idle[actor] = actors[actor]!.idle ? 1 : 0;
      bytes[actor] = idle[actor]!;
      if (idle[actor] === 1 || 2 * actor >= sums.length) continue;
      low ^= sums[2 * actor]!;
      high ^= sums[2 * actor + 1]!;
    }
    let at = idle.length;
    for (const watched of this.watched)
      for (let byte = 0; byte < watched.length; byte++) bytes[at++] = watched[byte]!;
    hashWords(words, words.length, 0, shared);
    shared[0]! ^= low;
    shared[1]! ^= high;
    this.looked = true;
  }

  /** The choice that was asked about was taken. @param result as System.choose */
  took(result: number): void {
    if (this.slot < 0) return;
    const { kinds, slot } = this;
    if (this.known) {
      const expected = kinds[slot] === KIND.DISABLED ? DISABLED : TAKEN;
      if (result !== expected) this.surprised();
    } else if (result === DISABLED) this.remember(KIND.DISABLED);
    this.awaits = result === TAKEN;
  }

  /** The fingerprint of the state after it was taken. */
  came(halves: Uint32Array): void {
    if (!this.awaits) return;
    this.awaits = false;
    const { cells, steps, slot } = this;
    const low = (halves[0]! ^ cells.originHalves[0]!) >>> 0;
    const high = (halves[1]! ^ cells.originHalves[1]!) >>> 0;
    if (this.known) {
      if (steps[4 * slot + 2] !== low || steps[4 * slot + 3] !== high) this.surprised();
      return;
    }
    if (!this.keepsToItself()) return;
    this.remember(KIND.TAKEN);
    steps[4 * slot + 2] = low;
    steps[4 * slot + 3] = high;
  }

  /** Whether the step changed no stack of another actor that has work. */
  private keepsToItself(): boolean {
    const { idle, actor } = this;
    const was = idle[actor];
    if (actor < idle.length) idle[actor] = 1;
    const keeps = this.cells.changesOnly(idle);
    if (actor < idle.length) idle[actor] = was!;
    return keeps;
  }

  private remember(kind: number): void {
    const { slot, steps, asked } = this;
    this.kinds[slot] = kind;
    steps[4 * slot] = asked[0]!;
    steps[4 * slot + 1] = asked[1]!;
  }
}
