import { expect, it } from "vitest";
import { AGAIN, BLOCKED, Frame, ProcedureTable, RETURN, TASK_WORDS } from "./procedure.ts";

interface Counter {
  log: number[];
  gate: boolean;
}

const table = new ProcedureTable<Counter>();

const square = table.declare("square", { args: ["n"], locals: [], steps: ["enter"] });
square.define({ enter: (_k, f) => f.returns(f.get(square.v.n) ** 2) });

const {
  v,
  at,
  define,
  procedure: sum,
} = table.declare("sum of squares", {
  args: ["upTo"],
  locals: ["i", "total"],
  steps: ["loop", "add", "gate"],
});
define({
  loop: (_k, f) => {
    if (f.get(v.i) === f.get(v.upTo)) return at.gate;
    f.set(v.i, f.get(v.i) + 1);
    return f.call(square.procedure, at.add, f.get(v.i));
  },
  add: (k, f) => {
    f.set(v.total, f.get(v.total) + f.result);
    k.log.push(f.result);
    return at.loop;
  },
  gate: (k, f) => (k.gate ? f.returns(f.get(v.total)) : BLOCKED),
});

const run = (k: Counter, f: Frame<Counter>): number => {
  let steps = 0;
  while (!f.idle) {
    if (f.step(k) === BLOCKED) k.gate = true;
    steps++;
  }
  return steps;
};

it("runs calls step by step and hands values back", () => {
  const k = { log: [], gate: false };
  const f = new Frame(table, new Float64Array(TASK_WORDS), 0, 0);
  f.start(sum, 3);
  expect(run(k, f)).toBe(3 * 3 + 1 + 1 + 1);
  expect(f.result).toBe(14);
  expect(k.log).toEqual([1, 4, 9]);
});

it("is a copy of bytes: a snapshot taken in the middle of a call goes on to the same end", () => {
  const words = new Float64Array(TASK_WORDS);
  const k = { log: [], gate: true };
  const f = new Frame(table, words, 0, 0);
  f.start(sum, 2);
  f.step(k);
  expect(f.backtrace()).toEqual(["sum of squares:add", "square:enter"]);
  const twin = new Frame(table, words.slice(), 0, 0);
  run(k, f);
  run(k, twin);
  expect([f.result, twin.result]).toEqual([5, 5]);
});

it("zeroes locals at every entry, so a frame never shows what an earlier call left", () => {
  const k = { log: [], gate: true };
  const f = new Frame(table, new Float64Array(TASK_WORDS).fill(7).fill(0, 0, 3), 0, 0);
  f.start(sum, 1);
  run(k, f);
  expect(f.result).toBe(1);
});

it("keeps the four answers apart from labels", () => {
  expect(new Set([RETURN, AGAIN, BLOCKED, 0]).size).toBe(4);
});

it("refuses a call that does not fit the stack", () => {
  const endless = table.declare("endless", { args: [], locals: [], steps: ["enter"] });
  endless.define({ enter: (_k, f) => f.call(endless.procedure, endless.at.enter) });
  const f = new Frame(table, new Float64Array(TASK_WORDS), 0, 0);
  f.start(endless.procedure);
  expect(() => {
    for (;;) f.step({ log: [], gate: true });
  }).toThrow("fits the stack");
});
