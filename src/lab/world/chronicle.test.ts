import { expect, it } from "vitest";
import type { TraceEvent } from "../../scenario/world.ts";
import type { LabViolation } from "../enforce/violation.ts";
import { Chronicle } from "./chronicle.ts";

const TOUCHED: LabViolation = {
  invariant: "I1",
  range: { start: 0x1000, end: 0x2000 },
  why: "touched by clear_page+0x1",
  place: { rip: 1n, symbol: "clear_page+0x1", backtrace: ["a+0x2", "b+0x3"] },
  vcpu: 1,
  septState: "PENDING",
  plugged: true,
};

const machineEvent = (step: number) => ({
  ...{ step, ns: 1, actor: "vmm", vcpu: -1, what: "TDH.MEM.TRACK", start: 0, end: 0 },
  ...{ status: "SUCCESS", after: "", count: 1 },
});

const chronicle = () => {
  const events: TraceEvent[] = [];
  const told = new Chronicle(() => 77);
  told.listener = (event) => void events.push(event);
  return { told, events };
};

it("a violation is a step of its own, told once, with its callers", () => {
  const { told, events } = chronicle();
  told.hear(machineEvent(1));
  told.tell([TOUCHED]);
  told.tell([TOUCHED]);
  const { range } = TOUCHED;
  expect(told.violations).toEqual([
    { invariant: "I1", step: 2, range, why: "touched by clear_page+0x1 (a+0x2 < b+0x3)" },
  ]);
  expect(events[1]).toEqual({
    ...{ step: 2, ns: 77, actor: "vcpu1", vcpu: 1, what: "access", start: 0x1000, end: 0x2000 },
    ...{ status: "EPT_VIOLATION", stateAfter: "PENDING" },
  });
});

it("a fault is known by the machine's number of its step, or of one before, as that of a device is", () => {
  const { told } = chronicle();
  told.hear(machineEvent(40));
  told.hear({ ...machineEvent(41), actor: "fault", what: "TDG.MEM.PAGE.ACCEPT" });
  told.hear({ ...machineEvent(50), actor: "fault", what: "virtio-mem PLUG" });
  expect([41, 40, 42, 51, 0].map((step) => told.stepOf(step))).toEqual([2, 2, 3, 0, 0]);
});

it("steps go on over guests whose own numbers begin again, and a call belongs to the vCPU that made it", () => {
  const { told, events } = chronicle();
  told.hear(machineEvent(5));
  told.hear({ ...machineEvent(1), what: "TDG.VP.INFO", vcpu: 3 });
  expect(events.map(({ step, actor, vcpu, start }) => [step, actor, vcpu, start])).toEqual([
    [1, "vmm", null, null],
    [2, "vcpu3", 3, null],
  ]);
});
