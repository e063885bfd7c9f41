import fc from "fast-check";
import { expect, it } from "vitest";
import { NameIndex, type NameList } from "./name-index.ts";

/** Names as a kernel lists them: a type letter before each, all in one text. */
const listOf = (names: readonly string[]): NameList => {
  const starts = [0];
  for (const name of names) starts.push(starts.at(-1)! + name.length + 1);
  return {
    text: Buffer.from(names.map((name) => `t${name}`).join(""), "latin1"),
    starts: Uint32Array.from(starts),
  };
};

it("a name is found by itself, the first of several, and not by a part of it", () => {
  const index = new NameIndex(listOf(["accept_memory", "accept", "memory", "accept", ""]));
  const names = ["accept_memory", "accept", "memory", "", "taccept", "accept_", "absent"];
  expect(names.map((name) => index.find(name))).toEqual([0, 1, 2, 4, undefined, undefined, undefined]);
  expect([1, 3, 0].map((n) => index.is(n, Buffer.from("accept")))).toEqual([true, true, false]);
});

it("no name is found in an empty list", () => {
  expect(new NameIndex(listOf([])).find("a")).toBeUndefined();
});

it("every name of any list is found where it first stands, and no other", () => {
  const name = fc.string({ unit: fc.constantFrom(..."abc_"), maxLength: 4 });
  fc.assert(
    fc.property(fc.array(name, { maxLength: 200 }), fc.array(name), (names, others) => {
      const index = new NameIndex(listOf(names));
      const where = (each: string) => (names.includes(each) ? names.indexOf(each) : undefined);
      for (const each of [...names, ...others]) expect(index.find(each)).toBe(where(each));
    }),
  );
});
