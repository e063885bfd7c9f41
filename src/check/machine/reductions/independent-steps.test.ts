import fc from "fast-check";
import { expect, it } from "vitest";
import { fieldsOf } from "../../../machine/snapshot.ts";
import { BreadthFirst } from "../../breadth-first.ts";
import { DISABLED, TAKEN } from "../../system.ts";
import type { MachineConfiguration } from "../configurations/configuration.ts";
import { standardConfiguration } from "../configurations/standard-configurations.ts";
import { placesOf } from "../memory/key.ts";
import { LINE_WORDS } from "../memory/line.ts";
import { MachineMoves } from "../moves.ts";
import { searchMachine } from "../search-machine.ts";
import { MachineSystem } from "../system.ts";
import { IndependentSteps } from "./independent-steps.ts";
import { TracedMachine } from "./traced-machine.ts";

const LONG = { timeout: 1_800_000 };
const SEARCHED = [
  ["replug", "tide"],
  ["unplug-busy", "bitmaps"],
  ["dimm", "callbacks"],
  ["snp", "tide"],
] as const;

/** Goes some way from the start by chance. @returns false if nothing can be taken there */
const walk = (moves: MachineMoves, numbers: readonly number[], state: Uint32Array): boolean => {
  const { words } = moves.arena;
  words.set(state);
  moves.moved();
  for (const number of numbers) {
    const count = moves.choices();
    if (count === 0) return false;
    const before = words.slice(0, state.length);
    const result = moves.take(number % count);
    if (result > TAKEN) return false;
    if (result === DISABLED) {
      words.set(before);
      moves.moved();
    }
  }
  return moves.choices() > 0;
};

/** Words that decide whether work is due, which it is not between steps, and who has work. */
const settledWords = ({ machine, arena }: MachineMoves): ReadonlySet<number> => {
  const { kernel, interrupts, tasks } = machine;
  const parts = [...kernel.virtioMem, interrupts, ...(kernel.acpiMemory ? [kernel.acpiMemory] : [])];
  const views = parts.flatMap((part) =>
    fieldsOf(part).flatMap(([, value]) => (ArrayBuffer.isView(value) ? [value] : [])),
  );
  const due = views.flatMap((view) => {
    const [first, end] = arena.wordsOf(arena.pieceOf(view));
    return Array.from({ length: end - first }, (_, word) => first + word);
  });
  return new Set([...due, ...tasks.actors.flatMap(({ words: { byteOffset: at } }) => [at / 4, at / 4 + 1])]);
};

/** What it takes to try steps of a machine, and to make garbage of all that they do not touch. */
interface Tries {
  readonly moves: MachineMoves;
  readonly twin: TracedMachine;
  readonly settled: ReadonlySet<number>;
  readonly start: Uint32Array;
}

const triesOf = async (configuration: MachineConfiguration): Promise<Tries> => {
  const { knowledge } = await searchMachine(configuration, (system) => {
    const search = new BreadthFirst(system, { limits: { states: 5000 } });
    search.begin();
    search.run();
    return system;
  });
  const moves = new MachineMoves(configuration, knowledge);
  moves.looksAtRest = false;
  const { arena, machine } = moves;
  const { lines } = placesOf(machine, arena, knowledge);
  const twin = new TracedMachine(configuration, knowledge, lines);
  const start = arena.words.slice(0, arena.lines * LINE_WORDS);
  return { moves, twin, settled: settledWords(moves), start };
};

/** Holds one step against what it is in a machine of which all that it does not touch is garbage. @returns whether there is such a step */
const holdsAmongGarbage = (
  { moves, twin, settled }: Tries,
  index: number,
  here: Uint32Array,
  salt: number,
) => {
  const { arena, machine } = moves;
  const goBack = (): void => {
    arena.words.set(here);
    moves.moved();
    moves.choices();
  };
  goBack();
  const choice = moves.list[index]!;
  if (choice >> 1 >= machine.tasks.actors.length) return false;
  twin.become(arena.words);
  const tried = twin.take(choice)!;
  expect(tried.result).toBe(moves.take(index));
  if (tried.result !== TAKEN) return false;
  const after = arena.words.slice(0, here.length);
  const touched = new Set([...tried.numbers].map((number) => twin.words[number]));
  const left = twin.words.filter((word) => !touched.has(word));
  expect(left.filter((word) => here[word] !== after[word])).toEqual([]);
  const free = left.filter((word) => !settled.has(word));
  goBack();
  for (const word of free) arena.words[word]! ^= Math.imul(word + salt, 0x9e3779b1);
  const garbage = arena.words.slice(0, here.length);
  expect(moves.take(index)).toBe(TAKEN);
  expect(free.filter((word) => arena.words[word] !== garbage[word])).toEqual([]);
  const isWrong = (word: number | undefined) => word !== undefined && arena.words[word] !== after[word];
  expect([...touched].filter(isWrong)).toEqual([]);
  return true;
};

it.each(SEARCHED)(
  "what a step of %s of %s does follows from what it touches: nothing else may be what it was",
  LONG,
  async (name, design) => {
    const tries = await triesOf(standardConfiguration(name, design)!);
    const { moves, start } = tries;
    let held = 0;
    const anyWalk = fc.array(fc.nat(1000), { maxLength: 300, size: "max" });
    const property = fc.property(anyWalk, fc.nat(), (numbers, salt) => {
      if (!walk(moves, numbers, start)) return;
      const here = moves.arena.words.slice(0, start.length);
      const count = moves.choices();
      for (let index = 0; index < count; index++) if (holdsAmongGarbage(tries, index, here, salt)) held++;
    });
    fc.assert(property, { numRuns: 25, endOnFailure: true, seed: 5 });
    expect(held).toBeGreaterThan(5);
  },
);

const keyOf = (system: MachineSystem): string => {
  const key = new Uint8Array(system.keyBytes);
  return key.subarray(0, system.key(key, 0)).join();
};
const savedOf = (system: MachineSystem): Uint8Array => {
  const state = new Uint8Array(system.stateBytes);
  return state.slice(0, system.save(state, 0));
};
/** Goes to a state and takes the choice with a token there. @returns undefined if there is none */
const takeAt = (system: MachineSystem, state: Uint8Array, token: number): number | undefined => {
  system.restore(state, 0, state.length);
  for (let index = 0; index < system.choices(); index++)
    if (system.token(index) === token) return system.choose(index);
  return undefined;
};

interface Decided {
  readonly state: Uint8Array;
  readonly token: number;
}

/** Each state of a search in which a step is taken at once, and the step. */
const decidedIn = (system: MachineSystem): Decided[] => {
  const decided: Decided[] = [];
  const { next } = IndependentSteps.prototype;
  system.reduce({ symmetry: false, partialOrder: true, disjoint: true });
  IndependentSteps.prototype.next = function (this: IndependentSteps): number {
    const choice = next.call(this);
    if (choice >= 0) decided.push({ state: savedOf(system), token: system.tokenOf(choice) });
    return choice;
  };
  try {
    const search = new BreadthFirst(system, { after: "prune" });
    search.begin();
    search.run();
  } finally {
    IndependentSteps.prototype.next = next;
  }
  return decided;
};

/** States behind one in which a step was taken at once that are looked at, for what others do before it. */
const LOOKED = 30;

/** Whatever others do without this step, it can be taken before that or after it, and comes to the same. */
const staysApart = (system: MachineSystem, { state, token }: Decided): void => {
  const open = [state];
  const seen = new Set<string>();
  for (let looked = 0; looked < open.length && looked < LOOKED; looked++) {
    const here = open[looked]!;
    system.restore(here, 0, here.length);
    const others = Array.from({ length: system.choices() }, (_, index) => system.token(index));
    expect(takeAt(system, here, token)).toBe(TAKEN);
    const taken = savedOf(system);
    for (const other of others) {
      if (other >> 1 === token >> 1) continue;
      const result = takeAt(system, here, other);
      const then = savedOf(system);
      const name = keyOf(system);
      expect(takeAt(system, taken, other)).toBe(result);
      if (result !== TAKEN) continue;
      const key = keyOf(system);
      expect(takeAt(system, then, token)).toBe(TAKEN);
      expect(keyOf(system)).toBe(key);
      if (!seen.has(name)) open.push(then);
      seen.add(name);
    }
  }
};

it.each(SEARCHED)(
  "a step of %s of %s that is taken at once comes to the same after all that others do before it",
  LONG,
  async (name, design) => {
    await searchMachine(standardConfiguration(name, design)!, (system) => {
      const plain = new MachineSystem(system.configuration, { ...system.knowledge, futures: undefined });
      plain.reduce({ symmetry: false, partialOrder: true });
      const decided = decidedIn(system);
      system.verify();
      expect(decided.length).toBeGreaterThan(50);
      const every = Math.ceil(decided.length / 40);
      for (let at = 0; at < decided.length; at += every) staysApart(plain, decided[at]!);
      plain.verify();
    });
  },
);
