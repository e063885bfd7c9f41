import { expect, it } from "vitest";
import { Trace, type TraceEvent } from "./trace.ts";

const folded = (events: TraceEvent[], raw?: TraceEvent[]) => {
  const trace = new Trace();
  trace.folded = (event) => events.push(event);
  if (raw !== undefined) trace.raw = (event) => raw.push(event);
  return trace;
};

it("folds equal effects on neighbouring ranges and nothing else", () => {
  const events: TraceEvent[] = [];
  const raw: TraceEvent[] = [];
  const trace = folded(events, raw);
  trace.emit(1, 10, "vcpu0", 0, "ACCEPT", 0, 4, "SUCCESS", "MAPPED");
  trace.emit(2, 20, "vcpu0", 0, "ACCEPT", 4, 8, "SUCCESS", "MAPPED");
  trace.emit(3, 30, "vcpu0", 0, "ACCEPT", 12, 16, "SUCCESS", "MAPPED");
  trace.emit(4, 40, "vcpu0", 0, "ACCEPT", 16, 20, "OPERAND_BUSY", "MAPPED");
  trace.flush();
  expect(events.map((e) => [e.step, e.start, e.end, e.count])).toEqual([
    [1, 0, 8, 2],
    [3, 12, 16, 1],
    [4, 16, 20, 1],
  ]);
  expect(raw.map((e) => e.step)).toEqual([1, 2, 3, 4]);
});

it("folds the same with and without somebody on the raw stream", () => {
  const [quiet, loud]: [TraceEvent[], TraceEvent[]] = [[], []];
  for (const trace of [folded(quiet), folded(loud, [])]) {
    for (let unit = 0; unit < 5; unit++) trace.emit(unit, unit, "a", 0, "x", unit, unit + 1, "s");
    trace.emit(9, 9, "b", 0, "x", 5, 6, "s");
    trace.flush();
  }
  expect(loud).toEqual(quiet);
  expect(quiet.map((e) => e.count)).toEqual([5, 1]);
});

it("never folds effects that have no place", () => {
  const events: TraceEvent[] = [];
  const trace = folded(events);
  trace.emit(1, 1, "a", 0, "boot", 0, 0, "0");
  trace.emit(2, 2, "a", 0, "boot", 0, 0, "0");
  trace.flush();
  expect(events.length).toBe(2);
});
