import { QmpFormatError, shownValue } from "./qmp-error.ts";

/** A value as JSON has it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/**
 * What a value must look like, as the schema of QMP says it. `read` gives the value back, typed, or refuses it.
 *
 * Wire names stay as they are, so that writing a value is JSON.stringify.
 */
export interface Shape<T> {
  /** @throws QmpFormatError that names `what` */
  read(value: unknown, what: string): T;
}
export type ValueOf<S> = S extends Shape<infer T> ? T : never;

/** A member that may be absent. */
interface Optional<T> {
  readonly optional: Shape<T>;
}
type Member = Shape<unknown> | Optional<unknown>;
type Members = Readonly<Record<string, Member>>;
type RequiredNames<M> = { [name in keyof M]: M[name] extends Optional<unknown> ? never : name }[keyof M];
type OptionalNames<M> = { [name in keyof M]: M[name] extends Optional<unknown> ? name : never }[keyof M];
type MembersOf<M> = { readonly [name in RequiredNames<M>]: ValueOf<M[name]> } & {
  readonly [name in OptionalNames<M>]?: M[name] extends Optional<infer T> ? T : never;
};

const refuse = (what: string, expected: string, value: unknown): never => {
  throw new QmpFormatError(what, expected, shownValue(value));
};

export const text: Shape<string> = {
  read: (value, what) => (typeof value === "string" ? value : refuse(what, "a string", value)),
};

export const flag: Shape<boolean> = {
  read: (value, what) => (typeof value === "boolean" ? value : refuse(what, "true or false", value)),
};

/** A whole number from 0 to 2^53 - 1: a size in bytes, an address, a count. Above that JSON numbers lose digits. */
export const natural: Shape<number> = {
  read: (value, what) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= 0
      ? value
      : refuse(what, "a whole number from 0 to 2^53 - 1", value),
};

/** A whole number of either sign, exact. */
export const integer: Shape<number> = {
  read: (value, what) =>
    typeof value === "number" && Number.isSafeInteger(value) ? value : refuse(what, "a whole number", value),
};

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Any value. @missing whole numbers beyond 2^53, which JSON.parse has rounded before anybody can see it */
export const anything: Shape<Json> = {
  // What JSON.parse gives is Json by construction; the one thing it cannot give is "nothing".
  read: (value, what) => (value === undefined ? refuse(what, "a value", value) : (value as Json)),
};

/** An object whose members the schema leaves open. */
export const anyObject: Shape<JsonObject> = {
  read: (value, what) => (isJsonObject(value) ? value : refuse(what, "an object", value)),
};

export const oneOf = <const N extends readonly string[]>(names: N): Shape<N[number]> => ({
  read: (value, what) =>
    names.find((name) => name === value) ?? refuse(what, `one of ${names.join(", ")}`, value),
});

export const list = <T>(item: Shape<T>): Shape<readonly T[]> => ({
  read: (value, what) =>
    Array.isArray(value)
      ? value.map((element, i) => item.read(element, `${what}[${i}]`))
      : refuse(what, "a list", value),
});

export const maybe = <T>(shape: Shape<T>): Optional<T> => ({ optional: shape });

const readMembers = (members: Members, value: unknown, what: string, closed: boolean): JsonObject => {
  const object = anyObject.read(value, what);
  for (const [name, member] of Object.entries(members)) {
    const has = Object.hasOwn(object, name);
    if ("optional" in member) {
      if (has) member.optional.read(object[name], `${what}.${name}`);
    } else if (has) member.read(object[name], `${what}.${name}`);
    else refuse(what, `a member "${name}"`, value);
  }
  const stray = closed ? Object.keys(object).find((name) => !Object.hasOwn(members, name)) : undefined;
  if (stray !== undefined) refuse(what, `no member "${stray}"`, value);
  return object;
};

/** An object with these members; others are passed over, as a newer QEMU may send more. */
export const object = <const M extends Members>(members: M): Shape<MembersOf<M>> => ({
  read: (value, what) => readMembers(members, value, what, false) as MembersOf<M>,
});

/** An object with these members and no others: what a command takes. */
export const closedObject = <const M extends Members>(members: M): Shape<MembersOf<M>> => ({
  read: (value, what) => readMembers(members, value, what, true) as MembersOf<M>,
});

/** An object with these members and any others: a command whose other arguments depend on them. */
export const openObject = <const M extends Members>(members: M): Shape<MembersOf<M> & JsonObject> => ({
  read: (value, what) => readMembers(members, value, what, false) as MembersOf<M> & JsonObject,
});
