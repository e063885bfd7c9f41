import fc from "fast-check";
import { expect, it } from "vitest";
import { DISABLED, TAKEN } from "../../system.ts";
import { standardConfiguration } from "../configurations/standard-configurations.ts";
import { historyOf } from "../memory/key.ts";
import { LINE_WORDS } from "../memory/line.ts";
import { searchMachine } from "../search-machine.ts";
import type { MachineSystem } from "../system.ts";
import { LocalSteps } from "./local-steps.ts";

const LONG = { timeout: 900_000 };
const RUNS = 10;
const SEARCHED = [
  ["three-vcpus", "tide"],
  ["unplug-busy", "bitmaps"],
  ["dimm", "callbacks"],
] as const;
/** Whatever begins first begins, and then the last of what may: of the DIMM's machine a plug, and a user behind it. */
const BEGINS: [number[]][] = [[[0, 1]], [[0, 1, 0]]];

/**
 * Takes choices by a list of numbers, as long as nothing breaks.
 *
 * @param look called in each state on the way, which is there again after it @returns choices that were taken
 */
const pathBy = (system: MachineSystem, numbers: readonly number[], look?: () => void): number[] => {
  const path: number[] = [];
  const state = new Uint8Array(system.stateBytes);
  system.reset();
  for (const number of numbers) {
    const length = system.save(state, 0);
    look?.();
    system.restore(state, 0, length);
    const count = system.choices();
    if (count === 0) break;
    const result = system.choose(number % count);
    if (result === DISABLED) system.restore(state, 0, length);
    else path.push(number % count);
    if (result > TAKEN) break;
  }
  return path;
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

const anyWalk = fc.array(fc.nat(1000), { maxLength: 400, size: "max" });

/** Looks at each local step that may be taken now. @returns how many there are */
const lookAtLocalSteps = (system: MachineSystem, steps: LocalSteps): number => {
  const count = system.choices();
  const state = new Uint8Array(system.stateBytes);
  const length = system.save(state, 0);
  let local = 0;
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
  return local;
};

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

it.each(SEARCHED)(
  "a local step of %s of %s changes its own stack only, and commutes with all that others can do",
  LONG,
  async (name, design) => {
    await searchMachine(standardConfiguration(name, design)!, (system) => {
      const steps = new LocalSteps(system.machine);
      let local = 0;
      const property = fc.property(anyWalk, (numbers) => {
        pathBy(system, numbers, () => {
          local += lookAtLocalSteps(system, steps);
        });
      });
      fc.assert(property, { numRuns: RUNS, endOnFailure: true, examples: BEGINS });
      expect(local).toBeGreaterThan(RUNS);
    });
  },
);

it.each(SEARCHED)(
  "a path of %s of %s that was found with partial order is one of single steps to the same state",
  LONG,
  async (name, design) => {
    await searchMachine(standardConfiguration(name, design)!, (system) => {
      const property = fc.property(anyWalk, (numbers) => {
        system.reduce({ symmetry: false, partialOrder: true });
        const path = pathBy(system, numbers);
        const key = keyOf(system);
        system.reduce({ symmetry: false, partialOrder: false });
        const steps = system.unfolded(path);
        expect(keyOf(system)).toBe(key);
        expect(steps.length).toBeGreaterThanOrEqual(path.length);
      });
      fc.assert(property, { numRuns: RUNS, endOnFailure: true, examples: BEGINS });
    });
  },
);
