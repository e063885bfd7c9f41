import { DISABLED, TAKEN } from "../../system.ts";
import type { Knowledge } from "../memory/footprint.ts";
import type { MachineMoves } from "../moves.ts";
import { Futures, isApart, type KnownLocation } from "./futures.ts";
import { type KnownStep, KnownSteps } from "./known-steps.ts";
import { isSomewhere, Locations } from "./locations.ts";
import { TracedMachine } from "./traced-machine.ts";

/** What is known of everybody's locations. */
export interface KnownFutures {
  /** Words that the numbers are of. */
  readonly words: number;
  readonly locations: readonly KnownLocation[];
}

const NOBODY = -1;
/** More than the numbers of choices. */
const MOST_CHOICES = 1024;
/** Bits of the bytes of a word. */
const ALL_BYTES = 15;

/**
 * Steps that are independent of all that others may do for as long as they are not taken: what such a step touches nobody else
 * may change, and what it changes nobody else may touch. So it need not be taken later than at once, nor anything in its place.
 *
 * What a step touches is found out by trying it on a machine whose arrays note it; what it does follows from that, so it is known
 * wherever those words are the same. What others may do is what was seen of them: of whoever is where they are in their work, and
 * of all that they may come to from there. Every step that the search tries is held against that. If one touches more than was
 * known when something was decided by it, nothing that was decided counts, and the search is made again with that known.
 *
 * That finds what decisions need: let a run from a state where a step went first be the shortest that shows something unknown. All
 * before its end is independent of that step, so the same can happen after it, up to the first word that the step changed; to
 * come to that word shows something unknown as well.
 */
export class IndependentSteps {
  private readonly moves: MachineMoves;
  private readonly twin: TracedMachine;
  private readonly memory: KnownSteps;
  private readonly futures: Futures;
  private readonly here: Locations;
  private readonly there: Locations;
  /** By number: word of the arena. */
  private readonly places: Int32Array;
  private readonly numberOf: ReadonlyMap<number, number>;
  private readonly actors: number;
  /** A step did not follow from what it touched, or touched what is not traced. */
  private doubtful = false;
  /** By actor: its location before local steps. */
  private readonly from: Int32Array;

  /** @param lines of the arena that steps change */
  constructor(moves: MachineMoves, knowledge: Knowledge, lines: readonly number[]) {
    this.moves = moves;
    const { machine, programs, arena, configuration } = moves;
    this.twin = new TracedMachine(configuration, knowledge, lines);
    const { words, count } = this.twin;
    this.places = Int32Array.from(words);
    this.numberOf = new Map(words.map((word, number) => [word, number]));
    this.actors = machine.tasks.actors.length;
    this.from = new Int32Array(this.actors);
    const { tasks } = machine;
    this.memory = new KnownSteps((number) =>
      number < words.length
        ? arena.words[this.places[number]!]!
        : Number(tasks.actors[number - words.length]!.idle),
    );
    const { futures } = knowledge;
    const isKnown = futures !== undefined && futures !== false && futures.words === words.length;
    this.futures = new Futures(count, isKnown ? futures.locations : []);
    this.here = new Locations(machine, programs, this.futures);
    this.there = new Locations(this.twin.machine, this.twin.programs, this.futures);
  }

  /** Bytes of what was found out of steps, about. */
  get bytes(): number {
    return this.memory.bytes + this.futures.bytes;
  }

  /** Whether all that was decided so far still stands. */
  get stands(): boolean {
    return !(this.doubtful || this.futures.surprised || !this.twin.isWhole);
  }

  /** What is known now. @returns undefined if nothing is to be known this way */
  known(): KnownFutures | undefined {
    if (this.doubtful || !this.twin.isWhole) return undefined;
    return { words: this.places.length, locations: this.futures.known() };
  }

  /** A choice of the current state is about to be tried, by its number among all there ever are. */
  attempt(choice: number): void {
    if (this.concerns(choice >> 1)) this.stepOf(choice);
  }

  /** Timers, and who waits until nobody has work, begin nothing as long as somebody could take a step. */
  private concerns(actor: number): boolean {
    const { programs } = this.moves;
    const program = actor - this.actors;
    return program < 0 || programs.all[program]?.when === "any time";
  }

  /** What a choice of the current state comes to. It is noted as something that may be done from where its actor is. */
  private stepOf(choice: number): KnownStep | undefined {
    const location = this.here.of(choice >> 1);
    // What it returns to decides where it goes on, and is not looked at.
    const key = location * MOST_CHOICES + choice;
    const known = this.memory.find(key) ?? this.tried(choice, key);
    if (known !== undefined) this.futures.note(location, known, known.next);
    return known;
  }

  private tried(choice: number, key: number): KnownStep | undefined {
    const { twin, moves, there, here } = this;
    twin.become(moves.arena.words);
    const before = here.all();
    const traced = twin.take(choice);
    if (traced === undefined) return undefined;
    const after = traced.result === TAKEN ? there.all() : before;
    const moved = [...after.keys()].filter((actor) => after[actor] !== before[actor]);
    const step = { ...traced, next: moved.map((actor) => after[actor]!).filter(isSomewhere) };
    // Where another goes on who is in the midst of something, its whole stack decides.
    const isOwn = moved.every((actor) => actor === choice >> 1 || !isSomewhere(before[actor]!));
    if (isOwn && !this.memory.add(key, step)) this.doubtful = true;
    return step;
  }

  /** Number of a choice of the current state that is enough to be taken there; -1 if there is none. */
  next(): number {
    if (this.doubtful) return NOBODY;
    const { moves, actors } = this;
    const count = moves.choices();
    for (let at = 0; at < count; ) {
      const first = at;
      const actor = moves.list[first]! >> 1;
      while (at < count && moves.list[at]! >> 1 === actor) at++;
      if (actor >= actors) return NOBODY;
      const choice = this.onlyChoice(first, at);
      if (choice !== NOBODY) return choice;
    }
    return NOBODY;
  }

  /** The only choice of some of one actor's that comes to something, if that is nothing wrong and all are apart from what others do. */
  private onlyChoice(first: number, end: number): number {
    const { moves } = this;
    const actor = moves.list[first]! >> 1;
    const isAlone = moves.machine.scheduler.activeCount[0] === 1;
    const steps: KnownStep[] = [];
    let only = NOBODY;
    for (let at = first; at < end; at++) {
      const choice = moves.list[at]!;
      const step = this.stepOf(choice);
      // What the last one with work does is looked at with all that has to hold at rest, and the look is no part of the step.
      if (step === undefined || step.result > TAKEN || (isAlone && step.next.length === 0)) return NOBODY;
      if (step.result !== DISABLED) {
        if (only !== NOBODY) return NOBODY;
        only = choice;
      }
      steps.push(step);
    }
    return only !== NOBODY && this.areApart(actor, steps) ? only : NOBODY;
  }

  private areApart(actor: number, steps: readonly KnownStep[]): boolean {
    const { futures, here } = this;
    const others = here.others(actor).map((location) => futures.of(location));
    for (const future of others)
      if (future === undefined || !steps.every((step) => isApart(step, future))) return false;
    for (const future of others) if (future !== undefined) futures.relyOn(future);
    return true;
  }

  /** An actor is about to take local steps. */
  leaves(actor: number): void {
    this.from[actor] = this.here.of(actor);
  }

  /** It has taken them. @param words of its stack that it may have changed */
  arrives(actor: number, words: number): void {
    const { tasks } = this.moves.machine;
    const { arena } = this.moves;
    const [first] = arena.wordsOf(arena.pieceOf(tasks.actors[actor]!.words));
    const numbers = Array.from({ length: words }, (_, word) => this.numberOf.get(first + word) ?? NOBODY);
    const own = Int32Array.from(numbers.filter((number) => number !== NOBODY));
    const bytes = new Uint8Array(own.length).fill(ALL_BYTES);
    const accesses = { numbers: own, touched: bytes, changed: bytes, values: new Uint32Array(0) };
    this.futures.note(this.from[actor]!, accesses, [this.here.of(actor)]);
  }
}
