import fc from "fast-check";
import { expect, it } from "vitest";
import { VCPU_WORD, VCPU_WORDS } from "../../../tdx-module/td-words.ts";
import { BreadthFirst } from "../../breadth-first.ts";
import { DISABLED, TAKEN } from "../../system.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import { SMALLEST, standardConfiguration } from "../configurations/standard-configurations.ts";
import { groupOfActor } from "../memory/gates.ts";
import { searchMachine } from "../search-machine.ts";
import { MachineSystem } from "../system.ts";

const LONG = { timeout: 900_000 };
/** vCPUs of the two users who do the same in each machine here. */
const [ONE, OTHER] = [1, 2];

/** Two users take what there is of plugged memory, and nobody else does anything. */
const TWO_USERS: MachineConfiguration = {
  ...SMALLEST,
  ...{ name: "two users", design: "tide", vcpus: 3, before: [{ do: "resize", to: 2 }] },
  programs: [ONE, OTHER].map((user) => ({
    by: { user },
    deeds: [{ do: "allocate", units: 1, as: `memory of ${user}` }],
    when: "any time",
  })),
};

const keyOf = (system: MachineSystem): string => {
  const key = new Uint8Array(system.keyBytes);
  return key.subarray(0, system.key(key, 0)).join();
};
const fingerprintOf = (system: MachineSystem): string => {
  const halves = new Uint32Array(2);
  system.fingerprint(halves);
  return halves.join();
};

type Row = Int32Array | Uint32Array | Float64Array;
const swapIn = (row: Row, one: number, other: number): void => {
  [row[one], row[other]] = [row[other]!, row[one]!];
};
const swapAll = (one: Row, other: Row): void => {
  for (const [at, value] of [...one].entries()) {
    one[at] = other[at]!;
    other[at] = value;
  }
};

/** Makes each of the two vCPUs and users what the other is, where the VMM has nothing to do with them. */
const swap = (system: MachineSystem): void => {
  const { machine, programs } = system;
  const { kernel, tasks, tdx } = machine;
  const [here, there] = [tasks.users[ONE]!, tasks.users[OTHER]!];
  const { starts, ends, leavingStarts, leavingEnds } = kernel.accepting;
  for (const row of [starts, ends, leavingStarts, leavingEnds])
    swapIn(row, here.frame.task, there.frame.task);
  const { irqsOff } = kernel.cpus;
  const [first, second] = [irqsOff[ONE], irqsOff[OTHER]];
  irqsOff[ONE] = second === 0 ? 0 : here.frame.task + 1;
  irqsOff[OTHER] = first === 0 ? 0 : there.frame.task + 1;
  const fixed: number[] = [VCPU_WORD.TDVPR_FRAME, VCPU_WORD.INDEX];
  for (let word = 0; word < VCPU_WORDS; word++)
    if (!fixed.includes(word)) swapIn(tdx.td.vcpus, ONE * VCPU_WORDS + word, OTHER * VCPU_WORDS + word);
  swapAll(machine.cpus.regs(ONE), machine.cpus.regs(OTHER));
  swapAll(here.words, there.words);
  swapIn(programs.places, programs.numbersOf(ONE)[0]!, programs.numbersOf(OTHER)[0]!);
  const { active } = machine.scheduler;
  for (const [at, actor] of active.entries()) active[at] = swapped(system, actor);
  for (const { index } of [here, there]) system.cells.moves(groupOfActor(index));
};

/** The actor that does in a swapped machine what one did before. */
const swapped = ({ machine: { tasks }, programs }: MachineSystem, actor: number): number => {
  const program = (vcpu: number) => tasks.actors.length + programs.numbersOf(vcpu)[0]!;
  const pairs = [
    [tasks.users[ONE]!.index, tasks.users[OTHER]!.index],
    [program(ONE), program(OTHER)],
  ];
  for (const [one, other] of pairs) {
    if (actor === one) return other!;
    if (actor === other) return one!;
  }
  return actor;
};

const isWithVmm = ({ machine }: MachineSystem): boolean =>
  [ONE, OTHER].some((vcpu) => machine.outside[vcpu] !== 0 || !machine.tasks.vcpuThreads[vcpu]!.idle);

/** Takes choices by a list of numbers. @returns false if nothing can be taken any more */
const walk = (system: MachineSystem, numbers: readonly number[]): boolean => {
  const state = new Uint8Array(system.stateBytes);
  for (const number of numbers) {
    const choices = system.choices();
    if (choices === 0) return false;
    const length = system.save(state, 0);
    if (system.choose(number % choices) === DISABLED) system.restore(state, 0, length);
  }
  return true;
};

const systems = [
  ...[TWO_USERS, { ...TWO_USERS, design: "bitmaps", pageRelease: false }],
  standardConfiguration("three-vcpus", "tide")!,
].map((configuration) => new MachineSystem(configuration));

/** Calls with systems in states in which the two can be swapped. @returns how often that was so */
const inStates = (look: (system: MachineSystem, state: Uint8Array, length: number) => void): number => {
  let looked = 0;
  const number = fc.integer({ min: 0, max: systems.length - 1 });
  const anyWalk = fc.array(fc.nat(1000), { maxLength: 150 });
  fc.assert(
    fc.property(number, anyWalk, fc.boolean(), (which, numbers, partialOrder) => {
      const system = systems[which]!;
      system.reduce({ symmetry: true, partialOrder });
      system.reset();
      walk(system, numbers);
      if (isWithVmm(system) || system.machine.halted) return;
      looked++;
      const state = new Uint8Array(system.stateBytes);
      look(system, state, system.save(state, 0));
    }),
    { numRuns: 60, endOnFailure: true },
  );
  return looked;
};

it(
  "states that differ only in who of like users is where have one key, and without symmetry two",
  LONG,
  () => {
    let different = 0;
    const looked = inStates((system, state, length) => {
      const [key, fingerprint] = [keyOf(system), fingerprintOf(system)];
      system.reduce({ symmetry: false, partialOrder: false });
      const named = fingerprintOf(system);
      swap(system);
      if (fingerprintOf(system) !== named) different++;
      system.reduce({ symmetry: true, partialOrder: false });
      expect([keyOf(system), fingerprintOf(system)]).toEqual([key, fingerprint]);
      swap(system);
      system.reduce({ symmetry: false, partialOrder: false });
      expect(fingerprintOf(system)).toBe(named);
      system.restore(state, 0, length);
    });
    expect(looked).toBeGreaterThan(20);
    expect(different).toBeGreaterThan(10);
  },
);

it("what is kept of like users from step to step is what a look at all of them finds", LONG, () => {
  const looked = inStates((system, state, length) => {
    const count = system.choices();
    const after = (anew: boolean) =>
      Array.from({ length: count }, (_, index) => {
        system.restore(state, 0, length);
        system.choices();
        if (system.choose(index) === DISABLED) return "";
        for (const symmetry of anew ? [false, true] : []) system.reduce({ symmetry, partialOrder: false });
        return fingerprintOf(system);
      });
    system.reduce({ symmetry: true, partialOrder: false });
    expect(after(false)).toEqual(after(true));
  });
  expect(looked).toBeGreaterThan(20);
});

it("what like users do next comes to the same whichever of them does it", LONG, () => {
  const after = new Uint8Array(Math.max(...systems.map(({ stateBytes }) => stateBytes)));
  const looked = inStates((system, state, length) => {
    swap(system);
    const afterLength = system.save(after, 0);
    system.restore(state, 0, length);
    const count = system.choices();
    for (let index = 0; index < count; index++) {
      system.restore(state, 0, length);
      system.choices();
      const [actor, token] = [swapped(system, system.actor(index)), system.token(index)];
      const result = system.choose(index);
      const key = result === DISABLED ? "" : keyOf(system);
      system.restore(after, 0, afterLength);
      expect(system.choices()).toBe(count);
      const twin = Array.from({ length: count }, (_, other) => other).find(
        (other) => system.actor(other) === actor && system.token(other) % 2 === token % 2,
      );
      expect(twin).toBeDefined();
      expect(system.choose(twin!)).toBe(result);
      if (result === TAKEN && !isWithVmm(system)) expect(keyOf(system)).toBe(key);
    }
  });
  expect(looked).toBeGreaterThan(20);
});

/**
 * Every state, also behind those that break something: the keys that they have under symmetry, of all and of those at rest. Where the
 * VMM has to do with one of the two it keeps its name, and one of two states that differ in the name only is enough.
 */
const explored = (system: MachineSystem, symmetry: boolean) => {
  const [all, rests] = [new Set<string>(), new Set<string>()];
  const looked: MachineSystem = Object.create(system);
  const note = (met: Set<string>): void => {
    system.reduce({ symmetry: true, partialOrder: false });
    if (!isWithVmm(system)) met.add(fingerprintOf(system));
    system.reduce({ symmetry, partialOrder: false });
  };
  looked.save = (into, at) => {
    note(all);
    return system.save(into, at);
  };
  looked.atRest = () => {
    note(rests);
    return system.atRest();
  };
  system.reduce({ symmetry, partialOrder: false });
  const search = new BreadthFirst(looked, { after: "prune" });
  search.begin();
  const { end, states, violations } = search.run();
  return { states, told: { end, all, rests, violations: violations.map(({ violation }) => violation) } };
};

it.each(["tide", "none", "bitmaps"])(
  "under symmetry a state of every class of %s is met",
  LONG,
  async (design) => {
    await searchMachine({ ...TWO_USERS, design }, (system) => {
      const full = explored(system, false);
      const reduced = explored(system, true);
      expect(full.told.end).toBe("complete");
      expect(reduced.told).toEqual(full.told);
      expect(reduced.states).toBeLessThan(0.6 * full.states);
    });
  },
);
