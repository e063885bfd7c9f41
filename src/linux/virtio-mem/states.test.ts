import { expect, it } from "vitest";
import {
  BBM,
  BBM_EVENTS,
  BBM_STATES,
  bbmNext,
  REFUSED,
  SBM,
  SBM_EVENTS,
  SBM_STATES,
  sbmNext,
} from "./states.ts";

const table = <E extends string>(
  events: readonly E[],
  states: readonly string[],
  next: (event: E) => Uint8Array,
): string[] =>
  events.map((event) => {
    const row = [...next(event)].map((after) => (after === REFUSED ? "." : String(after)));
    expect(row).toHaveLength(states.length);
    return `${row.join("")} ${event}`;
  });

it("moves a memory block in sub-block mode as the driver does, every state and event", () => {
  // One column a state before, in the order of their numbers; a dot: it cannot happen.
  expect(table(SBM_EVENTS, SBM_STATES, sbmNext)).toEqual([
    "2....... plugged in full, to be added",
    "3....... plugged in part, to be added",
    "..00.... add failed, unplugged",
    "..11.... add failed, not unplugged",
    ".0...... leftover unplugged",
    "..45.... online to a kernel zone",
    "..67.... online to MOVABLE",
    "....2323 offline",
    "...2.4.6 last sub-block plugged",
    "..335577 sub-block unplugged",
    "...0.... removed",
  ]);
});

it("moves a big block as the driver does, every state and event", () => {
  expect(table(BBM_EVENTS, BBM_STATES, bbmNext)).toEqual([
    "2... plugged, to be added",
    "..0. add failed, unplugged",
    "..1. add failed, not unplugged",
    ".0.. leftover unplugged",
    "..3. unplug begins",
    "...2 unplug given up",
    "...0 unplugged",
    "...1 removed, not unplugged",
  ]);
});

it("numbers a partial state one above the full one, and PLUGGED alike in both modes", () => {
  expect(SBM_STATES.map((name) => SBM[name])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([SBM.OFFLINE_PARTIAL - SBM.OFFLINE, SBM.KERNEL_PARTIAL - SBM.KERNEL]).toEqual([1, 1]);
  expect(SBM.MOVABLE_PARTIAL - SBM.MOVABLE).toBe(1);
  expect([BBM.PLUGGED, BBM.UNUSED]).toEqual([SBM.PLUGGED, SBM.UNUSED]);
});
