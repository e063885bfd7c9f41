import fc from "fast-check";
import { expect, it } from "vitest";
import { BreadthFirst } from "../breadth-first.ts";
import { DISABLED, TAKEN } from "../system.ts";
import type { MachineConfiguration } from "./configurations/configuration.ts";
import { SMALLEST, standardConfiguration } from "./configurations/standard-configurations.ts";
import { Cells } from "./memory/cells.ts";
import { historyOf, placesOf } from "./memory/key.ts";
import { LINE_WORDS } from "./memory/line.ts";
import { searchMachine } from "./search-machine.ts";
import { MachineSystem } from "./system.ts";
import { violationId } from "./violations.ts";

/** Two units of boot memory, two of a virtio-mem device that grows by one and shrinks again, and a user. */
const SMALL: MachineConfiguration = {
  ...SMALLEST,
  name: "small",
  design: "tide",
  programs: [
    {
      by: "operator",
      deeds: [
        { do: "resize", to: 1 },
        { do: "resize", to: 0 },
      ],
      when: "at rest",
    },
    { by: { user: 1 }, deeds: [{ do: "allocate", units: 1, as: "heap" }], when: "any time" },
  ],
};

const small = new MachineSystem(SMALL);

const explore = (system: MachineSystem) => {
  const search = new BreadthFirst(system);
  search.begin();
  return { ...search.run(), system };
};

/** Numbers of the actors that have work: as listed, and as they say. */
const working = ({ machine: { scheduler, tasks } }: MachineSystem) => ({
  listed: [...scheduler.active.subarray(0, scheduler.activeCount[0])].sort((a, b) => a - b),
  there: tasks.actors.filter(({ idle }) => !idle).map(({ index }) => index),
});

/** Takes choices by a list of numbers. @returns what was done and the keys of the states */
const play = (system: MachineSystem, numbers: readonly number[]): string[] => {
  const key = new Uint8Array(system.keyBytes);
  const state = new Uint8Array(system.stateBytes);
  return numbers.flatMap((number) => {
    const choices = system.choices();
    if (choices === 0) return [];
    const length = system.save(state, 0);
    const label = system.label(number % choices);
    const result = system.choose(number % choices);
    const { listed, there } = working(system);
    expect(listed).toEqual(there);
    if (result === DISABLED) system.restore(state, 0, length);
    return [`${label} ${result} ${key.subarray(0, system.key(key, 0)).join()}`];
  });
};

it("goes on from a saved state as it did before, and from no other in between", { timeout: 600_000 }, () => {
  const numbers = fc.array(fc.nat(1000), { maxLength: 300 });
  fc.assert(
    fc.property(numbers, numbers, numbers, (before, one, other) => {
      small.reset();
      play(small, before);
      const state = new Uint8Array(small.stateBytes);
      const length = small.save(state, 0);
      const first = play(small, one);
      small.restore(state, 0, length);
      play(small, other);
      small.restore(state, 0, length);
      expect(play(small, one)).toEqual(first);
      small.verify();
    }),
    { numRuns: 30 },
  );
});

/** What the machine holds where steps may write, the past and the time left out. */
const contentOf = ({ arena, machine, programs }: MachineSystem): string => {
  const words = arena.words.slice(0, arena.lines * LINE_WORDS);
  for (const view of historyOf(machine)) {
    const [first, end] = arena.wordsOf(arena.pieceOf(view));
    words.fill(0, first, end);
  }
  return `${words.join()} ${programs.places.join()}`;
};

const fingerprintOf = (system: MachineSystem): string => {
  const halves = new Uint32Array(2);
  system.fingerprint(halves);
  return halves.join();
};

it("puts back all memory, and its fingerprint is that of the whole state", { timeout: 600_000 }, () => {
  const other = new MachineSystem(SMALL, small.knowledge);
  // Its origin is the base, and it compares all lines: everything that ever changed is mixed in at once.
  const { gates: _, ...places } = placesOf(other.machine, other.arena, small.knowledge);
  const whole = new Cells(other.arena, places);
  const halves = new Uint32Array(2);
  const record = new Uint8Array(small.stateBytes);
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 150 }), fc.array(fc.nat(1000)), (before, after) => {
      small.reset();
      play(small, before);
      const length = small.save(record, 0);
      const content = contentOf(small);
      for (const number of after) {
        small.restore(record, 0, length);
        if (small.choices() === 0) return;
        small.choose(number % small.choices());
        const fingerprint = fingerprintOf(small);
        whole.moves();
        other.arena.words.set(small.arena.words.subarray(0, small.arena.lines * LINE_WORDS));
        whole.fingerprint(halves);
        expect(halves.join()).toBe(fingerprint);
        small.restore(record, 0, length);
        expect(contentOf(small)).toBe(content);
        const { listed, there } = working(small);
        expect(listed).toEqual(there);
      }
    }),
    { numRuns: 20, endOnFailure: true },
  );
});

/** The same system, its choices numbered from behind. */
const backwards = (system: MachineSystem): MachineSystem => {
  const turned: MachineSystem = Object.create(system);
  let count = 0;
  turned.choices = () => {
    count = system.choices();
    return count;
  };
  turned.foresee = (_, ...told) => {
    system.foresee(count, ...told);
    for (const row of told) row.subarray(0, count).reverse();
  };
  turned.takeForeseen = (index) => system.takeForeseen(count - 1 - index);
  turned.choose = (index) => system.choose(count - 1 - index);
  return turned;
};

it("a count does not depend on the order in which choices are tried", { timeout: 600_000 }, async () => {
  const configuration = standardConfiguration("unplug-busy", "bitmaps")!;
  const forth = await searchMachine(configuration, explore);
  const back = await searchMachine(configuration, (system) => explore(backwards(system)));
  // A fault that has no occasion is a choice that does not exist, and nothing of it stays.
  expect([forth.states, forth.transitions]).toEqual([7053, 13_038]);
  expect([back.states, back.transitions]).toEqual([forth.states, forth.transitions]);
});

it("is the same machine in every thread that knows what the first one found out", {
  timeout: 600_000,
}, () => {
  const knowledge = JSON.parse(JSON.stringify(small.knowledge));
  const numbers = Array.from({ length: 300 }, (_, n) => n * 7);
  small.reset();
  expect(play(new MachineSystem(SMALL, knowledge), numbers)).toEqual(play(small, numbers));
});

it("goes on from a state that it never came near as the machine that was there", { timeout: 600_000 }, () => {
  // Far on, drivers have named memory that a machine just booted has no name for.
  const far = fc.array(fc.nat(1000), { minLength: 200, maxLength: 400 });
  const record = new Uint8Array(small.stateBytes);
  fc.assert(
    fc.property(far, fc.array(fc.nat(1000), { maxLength: 100 }), (before, after) => {
      const fresh = new MachineSystem(SMALL, small.knowledge);
      small.reset();
      play(small, before);
      fresh.restore(record, 0, small.save(record, 0));
      expect(play(fresh, after)).toEqual(play(small, after));
    }),
    { numRuns: 20, endOnFailure: true },
  );
});

it("tide holds every rule in every interleaving of a small machine", { timeout: 600_000 }, async () => {
  const result = await searchMachine(SMALL, explore);
  expect([result.end, result.violations.map(({ violation }) => violationId(violation))]).toEqual([
    "complete",
    [],
  ]);
  expect(result.states).toBeGreaterThan(1000);
});

it("bitmaps marks a unit plugged that the VMM has not plugged, and no story of that is shorter", {
  timeout: 600_000,
}, async () => {
  const { violations, system } = await searchMachine(
    { ...SMALL, name: "bitmaps", design: "bitmaps" },
    explore,
  );
  expect(violations.map(({ violation }) => violationId(violation))).toEqual(["I15"]);
  // The operator's resize, then the driver up to the hook of add_memory(); nothing of the user.
  const { path } = violations[0]!;
  system.reset();
  const results = path.map((choice) => {
    expect(system.label(choice)).not.toContain("user@");
    return system.choose(choice);
  });
  expect(results.slice(0, -1).every((result) => result === TAKEN)).toBe(true);
  expect(violationId(results.at(-1)!)).toBe("I15");
});
