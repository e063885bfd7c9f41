import { expect, it } from "vitest";
import { checkMachine } from "../check-machine.ts";
import { HAZARDS, type Hazard, hazardsOf } from "./hazards.ts";
import { standardConfiguration } from "./standard-configurations.ts";

/** What breaks where a hazard is searched for; nothing: it is absent. */
const found = async ({ config = "", rules = [] }: Hazard, design: string): Promise<string> => {
  const { verdict, broken } = await checkMachine({ ...standardConfiguration(config, design)!, rules });
  return verdict === "held" ? "absent" : broken.join();
};

it.each(["bitmaps", "callbacks", "notifier"])(
  "each limit of %s has a configuration, or a reason",
  (design) => {
    for (const { id, config, rules, why } of hazardsOf(design))
      expect([id, config !== undefined && rules !== undefined, why !== undefined]).toEqual([
        id,
        why === undefined,
        config === undefined,
      ]);
  },
);

it("each configuration that a limit names is there", () => {
  for (const { config } of [...HAZARDS, ...hazardsOf("callbacks"), ...hazardsOf("notifier")])
    if (config !== undefined) expect(standardConfiguration(config, "tide")?.name).toBe(config);
});

it.each([
  ["callbacks", "C1", "I34"],
  ["callbacks", "C2", "I3"],
  ["callbacks", "C3", "I3"],
  ["callbacks", "C4", "I1"],
  ["callbacks", "C5", "I10"],
  ["callbacks", "C6", "absent"],
  ["callbacks", "C7", "absent"],
  ["callbacks", "C8", "absent"],
  ["notifier", "N1", "I2"],
  ["notifier", "N2", "killed"],
  ["notifier", "N3", "I3"],
  ["notifier", "N5", "I3"],
  ["notifier", "N6", "I10"],
  ["notifier", "N7", "I32"],
  ["notifier", "N8", "I21"],
  ["notifier", "N9", "I3"],
  ["bitmaps", "H6", "absent"],
  ["bitmaps", "H6b", "I8"],
  ["bitmaps", "H7", "I32"],
  ["bitmaps", "H8", "busy"],
  ["bitmaps", "H9", "accept first"],
  ["bitmaps", "H10", "I15"],
  ["bitmaps", "H11", "spinlock"],
  ["bitmaps", "H13", "I3"],
  ["bitmaps", "H14", "I32"],
  ["bitmaps", "H15", "I2"],
  ["bitmaps", "H16", "absent"],
  ["bitmaps", "H17", "absent"],
])("%s: limit %s comes to %s", { timeout: 600_000 }, async (design, id, expected) => {
  const limit = hazardsOf(design).find((one) => one.id === id)!;
  expect(await found(limit, design)).toBe(expected);
});

it.each([
  ["bitmaps", "K1", "absent"],
  ["bitmaps", "K2", "absent"],
  ["bitmaps", "K3", "crash"],
  ["tide", "K1", "absent"],
  ["tide", "K2", "absent"],
  ["tide", "K3", "crash"],
  ["callbacks", "K2", "kexec"],
])(
  "%s: another kernel started amid something, %s, comes to %s",
  { timeout: 600_000 },
  async (design, id, expected) => {
    const limit = hazardsOf(design).find((one) => one.id === id)!;
    expect(await found(limit, design)).toBe(expected);
  },
);

it.each([
  ["H8", "odd-half"],
  ["H11", "grow-shrink"],
])("tide does not show %s in %s", { timeout: 600_000 }, async (id, config) => {
  const limit = hazardsOf("tide").find((one) => one.id === id)!;
  expect(await found({ ...limit, config }, "tide")).toBe("absent");
});
