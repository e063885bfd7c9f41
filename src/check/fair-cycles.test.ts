import { expect, it } from "vitest";
import { fairCycles, lassoOf } from "./fair-cycles.ts";
import { StateGraph } from "./state-graph.ts";
import { DISABLED, type System, TAKEN } from "./system.ts";

const STUCK = 7;

/** A system of few states: by state, what each actor makes of it; absent: it cannot go on. */
type Rules = { readonly [state: string]: { readonly [actor: number]: string } };

class Toy implements System {
  readonly stateBytes = 4;
  readonly keyBytes = 4;
  readonly goals = new Uint32Array(1);
  private readonly rules: Rules;
  private readonly names: readonly string[];
  private here = 0;

  constructor(rules: Rules) {
    this.rules = rules;
    this.names = Object.keys(rules);
  }

  private get steps(): readonly (readonly [actor: string, next: string])[] {
    return Object.entries(this.rules[this.names[this.here]!]!);
  }

  reset(): void {
    this.here = 0;
  }
  save(into: Uint8Array, at: number): number {
    into.fill(0, at, at + 4);
    into[at] = this.here;
    return 4;
  }
  restore(from: Uint8Array, at: number): void {
    this.here = from[at]!;
  }
  key(into: Uint8Array, at: number): number {
    return this.save(into, at);
  }
  choices(): number {
    return this.steps.length;
  }
  choose(index: number): number {
    const next = this.names.indexOf(this.steps[index]![1]);
    if (next < 0) return DISABLED;
    this.here = next;
    return TAKEN;
  }
  atRest(): number {
    return this.names[this.here] === "done" ? TAKEN : STUCK;
  }
  actor(index: number): number {
    return Number(this.steps[index]![0]);
  }
  token(index: number): number {
    return index;
  }
  label(index: number): string {
    return this.steps[index]!.join();
  }
  violationText(violation: number): string {
    return String(violation);
  }
}

const graphOf = (rules: Rules): StateGraph => {
  const graph = new StateGraph(new Toy(rules));
  while (!graph.complete) graph.expand(2);
  return graph;
};

const everybody = (): boolean => true;

/** Two take two locks, each the other's first. */
const TWO_LOCKS: Rules = {
  free: { 0: "0 has a", 1: "1 has b" },
  "0 has a": { 0: "0 has both", 1: "each has one" },
  "1 has b": { 0: "each has one", 1: "1 has both" },
  "0 has both": { 0: "done" },
  "1 has both": { 1: "done" },
  "each has one": {},
  done: {},
};

/** They are polite: whoever finds the other's lock taken gives its own back, and tries again. */
const POLITE: Rules = {
  ...TWO_LOCKS,
  "each has one": { 0: "1 has b", 1: "0 has a" },
};

it("a planted deadlock is found, with a shortest way to it", () => {
  const graph = graphOf(TWO_LOCKS);
  expect(fairCycles(graph, everybody)).toEqual([]);
  expect([...graph.wrong.values()]).toEqual([{ violation: STUCK, path: [0, 1], atRest: true }]);
});

it("a planted livelock is found: both take steps for ever, and neither gets both locks", () => {
  const graph = graphOf(POLITE);
  expect(graph.wrong.size).toBe(0);
  const [cycle, ...others] = fairCycles(graph, everybody);
  // States are numbered as they are met: the third is the one in which the first actor has both.
  expect([others, cycle?.states, cycle?.actors]).toEqual([[], [1, 2, 4], [0, 1]]);
});

it("the run of a livelock begins where it goes round, and comes back there", () => {
  const graph = graphOf(POLITE);
  const { stem, loop } = lassoOf(graph, fairCycles(graph, everybody)[0]!);
  const toy = new Toy(POLITE);
  toy.reset();
  const states = [...stem, ...loop].map((choice) => {
    toy.choose(choice);
    const here = new Uint8Array(4);
    toy.save(here, 0);
    return here[0];
  });
  expect(states.at(-1)).toBe(states[stem.length - 1]);
  expect(loop.length).toBeGreaterThan(1);
});

it("who goes round only because another is never given a turn does no wrong", () => {
  const spins = { begin: { 0: "begin", 1: "done" }, done: {} };
  expect(fairCycles(graphOf(spins), everybody)).toEqual([]);
  expect(fairCycles(graphOf(spins), (actor) => actor !== 1)).toMatchObject([{ actors: [0] }]);
});

it("who cannot always go on may be passed by: that is weak fairness, and no more", () => {
  const passes = { open: { 0: "shut", 1: "done" }, shut: { 0: "open" }, done: {} };
  expect(fairCycles(graphOf(passes), everybody)).toMatchObject([{ states: [0, 1], actors: [0] }]);
});

it("a state that leads to itself goes round", () => {
  const cycle = fairCycles(graphOf({ begin: { 0: "again" }, again: { 0: "again" } }), everybody);
  expect(cycle).toMatchObject([{ states: [1], actors: [0] }]);
});

it("a step that turns out not to exist is none", () => {
  const graph = graphOf({ begin: { 0: "nowhere", 1: "done" }, done: {} });
  expect([graph.targets, graph.actors, graph.states]).toEqual([[1], [1], 2]);
});
