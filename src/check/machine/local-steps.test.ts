import fc from "fast-check";
import { expect, it } from "vitest";
import { DISABLED, TAKEN } from "../system.ts";
import { historyOf } from "./key.ts";
import { LINE_WORDS } from "./line.ts";
import { LocalSteps } from "./local-steps.ts";
import { standardConfiguration } from "./standard-configurations.ts";
import { MachineSystem } from "./system.ts";

const LONG = { timeout: 900_000 };
const systems = (
  [
    ["three-vcpus", "tide"],
    ["unplug-busy", "bitmaps"],
    ["dimm", "callbacks"],
  ] as const
).map(([name, design]) => new MachineSystem(standardConfiguration(name, design)!));

/** Takes choices by a list of numbers. @returns false if nothing can be taken any more */
const walk = (system: MachineSystem, numbers: readonly number[]): boolean => {
  const state = new Uint8Array(system.stateBytes);
  for (const number of numbers) {
    const choices = system.choices();
    if (choices === 0) return false;
    const length = system.save(state, 0);
    const result = system.choose(number % choices);
    if (result === DISABLED) system.restore(state, 0, length);
    else if (result !== TAKEN) return false;
  }
  return true;
};

/** All memory but the stack of one actor, and what tells of the past. */
const othersOf = ({ arena, machine }: MachineSystem, actor: number): string => {
  const words = arena.words.slice(0, arena.lines * LINE_WORDS);
  for (const view of [...historyOf(machine), machine.tasks.actors[actor]!.words]) {
    const [first, end] = arena.wordsOf(arena.pieceOf(view));
    words.fill(0, first, end);
  }
  return words.join();
};

const keyOf = (system: MachineSystem): string => {
  const key = new Uint8Array(system.keyBytes);
  return key.subarray(0, system.key(key, 0)).join();
};

/** Index of the choice with a token in the current state; -1 if there is none. */
const choiceOf = (system: MachineSystem, token: number): number => {
  for (let index = 0; index < system.choices(); index++) if (system.token(index) === token) return index;
  return -1;
};

const anyWalk = fc.array(fc.nat(1000), { maxLength: 400 });
const anySystem = fc.integer({ min: 0, max: systems.length - 1 });

it("a local step changes its own stack only, and commutes with all that others can do", LONG, () => {
  let local = 0;
  fc.assert(
    fc.property(anySystem, anyWalk, (number, numbers) => {
      const system = systems[number]!;
      system.reduce({ symmetry: false, partialOrder: false });
      system.reset();
      if (!walk(system, numbers)) return;
      const steps = new LocalSteps(system.machine);
      const count = system.choices();
      const state = new Uint8Array(system.stateBytes);
      const length = system.save(state, 0);
      for (let index = 0; index < count; index++) {
        system.restore(state, 0, length);
        system.choices();
        const actor = system.actor(index);
        const token = system.token(index);
        const task = system.machine.tasks.actors[actor];
        if (task === undefined || token % 2 === 1 || !steps.isLocal(actor)) continue;
        local++;
        const before = othersOf(system, actor);
        expect(system.choose(index)).toBe(TAKEN);
        expect(othersOf(system, actor)).toBe(before);
        expect(task.idle).toBe(false);
        commutes(system, { state, length, token });
      }
    }),
    { numRuns: 60, endOnFailure: true },
  );
  expect(local).toBeGreaterThan(20);
});

interface Origin {
  readonly state: Uint8Array;
  readonly length: number;
  readonly token: number;
}

/** Whatever another actor does, before the local step of this token or after it: the state is the same. */
const commutes = (system: MachineSystem, { state, length, token }: Origin): void => {
  system.restore(state, 0, length);
  const others = Array.from({ length: system.choices() }, (_, index) => system.token(index));
  for (const other of others) {
    if (other >> 1 === token >> 1) continue;
    system.restore(state, 0, length);
    const first = system.choose(choiceOf(system, other));
    const late = first === TAKEN ? choiceOf(system, token) : -1;
    if (late >= 0) system.choose(late);
    const key = keyOf(system);
    system.restore(state, 0, length);
    system.choose(choiceOf(system, token));
    expect(system.choose(choiceOf(system, other))).toBe(first);
    if (late >= 0) expect(keyOf(system)).toBe(key);
  }
};

it("a path that was found with partial order is one of single steps to the same state", LONG, () => {
  fc.assert(
    fc.property(anySystem, anyWalk, (number, numbers) => {
      const system = systems[number]!;
      system.reduce({ symmetry: false, partialOrder: true });
      system.reset();
      const path: number[] = [];
      const state = new Uint8Array(system.stateBytes);
      for (const choice of numbers) {
        const count = system.choices();
        if (count === 0) break;
        const length = system.save(state, 0);
        const result = system.choose(choice % count);
        if (result === DISABLED) system.restore(state, 0, length);
        else path.push(choice % count);
        if (result > TAKEN) break;
      }
      const key = keyOf(system);
      system.reduce({ symmetry: false, partialOrder: false });
      const steps = system.unfolded(path);
      expect(keyOf(system)).toBe(key);
      expect(steps.length).toBeGreaterThanOrEqual(path.length);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
