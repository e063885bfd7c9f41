import { assert } from "../../../assert.ts";
import { writeKey } from "../foresight/cell-key.ts";
import { takeChange, writeChange } from "../foresight/changes.ts";
import { type ApartTeller, NO_TELLER } from "./apart.ts";
import type { Arena } from "./arena.ts";
import { GatedCompare } from "./gated-compare.ts";
import { type Gates, openGates } from "./gates.ts";
import { LINE_WORDS } from "./line.ts";
import { Mirror } from "./mirror.ts";
import { BlockWriter, blockWords, MOST_SAVED_LINES, SAVED_HEADER, takeBlock } from "./saved-state.ts";
import { StackHashes } from "./stack-hashes.ts";
import { Tail } from "./tail.ts";
import { WordsOf } from "./words-of.ts";

/** Lines of the machine's memory: what of it is saved, and what of that tells states from one another. */
export interface CellLines {
  /** Numbers of lines in the arena, in the order of their groups. */
  readonly lines: readonly number[];
  /** By place in `lines`: whether the line tells states apart; false for what no later step looks at. */
  readonly inKey: readonly boolean[];
  /** By place in `lines`: whether it can be told in another way, so that the key leaves it out. Left out: none can. */
  readonly apart?: readonly boolean[];
  /** Left out: all lines are always compared. */
  readonly gates?: Gates;
}

/**
 * The words of a machine that its steps change, as one row of cells, eight a line. It knows three states: the base, where the
 * search began; the origin, which was restored last; and the tail, which was saved last as one of a chain. A step touches few
 * lines, so the fingerprint is the origin's with the hashes of these lines in place of the origin's, and going back to the
 * origin writes these lines only. A state is saved as what differs from the base, or from the tail.
 */
export class Cells {
  readonly count: number;
  private readonly words: Uint32Array;
  /** By line: 1 if it is part of the key. */
  private readonly keyed: Uint8Array;
  /** Lines of the key that can be left out of it, whether they are, and who tells them then. */
  private readonly apart: readonly number[];
  private leavesOut = false;
  private readonly teller: ApartTeller;
  readonly stacks: StackHashes;
  private readonly base: Mirror;
  private readonly origin: Mirror;
  private readonly gate: GatedCompare;
  private readonly tail: Tail;
  /** The origin as it was saved, if it was saved whole. */
  private readonly saved: Uint32Array;
  private savedLength = 0;
  private readonly writer = new BlockWriter();
  /** Whether the lines that differ from the origin are known, for the machine did not move since. */
  private compared = false;
  private hashed = false;
  /** Fingerprint of the origin, and of what the machine holds now if it is hashed. */
  readonly originHalves = new Uint32Array(2);
  private readonly halves = new Uint32Array(2);
  private readonly views = new WordsOf();

  /** The base is what the lines hold now. @param teller of what the key can leave out */
  constructor(
    arena: Arena,
    { lines, inKey, apart = [], gates = openGates(lines) }: CellLines,
    teller = NO_TELLER,
  ) {
    this.count = lines.length * LINE_WORDS;
    assert(lines.length < MOST_SAVED_LINES, "the lines of a machine fit a block's header");
    this.words = arena.words;
    this.keyed = Uint8Array.from(inKey, Number);
    this.apart = [...lines.keys()].filter((line) => inKey[line] === true && apart[line] === true);
    this.teller = teller;
    this.stacks = new StackHashes(gates);
    this.base = new Mirror(arena, lines, undefined, inKey);
    this.origin = new Mirror(arena, lines, gates.groups, inKey);
    this.gate = new GatedCompare(this.origin, gates);
    this.tail = new Tail(this.origin, arena);
    this.saved = new Uint32Array(SAVED_HEADER + lines.length * (LINE_WORDS + 1));
  }

  /** Bytes of the longest key. */
  get keyBytes(): number {
    return this.count * 8;
  }

  /** Bytes of the longest saved state, and of the longest change. */
  get stateBytes(): number {
    return this.saved.length * 4;
  }

  /** The machine is about to move: what was compared is stale. @param group is told to change, see Gates */
  moves(group = 0): void {
    this.gate.moves(group);
    this.compared = false;
    this.hashed = false;
  }

  private compare(): void {
    if (this.compared) return;
    this.gate.compare();
    this.compared = true;
  }

  /** Asserts that nothing changed that nothing told of. */
  verify(): void {
    this.gate.verify();
    this.compared = true;
  }

  /** Fingerprint of what the machine holds now. */
  fingerprint(halves: Uint32Array): void {
    this.hash();
    halves[0] = this.halves[0]!;
    halves[1] = this.halves[1]!;
  }

  private hash(): void {
    if (this.hashed) return;
    this.compare();
    const { halves, originHalves } = this;
    halves[0] = originHalves[0]!;
    halves[1] = originHalves[1]!;
    this.origin.hash(halves);
    this.hashed = true;
  }

  /** Takes the lines that are told apart out of the key, or back into it. States saved before are not restored then. */
  leaveOut(out: boolean): void {
    const { base, origin, originHalves } = this;
    for (const line of this.apart) {
      this.keyed[line] = out ? 0 : 1;
      base.setHashed(line, !out);
      origin.setHashed(line, !out);
    }
    this.compare();
    base.compare();
    originHalves.fill(0);
    this.stacks.clear();
    this.teller.clear();
    for (const mirror of [base, origin]) {
      mirror.hash(originHalves);
      this.stacks.take(mirror);
      if (out) this.teller.take(mirror);
    }
    this.hashed = false;
    this.savedLength = 0;
    this.leavesOut = out;
  }

  /** Knows in which lines the machine differs from the origin. Good until the machine moves. */
  differing(): Mirror {
    this.compare();
    return this.origin;
  }

  /** Whether nothing that is owned differs from the origin but what those own that are marked with 1. */
  changesOnly(marked: Uint8Array): boolean {
    this.compare();
    return this.stacks.areOnly(this.origin, marked);
  }

  /** Machine and copy are an old and a new origin, and it is known where they differ. */
  private originMoves(): void {
    if (this.leavesOut) this.teller.take(this.origin);
    this.stacks.take(this.origin);
  }

  /** Puts the machine back to the base. */
  reset(): void {
    this.goBack();
    this.become(NOTHING, 0, SAVED_HEADER);
  }

  /** Writes the origin into the machine, wherever it holds something else. */
  goBack(): void {
    this.compare();
    this.origin.putBack();
    this.gate.close();
    this.hashed = false;
  }

  /** Saves what the machine holds now. @returns bytes written */
  save(into: Uint8Array, at: number): number {
    const { writer, words, base } = this;
    const { differing, firsts, copy } = base;
    const start = this.beginSave(into, at);
    const count = base.compare();
    for (let place = 0; place < count; place++) {
      const line = differing[place]!;
      writer.line(line, words, firsts[line]!, copy, line * LINE_WORDS);
    }
    return (writer.used - start) * 4;
  }

  /**
   * Saves what the machine holds now as one of a chain: what differs from the one before, or all if it is the first.
   *
   * @returns bytes written
   */
  saveNext(into: Uint8Array, at: number, first: boolean): number {
    if (first) {
      const bytes = this.save(into, at);
      this.compare();
      this.tail.begin();
      return bytes;
    }
    const start = this.beginSave(into, at);
    return (this.tail.next(this.views.of(into), start + SAVED_HEADER) - start) * 4;
  }

  /** Writes the fingerprint; blocks go behind it. @returns the first word */
  private beginSave(into: Uint8Array, at: number): number {
    this.hash();
    const to = this.views.of(into);
    const start = (into.byteOffset + at) >>> 2;
    to[start] = this.halves[0]!;
    to[start + 1] = this.halves[1]!;
    this.writer.begin(to, start + SAVED_HEADER);
    return start;
  }

  /** Writes each cell of the key that differs from the base, and its value. @returns bytes written */
  key(into: Uint8Array, at: number): number {
    const start = (into.byteOffset + at) >>> 2;
    return (writeKey(this.base, this.keyed, this.words, this.views.of(into), start) - start) * 4;
  }

  /** Writes in what the machine differs from the origin. @returns the end of what was written */
  writeChange(to: Uint32Array, at: number): number {
    this.compare();
    return writeChange(this.origin, this.words, to, at);
  }

  /** Makes the machine, which is at the origin, what `writeChange` wrote once. @param halves its fingerprint */
  takeChange(from: Uint32Array, begin: number, end: number, halves: Uint32Array): void {
    takeChange(this.origin, this.words, from, begin, end);
    this.gate.leaps();
    this.halves.set(halves);
    this.compared = true;
    this.hashed = true;
  }

  /** Goes to a saved state, which is the origin then. */
  restore(from: Uint8Array, at: number, length: number): void {
    const words = this.views.of(from);
    const start = (from.byteOffset + at) >>> 2;
    const count = length >>> 2;
    this.goBack();
    this.verify();
    if (!this.isOrigin(words, start, count)) this.become(words, start, count);
  }

  private isOrigin(words: Uint32Array, start: number, count: number): boolean {
    if (count !== this.savedLength) return false;
    const { saved } = this;
    for (let at = 0; at < count; at++) if (saved[at] !== words[start + at]) return false;
    return true;
  }

  /** Makes machine and origin what was saved whole. */
  private become(words: Uint32Array, start: number, count: number): void {
    const { origin, base, saved } = this;
    origin.copy.set(base.copy);
    for (let block = start + SAVED_HEADER; block < start + count; block += blockWords(words[block]!))
      takeBlock(words, block, origin.copy);
    origin.compare();
    this.originMoves();
    this.tail.originMoves();
    origin.putBack();
    for (let at = 0; at < count; at++) saved[at] = words[start + at]!;
    this.savedLength = count;
    this.isAt(words, start);
  }

  /** The machine holds the origin, whose saved form begins there. */
  private isAt(words: Uint32Array, start: number): void {
    this.originHalves[0] = words[start]!;
    this.originHalves[1] = words[start + 1]!;
    this.compared = true;
    this.hashed = false;
  }

  /** Goes from the state that was restored last to the one saved behind it in its chain. */
  restoreNext(from: Uint8Array, at: number, length: number): void {
    const words = this.views.of(from);
    const start = (from.byteOffset + at) >>> 2;
    const end = start + (length >>> 2);
    const { origin, tail } = this;
    this.goBack();
    tail.read(words, start + SAVED_HEADER, end);
    this.originMoves();
    origin.putBack();
    this.savedLength = 0;
    this.isAt(words, start);
  }
}

/** The base, saved. */
const NOTHING = new Uint32Array(SAVED_HEADER);
