import { expect, it } from "vitest";
import { checkMachine } from "../check-machine.ts";
import type { Deed, MachineConfiguration } from "../configurations/configuration.ts";
import { standardConfiguration } from "../configurations/standard-configurations.ts";
import { PROGRESS } from "../progress.ts";
import { shrinkStory } from "./shrink-machine.ts";

const LONG = { timeout: 900_000 };

const deedsOf = ({ programs }: MachineConfiguration): readonly Deed[] =>
  programs.flatMap(({ deeds }) => deeds);

it("a run that goes round for ever is shrunk to a shorter one that does", LONG, async () => {
  const kexec = standardConfiguration("kexec", "callbacks")!;
  const { story } = await checkMachine({ ...kexec, rules: [PROGRESS] });
  const shrunk = await shrinkStory(story!, { shortest: false });
  expect([shrunk.broken, shrunk.violation]).toEqual([true, story!.violation]);
  const { path, roundFrom, configuration, rows } = shrunk;
  expect([story!.path.length, path.length, roundFrom]).toEqual([72, 31, 15]);
  // UNPLUG_ALL is answered BUSY, and the timer has it asked for again: nobody has to do anything.
  const busy = rows.filter(({ effects }) => effects.some((effect) => effect.includes("UNPLUG_ALL BUSY")));
  expect(busy.map(({ step }) => step)).toEqual([11, 27]);
  expect([configuration.vcpus, deedsOf(configuration).length]).toEqual([1, 1]);
  expect((await shrinkStory(shrunk, { shortest: false })).path).toEqual(path);
});

it("an end that is not what was asked for is shrunk to the deeds that it takes", LONG, async () => {
  const person = (...deeds: Deed[]) => ({ by: "operator", when: "at rest", deeds }) as const;
  const { story } = await checkMachine({
    ...standardConfiguration("dimm", "tide")!,
    // The last wish of the list is for no DIMM, and the first person plugs it after that.
    programs: [person({ do: "unplug" }, { do: "plug" }), person({ do: "unplug" })],
  });
  const shrunk = await shrinkStory(story!, { shortest: false });
  expect([shrunk.broken, shrunk.violation]).toEqual([true, story!.violation]);
  const { vcpus, programs } = shrunk.configuration;
  expect([vcpus, programs.map(({ deeds }) => deeds)]).toEqual([1, [[{ do: "plug" }], [{ do: "unplug" }]]]);
  expect(shrunk.why).toBe("dimm0 is still there");
  expect(shrunk.path.length).toBeLessThan(story!.path.length);
});
