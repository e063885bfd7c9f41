import { expect, it } from "vitest";
import { main } from "../main.ts";
import { fakeSystem } from "../testing/fake-system.ts";

const LONG = { timeout: 600_000 };

it.each([
  [["campaign", "tides"], 'design: expected a design, found "tides"; did you mean `tide`?'],
  [
    ["campaign", "tide", "--seeds", "9..1"],
    '--seeds: expected a range such as 1..10000, found "9..1"; see tidemark campaign --help',
  ],
  [
    ["campaign", "tide", "--walks", "0"],
    '--walks: expected a whole number from 1 to 1000000, found "0"; see tidemark campaign --help',
  ],
  [
    ["campaign", "tide", "--rules", "I99"],
    '--rules: expected invariants such as I2,I11, found "I99"; docs/hazards.md lists them',
  ],
])("%j is wrong input, and one line says why", async (args, line) => {
  const system = fakeSystem({});
  expect([await main(args, system), system.err()]).toEqual([2, `${line}\n`]);
});

it("says how many walks held", LONG, async () => {
  const system = fakeSystem({});
  const args = ["campaign", "tide", "--seeds", "4..5", "--walks", "2", "--steps", "200"];
  expect([await main(args, system), system.err()]).toEqual([0, ""]);
  expect(system.out()).toMatch(
    /^tide: 2 seeds, 4 walks, [\d ]+ steps, \d walks came to rest\nheld in every walk\n$/,
  );
});

it("saves the story of what broke, which check plays again", LONG, async () => {
  const first = fakeSystem({});
  const args = ["campaign", "none", "--rules", "I1", "--walks", "2", "--no-shrink", "--save", "s.json"];
  expect([await main(args, first), first.err()]).toEqual([1, ""]);
  const saved = first.files.get("s.json")!;
  const second = fakeSystem({ "s.json": saved });
  expect(await main(["check", "--replay", "s.json"], second)).toBe(1);
});
