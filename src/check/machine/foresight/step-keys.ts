import type { Machine } from "../../../machine/machine.ts";
import { hashWords } from "../../fingerprint.ts";
import type { Cells } from "../memory/cells.ts";
import type { RuleCalls } from "./rule-calls.ts";

/** Choices that a state may have. */
export const MOST_KEYS = 256;
/** Tells keys with what rules keep for themselves from those without. */
const RULED = 0x2545_f491;

/** Words of what is mixed: a sum, what it is for, and then bits of the actors whose stacks count, by kind, 32 actors at a time. */
const SUM_WORDS = 3;
/** Who has no work, users among them, and who goes along with others' steps. */
const KIND = { IDLE: 0, USER: 1, ALONG: 2 } as const;
const KINDS = 3;

/** What is hashed apart beside stacks, see gatesOf: memory that only programs look at, and memory that only rules do that tell of it. */
export const asideOf = (programs: ArrayBufferView, { views }: RuleCalls): readonly ArrayBufferView[] => [
  programs,
  ...views,
];

/**
 * Tells in 64 bits what a step depends on. An actor's step depends on its own stack and on what all share: not on the stacks of
 * others who have work, nor on whether users have any, nor on how far programs are; and on what rules keep for themselves only where
 * it tells them something. What a program does next depends on these too, but for the stacks of who has work. Where other actors go on
 * as part of a step, it also depends on the stacks of those who would, if they were ready.
 */
export class StepKeys {
  /** By choice of the origin: what it depends on, unless it tells rules something. */
  readonly lows = new Uint32Array(MOST_KEYS);
  readonly highs = new Uint32Array(MOST_KEYS);
  /** What it depends on if it does: the difference. */
  readonly ruled = new Uint32Array(2);
  private readonly machine: Machine;
  private readonly cells: Cells;
  private readonly rules: RuleCalls;
  private readonly actors: number;
  /** By owner of memory: 1 for a user. */
  private readonly isUser: Uint8Array;
  /** By owner of memory: 1 if it counts whoever acts; and the same if a program does. */
  private readonly ofActors: Uint8Array;
  private readonly ofPrograms: Uint8Array;
  /** What steps of actors depend on but for their own stacks, and what programs depend on. */
  private readonly shared = new Uint32Array(2);
  private readonly whole = new Uint32Array(2);
  private readonly words: Uint32Array;
  /** Whether an actor with work goes on as part of whoever's step, once it is ready; that follows from its stack. */
  private readonly goesAlong: ((actor: number) => boolean) | undefined;
  /** By owner of memory: 1 for an actor of whom that is so at the origin. */
  private readonly along: Uint8Array;

  /** @param goesAlong left out: nobody does */
  constructor(machine: Machine, cells: Cells, rules: RuleCalls, goesAlong?: (actor: number) => boolean) {
    const { actors, users } = machine.tasks;
    const owning = cells.stacks.sums.length / 2;
    this.machine = machine;
    this.cells = cells;
    this.rules = rules;
    this.actors = actors.length;
    this.isUser = new Uint8Array(actors.length);
    for (const { index } of users) this.isUser[index] = 1;
    this.ofActors = new Uint8Array(owning);
    this.ofPrograms = new Uint8Array(owning).fill(1, actors.length);
    this.words = new Uint32Array(SUM_WORDS + KINDS * Math.ceil(actors.length / 32));
    this.goesAlong = goesAlong;
    this.along = new Uint8Array(owning);
    cells.stacks.moved.fill(1);
  }

  /** The machine is at the origin, and has these choices: pairs of actor and fault. */
  take(choices: Int32Array, count: number): void {
    this.look();
    const { lows, highs, shared, whole, actors } = this;
    const { sums } = this.cells.stacks;
    for (let at = 0; at < count; at++) {
      const choice = choices[at]!;
      const actor = choice >> 1;
      const isOwn = actor < actors;
      const among = isOwn ? shared : whole;
      lows[at] = among[0]! ^ (isOwn ? sums[2 * actor]! : 0) ^ Math.imul(choice + 1, 0x9e3779b1);
      highs[at] = among[1]! ^ (isOwn ? sums[2 * actor + 1]! : 0) ^ Math.imul(choice + 1, 0x85ebca6b);
    }
  }

  private look(): void {
    const { machine, cells, actors, isUser, ofActors, ofPrograms, words, ruled } = this;
    const { sums, rest } = cells.stacks;
    const tasks = machine.tasks.actors;
    let low = cells.originHalves[0]! ^ rest[0]!;
    let high = cells.originHalves[1]! ^ rest[1]!;
    let usersLow = 0;
    let usersHigh = 0;
    let busy = 0;
    words.fill(0);
    for (let actor = 0; actor < actors; actor++) {
      const isIdle = tasks[actor]!.idle;
      const isAlong = !isIdle && this.isAlong(actor);
      ofPrograms[actor] = isIdle || isAlong ? 1 : 0;
      ofActors[actor] = isAlong || (isIdle && isUser[actor] === 0) ? 1 : 0;
      if (!isIdle) busy++;
      if (!isIdle && !isAlong) {
        low ^= sums[2 * actor]!;
        high ^= sums[2 * actor + 1]!;
      } else if (isIdle && isUser[actor] === 1) {
        usersLow ^= sums[2 * actor]!;
        usersHigh ^= sums[2 * actor + 1]!;
      }
      if (isIdle || isAlong) this.noteKind(actor, isAlong);
    }
    this.mix(low, high, 2, this.whole);
    ruled[0] = RULED;
    ruled[1] = RULED;
    for (let owner = actors + 1; owner < ofActors.length; owner++) {
      ruled[0]! ^= sums[2 * owner]!;
      ruled[1]! ^= sums[2 * owner + 1]!;
    }
    low ^= ruled[0]! ^ sums[2 * actors]! ^ usersLow;
    high ^= ruled[1]! ^ sums[2 * actors + 1]! ^ usersHigh;
    for (let word = SUM_WORDS + KIND.USER; word < words.length; word += KINDS) words[word] = 0;
    // The last who has work leaves a machine at rest, which is looked at as a whole.
    this.mix(low, high, busy === 1 ? 1 : 0, this.shared);
  }

  /** The stack of an actor counts. */
  private noteKind(actor: number, isAlong: boolean): void {
    const kind = isAlong ? KIND.ALONG : this.isUser[actor] === 1 ? KIND.USER : KIND.IDLE;
    this.words[SUM_WORDS + KINDS * (actor >>> 5) + kind]! |= 1 << (actor & 31);
  }

  private isAlong(actor: number): boolean {
    const { goesAlong, along } = this;
    if (goesAlong === undefined) return false;
    const { moved } = this.cells.stacks;
    if (moved[actor] === 1) along[actor] = goesAlong(actor) ? 1 : 0;
    moved[actor] = 0;
    return along[actor] === 1;
  }

  private mix(low: number, high: number, kind: number, halves: Uint32Array): void {
    const { words } = this;
    words[0] = low;
    words[1] = high;
    words[2] = kind;
    hashWords(words, words.length, 0, halves);
  }

  /** Whether a step that an actor or a program took from the origin changed nothing that is another's alone. */
  keepsToItself(actor: number): boolean {
    const { cells, rules, actors, ofActors, ofPrograms } = this;
    if (actor >= actors) return cells.changesOnly(ofPrograms);
    const was = ofActors[actor]!;
    ofActors[actor] = 1;
    ofActors.fill(rules.called ? 1 : 0, actors + 1);
    const keeps = cells.changesOnly(ofActors);
    ofActors[actor] = was;
    return keeps;
  }
}
