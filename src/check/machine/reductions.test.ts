import { expect, it } from "vitest";
import { BreadthFirst } from "../breadth-first.ts";
import { NO_REDUCTIONS, type Reductions } from "./reductions.ts";
import { searchMachine } from "./search-machine.ts";
import { standardConfiguration } from "./standard-configurations.ts";
import type { MachineSystem } from "./system.ts";
import { violationId } from "./violations.ts";

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
