import { expect, it } from "vitest";
import { DESIGN_NAMES } from "../../designs/designs.ts";
import { FIX_NAMES } from "../../linux/variant.ts";
import type { MachineConfiguration } from "../machine/configurations/configuration.ts";
import { hazardsOf } from "../machine/configurations/hazards.ts";
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

it("a story of each hazard's rules is read as it was saved", () => {
  for (const { rules = [] } of DESIGN_NAMES.flatMap(hazardsOf)) {
    const text = storyFile({ ...configuration, rules }, story);
    expect(readStory("s", text).configuration.rules).toEqual(rules);
  }
});

const saved = JSON.parse(storyFile(configuration, { ...story, path: [0, 1] }));
const { device } = configuration;
const machine = (other: object) => ({ configuration: { ...saved.configuration, ...other } });
const resize = (to: number) => [{ by: "operator", deeds: [{ do: "resize", to }], when: "any time" }];

it.each([
  [{ format: "tidemark-story-0" }, 'format: expected "tidemark-story-1", found "tidemark-story-0"'],
  [{ path: [0, -1] }, "path.1: expected at least 0, found -1"],
  [{ path: [2 ** 32] }, "path.0: expected at most 65535, found 4294967296"],
  [{ path: [null] }, "path.0: expected a number, found an empty value"],
  [{ roundFrom: 2 }, "roundFrom: expected less than the 2 steps of the path, found 2"],
  [{ more: 1 }, "expected no more, found a map with format, violation, atRest, path"],
  [machine({ vcpus: 9 }), "configuration.vcpus: expected at most 8, found 9"],
  [machine({ staticUnits: 0 }), "configuration.staticUnits: expected at least 1, found 0"],
  [machine({ blockUnits: 3 }), "configuration.blockUnits: expected one of 2, 4, 64, found 3"],
  [
    machine({ design: "tides" }),
    'configuration.design: expected one of "none", "notifier", "notifier-strict", "callbacks", "window", "bitmaps", "shared", "snp-hotplug" or others, found "tides"',
  ],
  [
    machine({ rules: ["I2", "I99"] }),
    'configuration.rules.1: expected one of "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8" or others, found "I99"',
  ],
  [
    machine({ revert: ["X1"] }),
    'configuration.revert.0: expected one of "B1", "B2", "B3", "B4", "B5", "B6", "B8", "B9" or others, found "X1"',
  ],
  [
    machine({ name: "\u001b[2J" }),
    'configuration.name: expected 1 to 64 printable ASCII characters, found "\\u001b[2J"',
  ],
  [
    machine({ fault: { call: "TDG.MEM.PAGE.RELEASE", answer: "MAYBE" } }),
    'configuration.fault.answer: expected an answer of TDG.MEM.PAGE.RELEASE, found "MAYBE"',
  ],
  [
    machine({ programs: resize(device.units + 1) }),
    `configuration.programs.0.deeds.0: expected at most the device's ${device.units} units, found ${device.units + 1}`,
  ],
  [
    machine({ vcpus: 2, programs: [{ by: { user: 2 }, deeds: [], when: "any time" }] }),
    "configuration.programs.0.by: expected a user of one of 2 vCPUs, counted from 0, found 2",
  ],
])("what a story cannot say is refused with one line (%#)", (other, line) => {
  const read = () => readStory("s", JSON.stringify({ ...saved, ...other }));
  expect(read).toThrow(StoryFileError);
  expect(read).toThrow(`s: ${line}; save it anew with tidemark check --save`);
});
