import { assert } from "../../assert.ts";
import type { Machine } from "../../machine/machine.ts";
import { fieldsOf, MachineSnapshot, stateOf } from "../../machine/snapshot.ts";

type Words = Uint32Array | Uint8Array;

/** Memory as words, or as bytes where it is not whole words. */
export const wordsOf = (buffer: ArrayBufferLike): Words =>
  buffer.byteLength % 4 === 0 ? new Uint32Array(buffer) : new Uint8Array(buffer);

/**
 * Fields that steps change and that are no state: cursors that are set anew before they are read, and caches whose owner
 * is told when memory was restored. Whatever else changes outside flat memory ends the search.
 */
const PASSING: ReadonlySet<string> = new Set([
  "Sept.at",
  "Sept.level",
  "Sept.unit",
  "Sept.gib",
  "Sept.gibTable",
  "TdxModule.td",
  "TdxModule.vcpu",
  "TdxModule.frame",
  "Frame.base",
  "MemoryMap.last",
  "MemMap.version",
  "UnitUses.version",
  "Cpus.panicMessage",
  "FaultPoints.chooser",
]);

/** Objects that tell of the machine's past. */
const isHistory = (machine: Machine, object: object): boolean =>
  object === machine.log || object === machine.watch?.violations.all || !isNamed(object);

/** Elements of plain arrays and literals, such as lines of the log, are not the state of a part. */
const isNamed = (object: object): boolean => object.constructor !== Object && object.constructor !== Array;

type Fields = ReadonlyMap<object, ReadonlyMap<string, unknown>>;

const fieldsNow = (machine: Machine): Fields =>
  new Map(
    stateOf(machine)
      .objects.filter((object) => !isHistory(machine, object))
      .map((object) => [object, new Map(fieldsOf(object))]),
  );

/**
 * What is known of the memory that a configuration's machine changes, as plain JSON. All of a machine's memory and all
 * its parts are numbered as a walk meets them, which is the same in each machine of a configuration.
 */
export interface Knowledge {
  /** Arrays that grow: number of the part that has it, its field, and how many bytes it comes to. */
  readonly rooms: readonly { readonly part: number; readonly field: string; readonly bytes: number }[];
  /** By memory: places in `wordsOf` it that change, ascending. */
  readonly places: readonly (readonly number[])[];
}

/** What of a machine's memory a search has to save: by the memory, places in `wordsOf` it, ascending. */
export type Footprint = ReadonlyMap<ArrayBufferLike, readonly number[]>;

/** Runs the machine somehow, from where it is; the same each time. Calls `look` after each step. */
export type Walk = (number: number, look: () => void) => void;

/** Memory up to this size is looked at after every step, for locks come and go; larger memory now and then. */
const SMALL_BYTES = 8192;
const LOOK_EVERY = 16;
/** Walks in a row that find nothing new before it is enough. */
const QUIET_WALKS = 25;

/** Of arrays up to this length all changes if one word does. */
const WHOLE = 64;

/** Of longer ones, all between the first and the last that do, and some more: a stack may become deeper. */
const MEDIUM = 2048;
const MARGIN = 32;

interface Memory {
  readonly words: Words;
  readonly before: Words;
  readonly changed: Uint8Array;
}

const remember = (machine: Machine): Memory[] =>
  stateOf(machine).buffers.map((buffer) => {
    const words = wordsOf(buffer);
    return { words, before: words.slice(), changed: new Uint8Array(words.length) };
  });

/** Arrays that a field had before, and those that it has now. Asserts that no other field of a part changed. */
const grownFields = (
  machine: Machine,
  before: Fields,
): { object: object; key: string; array: ArrayBufferView }[] => {
  const grown: { object: object; key: string; array: ArrayBufferView }[] = [];
  for (const [object, fields] of before)
    for (const [key, value] of fieldsOf(object)) {
      const old = fields.get(key);
      if (value === old || PASSING.has(`${object.constructor.name}.${key}`)) continue;
      assert(
        ArrayBuffer.isView(value) && ArrayBuffer.isView(old),
        () => `${object.constructor.name}.${key} is flat state or none`,
      );
      grown.push({ object, key, array: value });
    }
  assert(machine.booted, "fields are compared once the machine has booted");
  return grown;
};

/** Puts longer arrays in the place of those that will have to grow; growing appends zeros. */
const makeRoom = (machine: Machine, { rooms }: Knowledge): void => {
  const { objects } = stateOf(machine);
  for (const { part, field, bytes } of rooms) {
    const object = objects[part];
    const before: unknown = object === undefined ? undefined : Reflect.get(object, field);
    assert(object !== undefined && ArrayBuffer.isView(before), "room is made in an array");
    if (before.byteLength >= bytes) continue;
    const wider = new Uint8Array(bytes);
    wider.set(new Uint8Array(before.buffer, before.byteOffset, before.byteLength));
    Reflect.set(object, field, Reflect.construct(before.constructor, [wider.buffer]));
  }
};

/**
 * Finds which words of a machine's memory its steps change, by walking from where it stands, which is where it stands
 * in the end.
 */
export class FootprintFinder {
  private readonly machine: Machine;
  private memory: readonly Memory[];
  private steps = 0;
  private fresh = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    this.memory = remember(machine);
  }

  /** Walks until nothing new changes any more, with all arrays as long as they will ever be. */
  walkAbout(walk: Walk): Knowledge {
    const rooms: Knowledge["rooms"][number][] = [];
    for (;;) {
      const knowledge = this.walks(walk);
      rooms.push(...knowledge.rooms);
      if (knowledge.rooms.length === 0) return { rooms, places: knowledge.places };
      makeRoom(this.machine, knowledge);
      this.memory = remember(this.machine);
    }
  }

  private walks(walk: Walk): Knowledge {
    const start = new MachineSnapshot(this.machine);
    const fields = fieldsNow(this.machine);
    const { objects } = stateOf(this.machine);
    const rooms = new Map<string, Knowledge["rooms"][number]>();
    for (let number = 0, quiet = 0; quiet < QUIET_WALKS; number++) {
      this.fresh = 0;
      walk(number, () => this.look());
      for (const memory of this.memory) this.lookAt(memory);
      for (const { object, key, array } of grownFields(this.machine, fields)) {
        const part = objects.indexOf(object);
        const bytes = Math.max(array.byteLength, rooms.get(`${part} ${key}`)?.bytes ?? 0);
        rooms.set(`${part} ${key}`, { part, field: key, bytes });
      }
      start.restore();
      if (rooms.size > 0) break;
      quiet = this.fresh === 0 ? quiet + 1 : 0;
    }
    return { rooms: [...rooms.values()], places: this.memory.map(({ changed }) => this.placesOf(changed)) };
  }

  private look(): void {
    const all = this.steps++ % LOOK_EVERY === 0;
    for (const memory of this.memory) if (all || memory.words.byteLength <= SMALL_BYTES) this.lookAt(memory);
  }

  private lookAt({ words, before, changed }: Memory): void {
    for (let place = 0; place < words.length; place++) {
      if (words[place] === before[place] || changed[place] === 1) continue;
      changed[place] = 1;
      this.fresh++;
    }
  }

  private placesOf(changed: Uint8Array): number[] {
    const places = [...changed.keys()];
    const seen = places.filter((place) => changed[place] === 1);
    if (seen.length === 0 || changed.length > MEDIUM) return seen;
    if (changed.length <= WHOLE) return places;
    return places.slice(seen[0], seen.at(-1)! + MARGIN);
  }
}

/** Makes a machine fit for a search: nothing grows any more. @returns what the search has to save */
export const footprintOf = (machine: Machine, knowledge: Knowledge): Footprint => {
  makeRoom(machine, knowledge);
  const { buffers } = stateOf(machine);
  return new Map(buffers.map((buffer, memory) => [buffer, knowledge.places[memory] ?? []]));
};

/** Steps changed memory that no walk before the search had seen change. The search is made again with what is known now. */
export class FootprintError extends Error {
  readonly knowledge: Knowledge;

  constructor(knowledge: Knowledge, where: string) {
    super(`a step changed memory that the search does not save: ${where}`);
    this.name = "FootprintError";
    this.knowledge = knowledge;
  }
}

/** Memory outside a footprint, as it was when this was made: no step may change it, nor may an array grow. */
export class Untouched {
  private readonly machine: Machine;
  private readonly knowledge: Knowledge;
  private readonly memory: readonly Memory[];
  private readonly fields: Fields;
  private readonly parts: readonly object[];

  /** @param without memory that does not count */
  constructor(machine: Machine, knowledge: Knowledge, without: ReadonlySet<ArrayBufferLike>) {
    this.machine = machine;
    this.knowledge = knowledge;
    this.fields = fieldsNow(machine);
    this.parts = stateOf(machine).objects;
    this.memory = remember(machine);
    for (const [memory, { words, changed }] of this.memory.entries()) {
      if (without.has(words.buffer)) changed.fill(1);
      for (const place of knowledge.places[memory] ?? []) changed[place] = 1;
    }
  }

  /** @throws FootprintError with all that changed */
  verify(): void {
    let where = "";
    const places = this.memory.map(({ words, before, changed }, memory) => {
      const known = this.knowledge.places[memory] ?? [];
      const fresh: number[] = [];
      for (let place = 0; place < words.length; place++)
        if (words[place] !== before[place] && changed[place] === 0) fresh.push(place);
      if (fresh.length === 0) return known;
      where = `${nameOf(this.machine, words.buffer)} word ${fresh[0]}`;
      return [...known, ...fresh].sort((a, b) => a - b);
    });
    const rooms = grownFields(this.machine, this.fields).map(({ object, key, array }) => {
      where = `${object.constructor.name}.${key} grew`;
      return { part: this.parts.indexOf(object), field: key, bytes: array.byteLength };
    });
    if (where === "") return;
    throw new FootprintError({ rooms: [...this.knowledge.rooms, ...rooms], places }, where);
  }
}

/** Part and field that hold a piece of memory. */
const nameOf = (machine: Machine, buffer: ArrayBufferLike): string => {
  for (const object of stateOf(machine).objects)
    for (const [key, value] of fieldsOf(object))
      if (ArrayBuffer.isView(value) && value.buffer === buffer) return `${object.constructor.name}.${key}`;
  return "memory";
};
