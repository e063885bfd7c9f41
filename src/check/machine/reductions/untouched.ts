import type { Machine } from "../../../machine/machine.ts";
import { fieldsOf, stateOf } from "../../../machine/snapshot.ts";
import type { Arena } from "../memory/arena.ts";
import { FixedFields } from "../memory/fields.ts";
import { grows, growthOf, type Knowledge } from "../memory/footprint.ts";
import { LINE_WORDS } from "../memory/line.ts";
import { Mirror } from "../memory/mirror.ts";

/** Steps changed memory that no walk before had seen change, or were not foreseeable. The search is made again with what is known now. */
export class FootprintError extends Error {
  readonly knowledge: Knowledge;

  constructor(knowledge: Knowledge, what: string) {
    super(what);
    this.name = "FootprintError";
    this.knowledge = knowledge;
  }
}

const UNSAVED = "a step changed memory that the search does not save: ";

/** Memory outside a footprint, as it was when this was made: no step may change it, nor may an array grow. */
export class Untouched {
  private readonly machine: Machine;
  private readonly arena: Arena;
  private readonly knowledge: Knowledge;
  private readonly mirror: Mirror;
  private readonly fields: FixedFields;

  constructor(machine: Machine, arena: Arena, knowledge: Knowledge, lines: readonly number[]) {
    this.machine = machine;
    this.arena = arena;
    this.knowledge = knowledge;
    this.fields = new FixedFields(machine);
    this.mirror = new Mirror(arena, lines);
  }

  /** @throws FootprintError with all memory that changed */
  verifyMemory(): void {
    const count = this.mirror.compare();
    if (count > 0) throw this.errorOf(count);
  }

  /** What has grown stays as it is, so this need not be asked as often. @throws FootprintError */
  verify(): void {
    this.verifyMemory();
    const growth = this.fields.growth();
    if (!grows(growth)) return;
    const knowledge = { ...this.knowledge, ...growthOf(this.knowledge, growth) };
    const what = [
      ...growth.rooms.map(({ field }) => field),
      ...growth.interned.flatMap(({ texts }) => texts),
    ];
    throw new FootprintError(knowledge, `${UNSAVED}${what.join(" and ")} grew`);
  }

  private errorOf(count: number): FootprintError {
    const { arena, mirror, knowledge } = this;
    const fresh = new Map<number, number[]>();
    for (const line of mirror.differing.subarray(0, count))
      for (let word = 0; word < LINE_WORDS; word++) {
        const place = mirror.firsts[line]! + word;
        if (arena.words[place] === mirror.copy[line * LINE_WORDS + word]) continue;
        const piece = arena.pieceOfLine(Math.floor(place / LINE_WORDS));
        fresh.set(piece, [...(fresh.get(piece) ?? []), place - arena.wordsOf(piece)[0]]);
      }
    const places = knowledge.places.map((known, piece) =>
      [...known, ...(fresh.get(piece) ?? [])].sort((a, b) => a - b),
    );
    const [piece = 0, [word = 0] = []] = [...fresh][0] ?? [];
    return new FootprintError({ ...knowledge, places }, `${UNSAVED}${this.nameOf(piece)} word ${word}`);
  }

  /** Part and field that hold a piece of memory. */
  private nameOf(piece: number): string {
    for (const object of stateOf(this.machine).objects)
      for (const [key, value] of fieldsOf(object))
        if (ArrayBuffer.isView(value) && this.arena.pieceOf(value) === piece)
          return `${object.constructor.name}.${key}`;
    return "memory";
  }
}
