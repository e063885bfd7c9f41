import { expect, it } from "vitest";
import { BreadthFirst } from "../../breadth-first.ts";
import { CONFIGURATION_NAMES, standardConfiguration } from "../configurations/standard-configurations.ts";
import { searchMachine } from "../search-machine.ts";
import type { MachineSystem } from "../system.ts";
import { violationId } from "../violations.ts";
import { ALL_REDUCTIONS, FEWEST_STATES, NO_REDUCTIONS, type Reductions } from "./reductions.ts";

const LONG = { timeout: 1_800_000 };

/** Every state, also behind those that break something: what breaks, and the keys of all states of rest. */
const explored = (system: MachineSystem, reductions: Reductions) => {
  const rests = new Set<string>();
  const key = new Uint8Array(system.keyBytes);
  const looked: MachineSystem = Object.create(system);
  looked.atRest = () => {
    rests.add(key.subarray(0, system.key(key, 0)).join());
    return system.atRest();
  };
  system.reduce(reductions);
  const search = new BreadthFirst(looked, { after: "prune" });
  search.begin();
  const { end, states, violations, resting } = search.run();
  const broken = violations.map(({ violation }) => violationId(violation)).sort();
  return { states, told: { end, broken, resting, rests } };
};

const SMALL = [
  ...["grow-shrink", "sub-blocks", "two-blocks", "plug-busy", "unplugged-kills", "read-across"],
  ...["dimm", "one-vcpu", "moved-or-freed", "accepts-meet", "accept-beside-unplug", "snp-dimm"],
  "accept-below-offline",
];
const DESIGNS = ["tide", "bitmaps", "none", "notifier", "callbacks"];

/** With orders that break something there, and all that `tide` survives but the two largest. */
const BREAKING = ["bitmaps", "none", "notifier", "callbacks"];
const LARGE = ["three-vcpus", "release-fails"];
const DISJOINT: readonly (readonly [name: string, design: string])[] = [
  ...CONFIGURATION_NAMES.filter((name) => !LARGE.includes(name)).map((name) => [name, "tide"] as const),
  ...SMALL.flatMap((name) => BREAKING.map((design) => [name, design] as const)),
];

it.each(DISJOINT)(
  "%s of %s: without disjoint steps the same breaks, and the same states are at rest",
  LONG,
  async (name, design) => {
    await searchMachine(standardConfiguration(name, design)!, (system) => {
      const reduced = explored(system, { symmetry: false, partialOrder: true, disjoint: true });
      // What was decided has to stand, or all of it is done again.
      system.verify();
      const merged = explored(system, { symmetry: false, partialOrder: true });
      const full = explored(system, NO_REDUCTIONS);
      expect(full.told.end).toBe("complete");
      expect(reduced.told).toEqual(full.told);
      expect(reduced.states).toBeLessThanOrEqual(merged.states);
    });
  },
);

it("of two machines that hardly meet most orders are left out", LONG, async () => {
  await searchMachine(standardConfiguration("sub-blocks", "tide")!, (system) => {
    const reduced = explored(system, FEWEST_STATES);
    system.verify();
    expect(reduced.states).toBeLessThan(0.4 * explored(system, ALL_REDUCTIONS).states);
  });
});

it.each(SMALL.flatMap((name) => DESIGNS.map((design) => [name, design] as const)))(
  "%s of %s: with partial order the same breaks, and the same states are at rest",
  LONG,
  async (name, design) => {
    await searchMachine(standardConfiguration(name, design)!, (system) => {
      const full = explored(system, NO_REDUCTIONS);
      const reduced = explored(system, { symmetry: false, partialOrder: true });
      expect(full.told.end).toBe("complete");
      expect(reduced.told).toEqual(full.told);
      expect(reduced.states).toBeLessThanOrEqual(full.states);
    });
  },
);
