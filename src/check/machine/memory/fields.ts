import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import { fieldsOf, stateOf } from "../../../machine/snapshot.ts";

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
  "PageOwners.version",
  "Cpus.panicMessage",
  "FaultPoints.chooser",
  "Rmp.at",
  "Rmp.large",
  "NestedPageTable.level",
  "NestedPageTable.frameHere",
  "NestedPageTable.stateHere",
  "NestedPageTable.tableHere",
]);

/** Objects that tell of the machine's past. */
const isHistory = (machine: Machine, object: object): boolean =>
  object === machine.log || object === machine.watch?.violations.all || !isNamed(object);

/** Elements of plain arrays and literals, such as lines of the log, are not the state of a part. */
const isNamed = (object: object): boolean => object.constructor !== Object && object.constructor !== Array;

export type Fields = ReadonlyMap<object, ReadonlyMap<string, unknown>>;

/** What the fields of a machine's parts hold. */
export const fieldsNow = (machine: Machine): Fields =>
  new Map(
    stateOf(machine)
      .objects.filter((object) => !isHistory(machine, object))
      .map((object) => [object, new Map(fieldsOf(object))]),
  );

/** An array that grows: number of the part that has it, its field, and how many bytes it comes to. */
export interface Room {
  readonly part: number;
  readonly field: string;
  readonly bytes: number;
}

/** Texts that a part numbers in the order in which it meets them: the number is state, and the list has to be the same. */
export interface Interned {
  readonly part: number;
  readonly texts: readonly string[];
}

/** What grows, beyond what a machine begins with. */
export interface Growth {
  readonly rooms: readonly Room[];
  readonly interned: readonly Interned[];
}

export const NO_GROWTH: Growth = { rooms: [], interned: [] };

const isText = (value: unknown): value is string => typeof value === "string";

/** The texts that a part has interned; undefined if it interns none. */
const internedOf = (part: object): string[] | undefined => {
  const interned: unknown = Reflect.get(part, "interned");
  return Array.isArray(interned) && interned.every(isText) ? interned : undefined;
};

/** The fields of a machine's parts as they were: a step that changes one makes state that is not flat. */
export class FixedFields {
  private readonly fields: Fields;
  private readonly parts: readonly object[];
  /** By part: how many texts it had interned. */
  private readonly interned: readonly number[];

  constructor(machine: Machine) {
    this.fields = fieldsNow(machine);
    this.parts = stateOf(machine).objects;
    this.interned = this.parts.map((part) => internedOf(part)?.length ?? 0);
  }

  /** What grew, arrays and lists of texts. */
  growth(): Growth {
    const interned = this.parts.flatMap((object, part) => {
      const texts = internedOf(object) ?? [];
      return texts.length === this.interned[part] ? [] : [{ part, texts: [...texts] }];
    });
    return { rooms: this.grown(), interned };
  }

  /** Arrays that grew: longer ones stand in their places. Asserts that no other field of a part changed. */
  private grown(): Room[] {
    const grown: Room[] = [];
    for (const [object, fields] of this.fields)
      for (const [field, value] of fieldsOf(object)) {
        const old = fields.get(field);
        if (value === old || PASSING.has(`${object.constructor.name}.${field}`)) continue;
        assert(
          ArrayBuffer.isView(value) && ArrayBuffer.isView(old),
          () => `${object.constructor.name}.${field} is flat state or none`,
        );
        grown.push({ part: this.parts.indexOf(object), field, bytes: value.byteLength });
      }
    return grown;
  }
}

/** Makes a machine what it will grow to. */
export const grow = (machine: Machine, { rooms, interned }: Growth): void => {
  const { objects } = stateOf(machine);
  for (const { part, texts } of interned) {
    const there = internedOf(objects[part] ?? {});
    assert(there !== undefined, "texts are interned by a part that does so");
    there.push(...texts.filter((text) => !there.includes(text)));
  }
  makeRoom(machine, rooms);
};

/** Puts longer memory in the place of what will have to grow; growing appends zeros. All views of it are moved. */
const makeRoom = (machine: Machine, rooms: readonly Room[]): void => {
  const { objects } = stateOf(machine);
  const wider = new Map<ArrayBufferLike, Uint8Array>();
  for (const { part, field, bytes } of rooms) {
    const object = objects[part];
    const before: unknown = object === undefined ? undefined : Reflect.get(object, field);
    assert(ArrayBuffer.isView(before), "room is made in an array");
    const known = wider.get(before.buffer)?.length ?? before.buffer.byteLength;
    if (bytes > known) wider.set(before.buffer, new Uint8Array(bytes));
  }
  for (const [buffer, bytes] of wider) bytes.set(new Uint8Array(buffer));
  for (const object of objects)
    for (const [key, view] of fieldsOf(object)) {
      const bytes = ArrayBuffer.isView(view) ? wider.get(view.buffer) : undefined;
      if (!ArrayBuffer.isView(view) || bytes === undefined) continue;
      assert(view.byteLength === view.buffer.byteLength, "what grows is all of its memory");
      Reflect.set(object, key, Reflect.construct(view.constructor, [bytes.buffer]));
    }
};

/** Room for every section that there may ever be: a number of rooms that grows is no flat state. */
export const reserveSections = ({ kernel: { mm }, config: { layout } }: Machine): void => {
  const bytes = mm.geometry.pagesPerSection * mm.geometry.pageSize;
  const areas = [...layout.ram, ...(layout.deviceMemory === undefined ? [] : [layout.deviceMemory])];
  mm.reserve(areas.reduce((sections, { size }) => sections + Math.ceil(size / bytes), 0));
  mm.links.makeRoom();
  mm.owners.makeRoom();
};
