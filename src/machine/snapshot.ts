import { KERNEL_PROCEDURES } from "../linux/kernel.ts";
import { VMM_PROCEDURES } from "../vmm/procedures.ts";
import type { Machine } from "./machine.ts";

/** Everything mutable that one machine holds, by where it lies. */
export interface MachineState {
  /** Memory of all typed arrays, each once. */
  readonly buffers: readonly ArrayBufferLike[];
  /** Objects and plain arrays: their own fields are values, or lead to what else is here. */
  readonly objects: readonly object[];
  readonly maps: readonly Map<unknown, unknown>[];
  readonly sets: readonly Set<unknown>[];
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Own fields of an object that hold a value; a getter holds none. */
export const fieldsOf = (object: object): readonly (readonly [key: string, value: unknown])[] => {
  const fields: (readonly [string, unknown])[] = [];
  for (const key of Object.getOwnPropertyNames(object)) {
    const { value, writable } = Object.getOwnPropertyDescriptor(object, key)!;
    if (writable === true && typeof value !== "function") fields.push([key, value]);
  }
  return fields;
};

/** One walk over all that can be reached. The order is that of the fields, so it is the same each time. */
class StateWalk implements MachineState {
  readonly buffers: ArrayBufferLike[] = [];
  readonly objects: object[] = [];
  readonly maps: Map<unknown, unknown>[] = [];
  readonly sets: Set<unknown>[] = [];
  private readonly seen: Set<object>;

  constructor(root: object, without: readonly object[]) {
    this.seen = new Set(without);
    const open: unknown[] = [root];
    while (open.length > 0) {
      const value = open.pop();
      if (isObject(value)) open.push(...this.visit(value));
    }
  }

  /** @returns what it leads to */
  private visit(value: object): readonly unknown[] {
    if (this.seen.has(value)) return [];
    this.seen.add(value);
    if (ArrayBuffer.isView(value)) {
      if (!this.seen.has(value.buffer)) this.buffers.push(value.buffer);
      this.seen.add(value.buffer);
      return [];
    }
    if (value instanceof Map) {
      this.maps.push(value);
      return [...value.keys(), ...value.values()];
    }
    if (value instanceof Set) {
      this.sets.push(value);
      return [...value];
    }
    if (Object.isFrozen(value)) return Object.values(value);
    this.objects.push(value);
    return fieldsOf(value).map(([, field]) => field);
  }
}

/**
 * Finds all that is mutable in a machine by walking from it, and from the host that its configuration names. What never
 * changes (the rest of the configuration, the procedures) is left out, and so is the trace, which tells of the machine and
 * is no part of it.
 */
export const stateOf = (machine: Machine): MachineState =>
  new StateWalk(Object.freeze([machine, machine.config.host]), [
    machine.config,
    machine.trace,
    KERNEL_PROCEDURES,
    VMM_PROCEDURES,
  ]);

/** Bytes of flat memory in a machine. */
export const bytesOfState = ({ buffers }: MachineState): number =>
  buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);

const bytesOf = (buffer: ArrayBufferLike): Uint8Array => new Uint8Array(buffer);

/** The fields of one object as they were. */
class KeptFields {
  private readonly object: object;
  private readonly fields: readonly (readonly [key: string, value: unknown])[];
  /** How many names the object has, those without a value too. */
  private readonly names: number;

  constructor(object: object) {
    this.object = object;
    this.fields = fieldsOf(object);
    this.names = Object.getOwnPropertyNames(object).length;
  }

  restore(): void {
    const { object, fields } = this;
    for (const [key, value] of fields)
      if (Reflect.get(object, key) !== value) Reflect.set(object, key, value);
    // All that it had it has again, so as many names are the same names.
    if (Object.getOwnPropertyNames(object).length !== this.names) this.removeOthers();
  }

  private removeOthers(): void {
    const known = new Set(this.fields.map(([key]) => key));
    for (const [key] of fieldsOf(this.object)) if (!known.has(key)) Reflect.deleteProperty(this.object, key);
  }
}

/**
 * A copy of a whole machine as it is between two steps: flat memory, the fields around it, the log and the
 * violations seen. It belongs to that machine.
 */
export class MachineSnapshot {
  private readonly buffers: readonly (readonly [ArrayBufferLike, Uint8Array])[];
  private readonly objects: readonly KeptFields[];
  private readonly maps: readonly (readonly [Map<unknown, unknown>, readonly [unknown, unknown][]])[];
  private readonly sets: readonly (readonly [Set<unknown>, readonly unknown[]])[];

  /** @param state of the machine, if it is known */
  constructor(machine: Machine, state: MachineState = stateOf(machine)) {
    const { buffers, objects, maps, sets } = state;
    this.buffers = buffers.map((buffer) => [buffer, bytesOf(buffer).slice()] as const);
    this.objects = objects.map((object) => new KeptFields(object));
    this.maps = maps.map((map) => [map, [...map]] as const);
    this.sets = sets.map((set) => [set, [...set]] as const);
  }

  /** Bytes of flat memory in it. */
  get bytes(): number {
    return this.buffers.reduce((sum, [, copy]) => sum + copy.length, 0);
  }

  /** Makes the machine what it was. May be done any number of times. */
  restore(): void {
    for (const fields of this.objects) fields.restore();
    for (const [buffer, copy] of this.buffers) bytesOf(buffer).set(copy);
    for (const [map, entries] of this.maps) {
      map.clear();
      for (const [key, value] of entries) map.set(key, value);
    }
    for (const [set, values] of this.sets) {
      set.clear();
      for (const value of values) set.add(value);
    }
  }
}
