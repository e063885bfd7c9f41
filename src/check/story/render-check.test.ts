import { expect, it } from "vitest";
import type { CheckedMachine } from "../machine/check-machine.ts";
import { SMALLEST } from "../machine/configurations/standard-configurations.ts";
import {
  renderHazards,
  renderLive,
  renderMermaid,
  renderReductions,
  renderStory,
  renderTable,
} from "./render-check.ts";
import type { Story, StoryRow } from "./story.ts";

const configuration = { ...SMALLEST, name: "small", design: "tide" };
const row = (step: number, steps: number, actor: string, what: string, ...effects: string[]): StoryRow => ({
  ...{ step, steps, actor, what, effects, shown: [] },
});
const ACCEPT = "TDG.MEM.PAGE.ACCEPT 2M 0x100400000-0x1005fffff SUCCESS, now MAPPED";
const STORY: Story = {
  configuration,
  path: [0, 0, 1, 1],
  atRest: false,
  broken: true,
  violation: "I2: nothing is accepted that the VMM has not plugged",
  why: "0x100400000-0x1005fffff: it was accepted; the VMM has not plugged it #1",
  rows: [row(1, 1, "operator", "resize vm0 to 2M"), row(4, 3, "virtio-mem vm0", "accept_page:page", ACCEPT)],
};

it("a story is as wide as a mail: what a row shows stands below where it does not fit beside it", () => {
  expect(
    renderStory("small", STORY),
  ).toBe(`small: 4 steps to I2: nothing is accepted that the VMM has not plugged
  lane 1: operator
  lane 2: virtio-mem vm0
   1  * .  operator        resize vm0 to 2M
   4  . *  virtio-mem vm0  accept_page:page (3 steps)
        ${ACCEPT}
  0x100400000-0x1005fffff: it was accepted; the VMM has not plugged it #1
`);
  const wide = renderStory("small", STORY, false, 200).split("\n");
  expect(wide[0]).toMatch(/ plugged \(there may be a shorter story\)$/);
  expect(wide[4]).toBe(`   4  . *  virtio-mem vm0  accept_page:page (3 steps)  ${ACCEPT}`);
});

it.each([72, 80])("no line of a story is longer than %i columns", (width) => {
  const violation = `I2: ${"nothing is accepted that the VMM has not plugged ".repeat(3)}`;
  const lines = renderStory("small", { ...STORY, violation, why: violation }, false, width).split("\n");
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(width);
});

it("a story counts the steps that were taken, in the singular where it is one", () => {
  const [first] = STORY.rows;
  const told = (story: Partial<Story>) => renderStory("small", { ...STORY, ...story }).split("\n")[0];
  expect(told({ rows: [first!] })).toMatch(/^small: 1 step to I2: /);
  expect(told({ broken: false, violation: "nothing that is wrong" })).toBe(
    "small: 4 steps, and nothing is wrong",
  );
});

it("a diagram has a note for each row, and over all lanes what is broken and why", () => {
  expect(renderMermaid(STORY)).toBe(`sequenceDiagram
  participant a0 as operator
  participant a1 as virtio-mem vm0
  Note over a0: resize vm0 to 2M
  Note over a1: ${ACCEPT}
  Note over a0,a1: ${STORY.violation}<br/>0x100400000-0x1005fffff: it was accepted, the VMM has not plugged it 1
`);
});

it("the diagram of a machine that is wrong from the first has a lane of its own", () => {
  expect(renderMermaid({ ...STORY, rows: [], why: "" })).toBe(
    `sequenceDiagram\n  participant a0 as machine\n  Note over a0: ${STORY.violation}\n`,
  );
});

const CHECKED: CheckedMachine = {
  configuration,
  verdict: "partial",
  ...{ end: "states", states: 1234, transitions: 2, depth: 3, bytes: 0, omission: 0, broken: [], seen: [] },
  ...{ story: null, shortest: true, reductions: { symmetry: true, partialOrder: true } },
};

it.each([
  ["states", "ended by --max-states"],
  ["memory", "ended by --max-memory"],
  ["depth", "ended by --max-depth"],
  ["interrupted", "stopped by you"],
])("a search that %s ended names the option that takes it further", (end, told) => {
  const one = { ...CHECKED, end, ms: 100 };
  expect(renderTable([one])).toMatch(new RegExp(`small +1 234 +3 +0\\.1 s +held so far, ${told}\\n`));
});

it("a look at what ends that was stopped does not say that there were too many states", () => {
  const live = {
    configuration,
    verdict: "partial",
    states: 5,
    steps: 7,
    waits: 0,
    broken: [],
    story: null,
  } as const;
  const told = (end: "states" | "interrupted") => renderLive([{ ...live, end, ms: 0 }]);
  expect(told("interrupted")).toMatch(/ not known, stopped by you\n$/);
  expect(told("states")).toMatch(/ not known, ended by --max-states\n$/);
});

it("the reductions of what broke are told where they are others", () => {
  const asked = CHECKED.reductions;
  const broken: CheckedMachine = {
    ...CHECKED,
    verdict: "broken",
    reductions: { ...asked, partialOrder: false },
  };
  expect(renderReductions(asked, [CHECKED])).toBe("reductions: symmetry, partial order\n");
  expect(renderReductions(asked, [CHECKED, broken])).toBe(
    "reductions: symmetry, partial order; where something broke: symmetry\n",
  );
});

it("a hazard of one step is told in the singular", () => {
  const checked: CheckedMachine = {
    ...CHECKED,
    verdict: "broken",
    broken: ["I2"],
    story: { ...STORY, path: [0] },
  };
  const hazard = { id: "X1", says: "a hazard" };
  expect(renderHazards([{ hazard, checked }])).toContain("| X1 | a hazard | small | 1 234 | I2 in 1 step |");
});
