import { expect, it } from "vitest";
import { FIX_NAMES } from "../../linux/variant.ts";
import type { MachineConfiguration } from "../machine/configurations/configuration.ts";
import { SMALLEST } from "../machine/configurations/standard-configurations.ts";
import { readStory, StoryFileError, storyFile } from "./story-file.ts";

const configuration: MachineConfiguration = {
  ...{ ...SMALLEST, name: "shared at the jump", design: "tide", pageRelease: false },
  revert: FIX_NAMES,
  before: [
    { do: "allocate", units: 1, as: "ring", pinned: true },
    { do: "share", as: "ring" },
    { do: "kexec" },
  ],
};
const story = { configuration, path: [], atRest: false, violation: "", why: "", broken: true, rows: [] };

it("a story of a kernel that lacks fixes is read as it was saved", () => {
  const text = storyFile(configuration, story);
  expect(readStory("s", text)).toMatchObject({ configuration, path: [], atRest: false });
});

it("where a story begins to go round is read as it was saved", () => {
  const text = storyFile(configuration, { ...story, path: [0, 1], roundFrom: 1 });
  expect(readStory("s", text)).toMatchObject({ path: [0, 1], roundFrom: 1 });
});

it("a fix that there is not is refused with one line", () => {
  const text = storyFile(configuration, story).replace('"revert":["', '"revert":["X');
  expect(() => readStory("s", text)).toThrow(StoryFileError);
  expect(() => readStory("s", text)).toThrow(/^s: configuration\.revert\.0: expected a story saved by/);
});
