import { expect, it } from "vitest";
import { AssertionError } from "../../assert.ts";
import { checkMachine } from "../machine/check-machine.ts";
import { standardConfiguration } from "../machine/configurations/standard-configurations.ts";
import { FootprintError } from "../machine/reductions/untouched.ts";
import { MachineSystem } from "../machine/system.ts";
import { numberOf } from "../machine/violations.ts";
import { DISABLED, TAKEN } from "../system.ts";
import { renderMermaid, renderStory } from "./render-check.ts";
import { confirmedStory, storyOf } from "./story.ts";

const LONG = { timeout: 600_000 };
const configuration = standardConfiguration("grow-shrink", "bitmaps")!;
const { story } = await checkMachine(configuration, { limits: {} });
const { path } = story!;
const system = new MachineSystem(configuration);
const I15 = numberOf("I15");

it("a story breaks its rule at its last step, in a machine of its own", LONG, () => {
  const again = confirmedStory(system, { path, atRest: false, violation: I15 });
  expect([again, again.broken, again.rows.at(-1)!.step]).toEqual([story, true, path.length]);
});

it.each([
  ["that leaves no wrong state", path.slice(0, -1), I15],
  ["that breaks another rule", path, numberOf("I2")],
  ["that breaks its rule before its end", [...path, 0], I15],
])("a story %s is a mistake of the search", LONG, (_what, steps, violation) => {
  expect(() => confirmedStory(system, { path: steps, atRest: false, violation })).toThrow(AssertionError);
});

it("a story of states that were saved in part asks for another search", LONG, () => {
  const { knowledge } = system;
  // Nothing but one word of each memory is known to change.
  const places = knowledge.places.map((known) => known.slice(0, 1));
  const forgetful = new MachineSystem(configuration, { ...knowledge, places });
  const found = { path, atRest: false, violation: I15 };
  expect(() => confirmedStory(forgetful, found)).toThrow(FootprintError);
});

it("a path with a choice that there is not is no story of this program", LONG, () => {
  expect(() => storyOf(system, { path: [...path.slice(0, 5), 7, ...path.slice(6)], atRest: false })).toThrow(
    /^step 6 of the story: expected a choice below [1-6], found 7; another version of the program saved it/,
  );
});

it("a machine that dies as it boots is broken before the first step, and said so", LONG, async () => {
  const died = await checkMachine(standardConfiguration("dimm", "uhp")!, { limits: {} });
  expect(died).toMatchObject({ verdict: "broken", broken: ["I2"], states: 1 });
  expect(died.story!.path).toEqual([]);
  expect(renderStory("dimm", died.story!)).toBe(
    [
      "dimm: 0 steps to I2: nothing is accepted that the VMM has not plugged",
      "  before the first step: the machine boots",
      "  0x100400000-0x1005fffff: accepted, and the VMM has not plugged it",
      "",
    ].join("\n"),
  );
  expect(renderMermaid(died.story!)).toContain("participant a0 as machine");
});

it("a path whose last step blocks comes to nothing that is wrong", LONG, () => {
  system.reset();
  const state = new Uint8Array(system.stateBytes);
  const steps: number[] = [];
  for (let blocks = false; !blocks; ) {
    const length = system.save(state, 0);
    const results = Array.from({ length: system.choices() }, (_, choice) => {
      system.restore(state, 0, length);
      system.choices();
      return system.choose(choice);
    });
    blocks = results.includes(DISABLED);
    steps.push(results.lastIndexOf(blocks ? DISABLED : TAKEN));
    system.restore(state, 0, length);
    system.choices();
    system.choose(steps.at(-1)!);
  }
  const { broken, violation } = storyOf(system, { path: steps, atRest: false });
  expect([broken, violation]).toEqual([false, "nothing that is wrong"]);
});
