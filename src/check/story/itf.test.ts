import { expect, it } from "vitest";
import { SMALLEST } from "../machine/configurations/standard-configurations.ts";
import { storyItf } from "./itf.ts";
import type { Story } from "./story.ts";

const row = (step: number, actor: string, what: string, place = "", after = "") => ({
  step,
  steps: 1,
  actor,
  what,
  effects: place === "" ? [] : [`call ${place} SUCCESS`],
  shown: place === "" ? [] : [{ place, after }],
});

const STORY: Story = {
  configuration: { ...SMALLEST, name: "small", design: "tide" },
  path: [0, 1, 0],
  atRest: false,
  broken: true,
  violation: "I2: a rule",
  why: "a term",
  rows: [
    row(1, "operator", "resize vm0 to 2M"),
    row(2, "vmm", "plug", "0x1000-0x1fff", "plugged"),
    row(4, "virtio-mem", "accept", "0x1000-0x1fff", "MAPPED"),
  ],
};

it("a trace has the initial state and one a row, memory as far as the story shows it, and the rule in the end", () => {
  const { vars, states } = JSON.parse(storyItf("small", STORY));
  const [step, actor, action] = [{ "#bigint": "4" }, "virtio-mem", "accept"];
  expect(states.map(({ memory }: { memory: unknown }) => memory)).toEqual([
    { "#map": [] },
    { "#map": [] },
    { "#map": [["0x1000-0x1fff", "plugged"]] },
    { "#map": [["0x1000-0x1fff", "MAPPED"]] },
  ]);
  expect(states.at(-1)).toMatchObject({
    "#meta": { index: 3 },
    step,
    actor,
    action,
    violation: "I2: a rule",
  });
  expect(states[2].violation).toBe("");
  for (const state of states) expect(Object.keys(state).sort()).toEqual(["#meta", ...vars].sort());
});

it("a story that goes round says to which state the last one comes back", () => {
  const loopOf = (story: Story) => JSON.parse(storyItf("small", story)).loop;
  expect([undefined, 0, 1, 2].map((roundFrom) => loopOf({ ...STORY, roundFrom }))).toEqual([
    undefined,
    0,
    1,
    2,
  ]);
});

it("a story that leaves nothing wrong has no violation in its trace", () => {
  const { "#meta": meta, states } = JSON.parse(storyItf("small", { ...STORY, broken: false }));
  expect([meta.format, meta.status, states.at(-1).violation]).toEqual(["ITF", "ok", ""]);
});
