import { expect, it } from "vitest";
import { checkMachine } from "../check-machine.ts";
import type { MachineConfiguration } from "./configuration.ts";
import { SMALLEST, standardConfiguration } from "./standard-configurations.ts";

const LONG = { timeout: 600_000 };

const standard = (name: string, design: string, rules: readonly string[] = []): MachineConfiguration => ({
  ...standardConfiguration(name, design)!,
  rules,
});

it("a panic is found, though nothing of its step goes on", LONG, async () => {
  const { broken, story } = await checkMachine(standard("snp-dimm", "bitmaps"));
  expect([broken, story?.why]).toEqual([
    ["panic"],
    "Kernel panic - not syncing: Cannot unaccept memory: unknown platform",
  ]);
});

it(
  "a unit that a release passed over ends with its bit clear and unplugged under bitmaps: hazard H14",
  LONG,
  async () => {
    const { broken } = await checkMachine(standard("accept-below-offline-no-release", "bitmaps", ["I8"]));
    expect(broken).toEqual(["I8"]);
  },
);

const HELD = [
  ...["dimm-refused", "snp-dimm", "kexec-dimm", "kexec-dimm-as-ram", "convert-refused"],
  ...["accept-below-offline", "accept-below-offline-no-release"],
  ...["two-dimms", "two-dimms-leave"],
  ...["outside-table", "table-end", "outside-table-dimm", "kexec-odd-region"],
];

it.each(HELD)("tide holds every rule in every state of %s", LONG, async (name) => {
  const { verdict, broken } = await checkMachine(standard(name, "tide"));
  expect([verdict, broken]).toEqual(["held", []]);
});

it("what the drivers of a kernel that was started by another do is searched", LONG, async () => {
  const { story } = await checkMachine(standard("kexec-no-release", "bitmaps"));
  // UNPLUG_ALL comes first, and with it what bitmaps takes for a release.
  expect(story?.rows[0]).toMatchObject({ actor: "virtio-mem vm0", what: "unaccept_memory:released" });
});

it("a rule that a jump into another kernel breaks is broken before the first step", LONG, async () => {
  const { broken, story } = await checkMachine({
    ...{ ...SMALLEST, name: "shared at the jump", design: "tide", pageRelease: false },
    revert: ["B17"],
    before: [
      { do: "allocate", units: 1, as: "ring", pinned: true },
      { do: "share", as: "ring" },
      { do: "kexec" },
    ],
  });
  expect([broken, story?.path]).toEqual([["I40"], []]);
});

it("an add that fails leaves the guard of its memmap accepted under bitmaps: hazard H4", LONG, async () => {
  const { broken } = await checkMachine(standard("dimm-memmap-fails-no-release", "bitmaps", ["I8"]));
  expect(broken).toEqual(["I8"]);
});
