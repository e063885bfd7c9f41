import { expect, it } from "vitest";
import { AccessTrace } from "./access-trace.ts";
import { type Row, traced } from "./traced-view.ts";

/** Sixteen words; of words and marks, which bytes something touches and changes. */
const touchedBy = (does: (bytes: Row, doubles: Row) => void): string[] => {
  const memory = new Uint32Array(16);
  const trace = new AccessTrace({
    ...{ memory, words: [...memory.keys()], actors: 1, settled: new Set([15]) },
    isIdle: () => memory[0] === 0,
  });
  const bytes = traced(new Uint8Array(memory.buffer, 0, 16), trace);
  const doubles = traced(new Float64Array(memory.buffer, 16, 6), trace);
  bytes[0] = 1;
  trace.begin();
  does(bytes, doubles);
  const { numbers, touched, changed } = trace.end();
  return [...numbers.keys()].map((at) => `${numbers[at]}:${touched[at]}/${changed[at]}`).sort();
};

it.each<[string, (bytes: Row, doubles: Row) => unknown, string[]]>([
  ["an element that is read", (bytes) => bytes[5], ["1:2/0"]],
  ["an element that is written", (bytes) => Reflect.set(bytes, 6, 9), ["1:4/4"]],
  ["what is written as it was", (bytes) => Reflect.set(bytes, 6, 0), ["1:4/0"]],
  [
    "a word that comes back to what it was",
    (bytes) => {
      bytes[6] = 1;
      bytes[6] = 0;
    },
    ["1:4/0"],
  ],
  ["a double, of which a half changes", (_, doubles) => Reflect.set(doubles, 1, 2), ["6:15/0", "7:15/8"]],
  ["an element that there is not", (bytes) => bytes[99], []],
  ["a part that is filled", (bytes) => bytes.fill(1, -4, -2), ["3:3/3"]],
  ["a part of a part", (bytes) => bytes.subarray(4, 8).subarray(1)[0], ["1:2/0"]],
  ["what is copied", (bytes) => bytes.set(bytes.subarray(0, 1), 8), ["0:1/0", "2:1/1"]],
  ["whatever looks at all", (bytes) => bytes.indexOf(7), ["0:15/0", "1:15/0", "2:15/0", "3:15/0"]],
  ["the memory behind it", (bytes) => bytes.buffer, ["0:15/0", "1:15/0", "2:15/0", "3:15/0"]],
  ["how long it is", (bytes) => bytes.length, []],
  ["that an actor's work ends", (bytes) => Reflect.set(bytes, 0, 0), ["0:1/1", "16:1/1"]],
])("notes %s", (_, does, expected) => {
  expect(
    touchedBy((bytes, doubles) => {
      does(bytes, doubles);
    }),
  ).toEqual(expected);
});

/** What is run at the end of each step reads word 15, and writes word 14 if it is not 0. */
const settledBy = (first: (row: Row) => void): string[] => {
  const memory = new Uint32Array(16);
  const trace = new AccessTrace({
    ...{ memory, words: [...memory.keys()], actors: 0, settled: new Set([14, 15]), isIdle: () => true },
  });
  const row = traced(memory, trace);
  trace.begin();
  first(row);
  trace.runSettled(() => {
    if (row[15] !== 0) row[14] = 1;
  });
  return [...trace.end().numbers].map(String).sort();
};

it("what looks whether something is due is part of a step only if the step made it so", () => {
  expect(settledBy((row) => row.fill(1, 0, 1))).toEqual(["0"]);
  expect(settledBy((row) => row.fill(1, 15))).toEqual(["14", "15"]);
  expect(settledBy((row) => row.fill(0, 14, 15))).toEqual(["14", "15"]);
});
