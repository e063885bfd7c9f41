import type { Machine } from "../../../machine/machine.ts";
import { MachineSnapshot } from "../../../machine/snapshot.ts";
import type { KnownFutures } from "../reductions/independent-steps.ts";
import type { Arena } from "./arena.ts";
import { FixedFields, type Growth, NO_GROWTH } from "./fields.ts";
import { LINE_WORDS } from "./line.ts";
import { Mirror } from "./mirror.ts";

/**
 * What is known of the memory that a configuration's machine changes, as plain JSON. All of a machine's memory and all
 * its parts are numbered as a walk meets them, which is the same in each machine of a configuration.
 */
export interface Knowledge extends Growth {
  /** By piece of memory: words of it that change, ascending. */
  readonly places: readonly (readonly number[])[];
  /** A step was seen to depend on the stack of another who had work: no step is foreseen from what it did before. */
  readonly unforeseeable?: true;
  /** What everybody may do from where they are; left out: nothing is known of that. False: it cannot be known. */
  readonly futures?: KnownFutures | false | undefined;
}

/** Whether anything grew. */
export const grows = ({ rooms, interned }: Growth): boolean => rooms.length + interned.length > 0;

/** Both, one after the other. */
export const growthOf = (first: Growth, then: Growth): Growth => ({
  rooms: [...first.rooms, ...then.rooms],
  interned: [...first.interned, ...then.interned],
});

/** Runs the machine somehow, from where it is; the same each time. Calls `look` after each step. */
export type Walk = (number: number, look: () => void) => void;

/** Memory up to this size is looked at after every step, for locks come and go; larger memory now and then. */
const SMALL_BYTES = 8192;
const LOOK_EVERY = 16;
/** Walks in a row that find nothing new before it is enough. */
const QUIET_WALKS = 25;

/** Of arrays up to so many words all change if one word does. */
const WHOLE = 64;

/** Of longer ones, all between the first and the last that do, and some more: a stack may become deeper. */
const MEDIUM = 2048;
const MARGIN = 32;

/** Numbers of all lines of the pieces that pass the test. */
export const linesOf = (arena: Arena, passes: (piece: number) => boolean): number[] => {
  const lines: number[] = [];
  for (let piece = 0; piece < arena.pieces; piece++)
    if (passes(piece))
      for (let line = arena.firstLine(piece); line < arena.firstLine(piece + 1); line++) lines.push(line);
  return lines;
};

/**
 * Finds which words of a machine's memory its steps change, by walking from where it stands, which is where it stands
 * in the end.
 */
export class FootprintFinder {
  private readonly arena: Arena;
  private readonly small: Mirror;
  private readonly all: Mirror;
  private readonly start: MachineSnapshot;
  private readonly fields: FixedFields;
  /** By word of the arena. */
  private readonly changed: Uint8Array;
  private steps = 0;
  private fresh = 0;

  constructor(machine: Machine, arena: Arena) {
    this.arena = arena;
    this.small = new Mirror(
      arena,
      linesOf(arena, (piece) => arena.bytesOf(piece).length <= SMALL_BYTES),
    );
    this.all = new Mirror(
      arena,
      linesOf(arena, () => true),
    );
    this.changed = new Uint8Array(arena.lines * LINE_WORDS);
    this.fields = new FixedFields(machine);
    this.start = new MachineSnapshot(machine);
  }

  /**
   * Walks until nothing new changes any more, or something grows: then it says what, and places are not complete. It
   * stops after each walk, so that whoever waits can look at what happens outside.
   */
  *walkAbout(walk: Walk): Generator<undefined, Knowledge> {
    let growth: Growth = NO_GROWTH;
    for (let number = 0, quiet = 0; quiet < QUIET_WALKS && !grows(growth); number++) {
      this.fresh = 0;
      walk(number, () => this.look());
      this.lookAt(this.all);
      growth = this.fields.growth();
      this.start.restore();
      quiet = this.fresh === 0 ? quiet + 1 : 0;
      yield;
    }
    const places = Array.from({ length: this.arena.pieces }, (_, piece) => this.placesOf(piece));
    return { ...growth, places };
  }

  private look(): void {
    this.lookAt(this.steps++ % LOOK_EVERY === 0 ? this.all : this.small);
  }

  private lookAt(mirror: Mirror): void {
    const { words } = this.arena;
    const { differing, firsts, copy } = mirror;
    const count = mirror.compare();
    for (let at = 0; at < count; at++) {
      const line = differing[at]!;
      const first = firsts[line]!;
      for (let word = 0; word < LINE_WORDS; word++) {
        if (words[first + word] === copy[line * LINE_WORDS + word] || this.changed[first + word] === 1)
          continue;
        this.changed[first + word] = 1;
        this.fresh++;
      }
    }
  }

  private placesOf(piece: number): number[] {
    const [first, end] = this.arena.wordsOf(piece);
    const changed = this.changed.subarray(first, end);
    const length = Math.ceil(this.arena.bytesOf(piece).length / 4);
    const places = [...changed.keys()].slice(0, length);
    const seen = places.filter((place) => changed[place] === 1);
    if (seen.length === 0 || length > MEDIUM) return seen;
    if (length <= WHOLE) return places;
    return places.slice(seen[0], seen.at(-1)! + MARGIN);
  }
}

/** Numbers of the lines in which words of a footprint lie. */
export const footprintLines = (arena: Arena, { places }: Knowledge): number[] => {
  const lines = new Set<number>();
  for (let piece = 0; piece < arena.pieces; piece++)
    for (const place of places[piece] ?? [])
      lines.add(arena.firstLine(piece) + Math.floor(place / LINE_WORDS));
  return [...lines].sort((a, b) => a - b);
};
