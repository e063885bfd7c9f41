import { expect, it } from "vitest";
import { BreadthFirst } from "../breadth-first.ts";
import { TAKEN, UNFORESEEN } from "../system.ts";
import { searchMachine } from "./search-machine.ts";
import { standardConfiguration } from "./standard-configurations.ts";
import type { MachineSystem } from "./system.ts";

const LONG = { timeout: 1_800_000 };

/** All that a search finds but the memory it takes. */
const found = (system: MachineSystem) => {
  system.goals.fill(0);
  const search = new BreadthFirst(system, { after: "continue" });
  search.begin();
  const { bytes, ...rest } = search.run();
  return rest;
};

const SMALL = ["grow-shrink", "dimm-add-fails", "accept-beside-unplug", "snp-dimm"];
const DESIGNS = ["tide", "bitmaps", "notifier"];

it.each(SMALL.flatMap((name) => DESIGNS.map((design) => [name, design] as const)))(
  "%s of %s: a search finds the same whether it takes all choices or goes by what is foreseen",
  LONG,
  async (name, design) => {
    await searchMachine(standardConfiguration(name, design)!, (system) => {
      let foreseen = 0;
      const halves = new Uint32Array(2);
      // It is asked, and so holds what it knows of each choice against what comes out.
      const takesAll: MachineSystem = Object.create(system);
      takesAll.foresee = (choice) => {
        if (system.foresee(choice, halves) !== UNFORESEEN) foreseen++;
        return UNFORESEEN;
      };
      const all = found(takesAll);
      expect(found(system)).toEqual(all);
      expect(all.end).toBe("complete");
      expect(foreseen).toBeGreaterThan(all.transitions / 4);
    });
  },
);

it("a search in which a step did not come to what was foreseen is made again without foresight", async () => {
  const halves = new Uint32Array(2);
  let searches = 0;
  const tell = (system: MachineSystem, asked: number, chosen: number): number => {
    system.reset();
    system.choices();
    const foreseen = system.foresee(asked, halves);
    expect(system.choose(chosen)).toBe(TAKEN);
    system.fingerprint(halves);
    return foreseen;
  };
  await searchMachine(standardConfiguration("three-vcpus", "tide")!, (system) => {
    searches++;
    expect(tell(system, 0, 0)).toBe(UNFORESEEN);
    // As if the first choice depended on what no one may look at, and now were the second.
    const foreseen = tell(system, 0, 1);
    expect([searches, foreseen]).toEqual([2, UNFORESEEN]);
  });
});
