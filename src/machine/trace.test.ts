import { expect, it } from "vitest";
import { Trace, type TraceEvent } from "./trace.ts";

it("every effect is told, equal ones and those that have no place too", () => {
  const events: TraceEvent[] = [];
  const trace = new Trace();
  trace.raw = (event) => events.push({ ...event });
  trace.emit(1, 10, "vcpu0", 0, "ACCEPT", 0, 4, "SUCCESS", "MAPPED");
  trace.emit(2, 20, "vcpu0", 0, "ACCEPT", 4, 8, "SUCCESS", "MAPPED");
  trace.emit(2, 20, "firmware", -1, "boot", 0, 0, "0");
  const accept = { actor: "vcpu0", vcpu: 0, what: "ACCEPT", status: "SUCCESS", after: "MAPPED" };
  expect(events).toEqual([
    { step: 1, ns: 10, ...accept, start: 0, end: 4 },
    { step: 2, ns: 20, ...accept, start: 4, end: 8 },
    { step: 2, ns: 20, actor: "firmware", vcpu: -1, what: "boot", start: 0, end: 0, status: "0", after: "" },
  ]);
});

it("a muted trace tells nothing", () => {
  const steps: number[] = [];
  const trace = new Trace();
  trace.raw = ({ step }) => steps.push(step);
  trace.emit(1, 1, "a", 0, "x", 0, 1, "s");
  trace.muted = true;
  expect(trace.on).toBe(false);
  trace.emit(2, 2, "a", 0, "x", 0, 1, "s");
  trace.muted = false;
  trace.emit(3, 3, "a", 0, "x", 0, 1, "s");
  expect(steps).toEqual([1, 3]);
});

it("a trace that nobody listens to is off", () => {
  const trace = new Trace();
  trace.emit(1, 1, "a", 0, "x", 0, 1, "s");
  expect(trace.on).toBe(false);
});
