import { expect, it } from "vitest";
import { BreadthFirst } from "../../breadth-first.ts";
import { TAKEN, UNFORESEEN } from "../../system.ts";
import { checkMachine } from "../check-machine.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import { SMALLEST, standardConfiguration } from "../configurations/standard-configurations.ts";
import { ALL_REDUCTIONS, NO_REDUCTIONS, type Reductions } from "../reductions/reductions.ts";
import { searchMachine } from "../search-machine.ts";
import type { MachineSystem } from "../system.ts";

const LONG = { timeout: 1_800_000 };

/** Nothing is known of any step, nor of what was seen. */
const forget = (system: MachineSystem, reductions: Reductions): void => {
  system.goals.fill(0);
  system.reduce(reductions);
};

/** Two users take plugged memory and give it back, while the operator takes some away. */
const twoUsers = (design: string): MachineConfiguration => ({
  ...SMALLEST,
  ...{ name: "two-users", design, vcpus: 3, before: [{ do: "resize", to: 3 }] },
  device: { kind: "virtio-mem", units: 3 },
  programs: [
    { by: "operator", deeds: [{ do: "resize", to: 2 }], when: "any time" },
    ...[1, 2].map(
      (user) =>
        ({
          by: { user },
          deeds: [
            { do: "allocate", units: 1, as: `memory of ${user}` },
            { do: "free", as: `memory of ${user}` },
          ],
          when: "any time",
        }) as const,
    ),
  ],
});

/** All that a search finds but the memory it takes. */
const found = (system: MachineSystem) => {
  const search = new BreadthFirst(system, { after: "continue" });
  search.begin();
  const { bytes, ...rest } = search.run();
  return rest;
};

const SMALL = ["grow-shrink", "dimm-add-fails", "accept-beside-unplug", "snp-dimm"];
const DESIGNS = ["tide", "bitmaps", "notifier"];
const SYMMETRY: Reductions = { symmetry: true, partialOrder: false };
const REDUCED: readonly (readonly [string, Reductions])[] = [
  ["no reductions", NO_REDUCTIONS],
  ["symmetry", SYMMETRY],
  ["partial order", { symmetry: false, partialOrder: true }],
  ["all reductions", ALL_REDUCTIONS],
];

const searched = [...SMALL.map((name) => (design: string) => standardConfiguration(name, design)!), twoUsers];
const SEARCHES = searched
  .flatMap((configuration) => DESIGNS.map(configuration))
  .flatMap((configuration) =>
    REDUCED.filter(([, { symmetry }]) => !symmetry || configuration.name === "two-users").map(
      ([reduced, reductions]) =>
        [configuration.name, configuration.design, reduced, configuration, reductions] as const,
    ),
  );

it.each(SEARCHES)(
  "%s of %s with %s: a search finds the same whether it takes all choices or goes by what is foreseen",
  LONG,
  async (_name, _design, _reduced, configuration, reductions) => {
    let surprised: true | undefined;
    await searchMachine(configuration, (system) => {
      surprised = system.knowledge.unforeseeable;
      forget(system, reductions);
      let foreseen = 0;
      // It is asked, and so holds what it knows of each choice against what comes out.
      const takesAll: MachineSystem = Object.create(system);
      takesAll.foresee = (count, results, firsts, seconds) => {
        system.foresee(count, results, firsts, seconds);
        foreseen += results.subarray(0, count).filter((result) => result !== UNFORESEEN).length;
        results.fill(UNFORESEEN, 0, count);
      };
      const all = found(takesAll);
      forget(system, reductions);
      expect(found(system)).toEqual(all);
      expect(all.end).toBe("complete");
      expect(foreseen).toBeGreaterThan(0);
    });
    // It may be made again with more memory known, and not because a step came to something else.
    expect(surprised).toBe(undefined);
  },
);

it.each(SEARCHES)(
  "%s of %s with %s: a state that is foreseen is saved as the one that its choice comes to",
  LONG,
  async (_name, _design, _reduced, configuration, reductions) => {
    let surprised: true | undefined;
    await searchMachine(configuration, (system) => {
      surprised = system.knowledge.unforeseeable;
      forget(system, reductions);
      const saved = [0, 1].map(() => new Uint8Array(system.stateBytes));
      const held = (place: number) => saved[place]!.subarray(0, system.save(saved[place]!, 0));
      let foreseen = 0;
      const both: MachineSystem = Object.create(system);
      both.takeForeseen = (choice) => {
        // One that is taken in between may drive it out of memory.
        if (!system.takeForeseen(choice)) return false;
        const expected = held(0);
        system.back();
        expect(system.choose(choice)).toBe(TAKEN);
        expect(Buffer.compare(held(1), expected)).toBe(0);
        foreseen++;
        return true;
      };
      const all = found(both);
      expect(all.end).toBe("complete");
      expect(foreseen).toBeGreaterThan(0);
    });
    // It may be made again with more memory known, and not because a step came to something else.
    expect(surprised).toBe(undefined);
  },
);

it(
  "what is remembered of steps counts as memory of a search, and where there is little it is less",
  LONG,
  async () => {
    const configuration = standardConfiguration("grow-shrink", "tide")!;
    let [tables, remembered] = [0, 0];
    await searchMachine(configuration, (system) => {
      const search = new BreadthFirst(system);
      search.begin();
      expect(search.run().end).toBe("complete");
      const { visited, links, frontier } = search.memory;
      tables = visited + links + frontier;
      remembered = system.memoryBytes;
    });
    // Room for the tables, and next to none for anything else.
    const little = await checkMachine(configuration, { limits: { bytes: tables + 4096 } });
    expect([little.verdict, little.end]).toEqual(["partial", "memory"]);
    const enough = await checkMachine(configuration, { limits: { bytes: tables + remembered } });
    expect([enough.verdict, enough.end]).toEqual(["held", "complete"]);
    await searchMachine(configuration, (system) => {
      const search = new BreadthFirst(system, { limits: { bytes: tables } });
      search.begin();
      search.run({});
      expect(system.memoryBytes).toBeGreaterThan(0);
      expect(system.memoryBytes).toBeLessThan(remembered / 2);
    });
  },
);

it("a search in which a step did not come to what was foreseen is made again without foresight", async () => {
  const halves = new Uint32Array(2);
  const [results, firsts, seconds] = [new Int8Array(9), new Uint32Array(9), new Uint32Array(9)];
  let searches = 0;
  const take = (system: MachineSystem, more: number): number => {
    system.reset();
    system.foresee(system.choices(), results, firsts, seconds);
    expect(system.choose(0)).toBe(TAKEN);
    // As if it depended on what no one may look at, and now did something beside.
    system.programs.places[1]! += more;
    system.fingerprint(halves);
    return results[0]!;
  };
  await searchMachine(standardConfiguration("three-vcpus", "tide")!, (system) => {
    searches++;
    expect(take(system, 0)).toBe(UNFORESEEN);
    const foreseen = take(system, 1);
    expect([searches, foreseen]).toEqual([2, UNFORESEEN]);
  });
});
