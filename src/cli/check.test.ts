import fc from "fast-check";
import { expect, it } from "vitest";
import { readStory, StoryFileError } from "../check/story/story-file.ts";
import { main } from "./main.ts";
import { fakeSystem } from "./testing/fake-system.ts";

const LONG = { timeout: 600_000 };

it.each([
  [["check", "bitmap"], 'design: expected a design, found "bitmap"; did you mean `bitmaps`?'],
  [
    ["check", "tide", "--config", "replugs"],
    '--config: expected a standard configuration, found "replugs"; did you mean `replug`?',
  ],
  [
    ["check", "tide", "--rules", "I99"],
    '--rules: expected invariants such as I2,I11, found "I99"; docs/hazards.md lists them',
  ],
  [
    ["check", "tide", "--max-states", "0"],
    '--max-states: expected a whole number above 0, found "0"; see tidemark check --help',
  ],
])("%j is wrong input, and one line says why", async (args, line) => {
  const system = fakeSystem({});
  expect([await main(args, system), system.err()]).toEqual([2, `${line}\n`]);
});

it("a broken rule has a story that can be saved and replayed", LONG, async () => {
  const first = fakeSystem({});
  const args = ["check", "bitmaps", "--config", "grow-shrink", "--save", "story.json", "--itf", "a.itf"];
  expect([await main(args, first), first.err()]).toEqual([1, ""]);
  expect(first.out()).toMatch(/^configuration +states +depth +verdict\ngrow-shrink +\d+ +33 +broken: I15$/m);
  expect(first.out()).toContain("its plugged bit was set, and the VMM has not plugged it");
  const saved = first.files.get("story.json")!;
  expect(readStory("story.json", saved).path).toHaveLength(33);
  const second = fakeSystem({ "story.json": saved });
  expect(await main(["check", "--replay", "story.json", "--itf", "a.itf"], second)).toBe(1);
  expect(second.files.get("a.itf")).toBe(first.files.get("a.itf"));
  expect(first.out()).toContain(second.out());
});

/** A system whose clock runs, and in which a signal comes at the so many-th breath. */
const stopping = (breaths: number, terminal?: number) => {
  const system = fakeSystem({}, terminal === undefined ? {} : { terminal });
  let [count, now] = [0, 0];
  const breathe = async (): Promise<void> => {
    if (++count === breaths) system.signal(130);
  };
  return { ...system, breathe, clock: () => (now += 250) };
};
const LONG_CHECK = ["check", "tide", "--config", "grow-shrink,dimm", "--max-states", "100000000"];

it("Ctrl-C ends a check with the states that were met, which held so far", LONG, async () => {
  const system = stopping(4);
  expect([await main(LONG_CHECK, system), system.err()]).toEqual([130, ""]);
  expect(system.out()).toMatch(
    /\ngrow-shrink +[1-9]\d* +[1-9]\d* +held so far, stopped by you\nnot searched: dimm\n$/,
  );
});

it("a terminal sees how far a check is, and nothing of it stays", LONG, async () => {
  const system = stopping(6, 120);
  await main(LONG_CHECK, system);
  expect(system.err()).toMatch(
    /grow-shrink: [\d ]+ states, [\d ]+\/s, depth \d+, [\d ]+ to expand, \d+ MiB, collision \de-\d+/,
  );
  expect(system.err().endsWith("\r\u001b[K")).toBe(true);
});

it("what is no saved story is refused, whatever it is", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(() => readStory("story.json", text)).toThrow(StoryFileError);
    }),
  );
});
