import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Vigil } from "./vigil.ts";

const SILENCE = 10_000;
let owed: string | undefined;
let signs = 0;
let silences: string[] = [];
const vigil = new Vigil(
  { owed: () => owed, signs: () => String(signs), onSilence: (what) => silences.push(what) },
  SILENCE,
);

beforeEach(() => {
  vi.useFakeTimers();
  [owed, signs, silences] = [undefined, 0, []];
  vigil.start();
});

afterEach(() => {
  vigil.stop();
  vi.useRealTimers();
});

it("a guest that owes nothing may be silent for ever", () => {
  vi.advanceTimersByTime(100 * SILENCE);
  expect(silences).toEqual([]);
});

it("a guest that owes an answer and is not seen to do anything hangs, and that is told once", () => {
  owed = "ping";
  // The first look finds what is owed; the silence is counted from there.
  vi.advanceTimersByTime(SILENCE);
  expect(silences).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(silences).toEqual(["ping"]);
  vi.advanceTimersByTime(100 * SILENCE);
  expect(silences).toEqual(["ping"]);
});

it("any sign of life, an answer, and another question begin the count anew", () => {
  owed = "ping";
  for (let n = 0; n < 50; n++) {
    vi.advanceTimersByTime(SILENCE - 1000);
    if (n % 3 === 0) signs++;
    else if (n % 3 === 1) owed = `ping ${n}`;
    else {
      owed = undefined;
      vi.advanceTimersByTime(1000);
      owed = "ping";
    }
  }
  expect(silences).toEqual([]);
});
