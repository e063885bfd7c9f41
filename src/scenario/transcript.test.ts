import fc from "fast-check";
import { expect, it } from "vitest";
import { isPattern, stepsOf, type TranscriptItem } from "./fold.ts";
import { TranscriptFold, type TranscriptSection } from "./transcript.ts";
import type { TraceEvent } from "./world.ts";

let step = 0;
const event = (what: string, start: number | null, bytes: number, status = "SUCCESS"): TraceEvent => ({
  step: ++step,
  ns: step * 10,
  actor: "guest",
  vcpu: 0,
  what,
  start,
  end: start === null ? null : start + bytes,
  status,
  stateAfter: null,
});

const fold = (events: readonly TraceEvent[]): TranscriptSection => {
  const transcript = new TranscriptFold();
  transcript.begin(7);
  for (const one of events) transcript.add(one);
  return transcript.finish()[0]!;
};

/** Items as text: count, what, range; patterns in brackets. */
const text = (item: TranscriptItem): string =>
  isPattern(item)
    ? `${item.times}x[${item.items.map(text).join("; ")}]`
    : `${item.count} ${item.what} ${item.start}-${item.end}`;
const shown = (section: TranscriptSection): string[] => [...section.head, ...section.tail].map(text);

it("folds a run of equal deeds on adjoining ranges into one row", () => {
  expect(shown(fold([0, 1, 2, 3].map((i) => event("accept", i, 1))))).toEqual(["4 accept 0-4"]);
});

it("keeps deeds with another status apart", () => {
  const events = [event("accept", 0, 1), event("accept", 1, 1, "BUSY"), event("accept", 1, 1)];
  expect(shown(fold(events))).toEqual(["1 accept 0-1", "1 accept 1-2", "1 accept 1-2"]);
});

it("folds a pattern of rows from its third turn on", () => {
  const turn = (at: number) => [
    event("accept 2M", at, 512, "PAGE_SIZE_MISMATCH"),
    ...Array.from({ length: 512 }, (_, i) => event("accept 4K", at + i, 1)),
  ];
  const twice = [0, 512].flatMap(turn);
  expect(fold(twice).head).toHaveLength(4);
  const often = [0, 512, 1024, 1536, 2048].flatMap(turn);
  expect(shown(fold(often))).toEqual(["5x[1 accept 2M 0-2560; 512 accept 4K 0-2560]"]);
});

it("folds downward as well as upward", () => {
  expect(shown(fold([3, 2, 1].map((i) => event("unplug", i, 1))))).toEqual(["3 unplug 1-4"]);
  const pattern = [30, 20, 10].flatMap((at) => [event("a", at, 1), event("b", at, 1)]);
  expect(shown(fold(pattern))).toEqual(["3x[1 a 10-31; 1 b 10-31]"]);
});

it("folds patterns of patterns", () => {
  // What a host that adds 4 KiB pages makes of accepting 2 MiB units: each page faults, is added, is accepted.
  const page = (at: number) => [event("exit", at, 1, "TD_EXIT"), event("aug", at, 1), event("accept", at, 1)];
  const unit = (at: number) => [
    event("table", at, 8),
    ...Array.from({ length: 8 }, (_, i) => page(at + i)).flat(),
    event("done", at, 8),
  ];
  expect(shown(fold([0, 8, 16, 24, 32].flatMap(unit)))).toEqual([
    "5x[1 table 0-40; 8x[1 exit 0-40; 1 aug 0-40; 1 accept 0-40]; 1 done 0-40]",
  ]);
});

it("lets go of a pattern in the middle of a turn without losing deeds", () => {
  const turn = (at: number) => [event("a", at, 1), event("b", at, 1), event("c", at, 1)];
  const events = [...[0, 1, 2, 3].flatMap(turn), event("a", 4, 1), event("b", 4, 1), event("x", 4, 1)];
  expect(shown(fold(events))).toEqual(["4x[1 a 0-4; 1 b 0-4; 1 c 0-4]", "1 a 4-5", "1 b 4-5", "1 x 4-5"]);
});

it("does not fold a pattern that comes back to the middle of where it was", () => {
  const events = [10, 30, 20].flatMap((at) => [event("a", at, 1), event("b", at, 1)]);
  expect(shown(fold(events.slice(0, 4)))).toHaveLength(4);
  const back = [...events, event("a", 15, 1), event("b", 15, 1)];
  expect(fold(back).head.length).toBeGreaterThan(1);
});

it("counts what it does not keep", () => {
  const events = Array.from({ length: 5000 }, (_, i) => event(`deed ${i % 97}`, i * 4, 2));
  const { head, leftOut, tail } = fold(events);
  expect(head).toHaveLength(400);
  expect(tail.length).toBeLessThanOrEqual(200);
  expect(head.length + leftOut.rows + tail.length).toBe(5000);
  expect(leftOut.steps).toBe(leftOut.rows);
});

it("loses no step, whatever comes", () => {
  const deed = fc.record({
    what: fc.constantFrom("a", "b", "c"),
    start: fc.option(fc.nat(20), { nil: null }),
    status: fc.constantFrom("SUCCESS", "BUSY"),
    count: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 300 }), (deeds) => {
      const events = deeds.map(({ what, start, status, count }) => ({
        ...event(what, start, 1, status),
        count,
      }));
      const { head, leftOut, tail } = fold(events);
      const kept = [...head, ...tail].reduce((sum, item) => sum + stepsOf(item), 0);
      expect(kept + leftOut.steps).toBe(events.reduce((sum, { count }) => sum + count, 0));
    }),
  );
});

it("gives each step of the scenario its section, even an empty one", () => {
  const transcript = new TranscriptFold();
  transcript.begin(3);
  transcript.begin(4);
  transcript.add(event("a", 0, 1));
  expect(transcript.finish().map(({ line, head }) => [line, head.length])).toEqual([
    [3, 0],
    [4, 1],
  ]);
});
