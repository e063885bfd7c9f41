import type { StateGraph } from "./state-graph.ts";

const NONE = -1;

/** States that can go round among themselves for ever, with nobody left out who could always go on. */
export interface FairCycle {
  readonly states: readonly number[];
  /** Who takes steps between them. */
  readonly actors: readonly number[];
}

/** A run that never ends: to where it begins to go round, and once around. */
export interface Lasso {
  readonly stem: readonly number[];
  readonly loop: readonly number[];
}

/** Strongly connected components, by state. @source R. Tarjan, Depth-first search and linear graph algorithms, 1972 */
const componentsOf = ({ firsts, targets }: StateGraph): Int32Array => {
  const states = firsts.length - 1;
  const [index, component] = [new Int32Array(states).fill(NONE), new Int32Array(states).fill(NONE)];
  const [low, at] = [new Int32Array(states), new Float64Array(states)];
  const [open, path]: [number[], number[]] = [[], []];
  let [met, found] = [0, 0];
  const enter = (state: number): void => {
    index[state] = low[state] = met++;
    at[state] = firsts[state]!;
    open.push(state);
    path.push(state);
  };
  const leave = (state: number): void => {
    path.pop();
    const parent = path.at(-1);
    if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[state]!);
    if (low[state] !== index[state]) return;
    for (let member = open.pop()!; ; member = open.pop()!) {
      component[member] = found;
      if (member === state) break;
    }
    found++;
  };
  for (let root = 0; root < states; root++) {
    if (index[root] === NONE) enter(root);
    while (path.length > 0) {
      const state = path.at(-1)!;
      if (at[state] === firsts[state + 1]) {
        leave(state);
        continue;
      }
      const target = targets[at[state]!++]!;
      if (target === NONE || target >= states) continue;
      if (index[target] === NONE) enter(target);
      else if (component[target] === NONE) low[state] = Math.min(low[state]!, index[target]!);
    }
  }
  return component;
};

/** By component with a step inside: its states. */
const roundsOf = ({ firsts, targets }: StateGraph, component: Int32Array): ReadonlyMap<number, number[]> => {
  const goesRound = new Set<number>();
  for (let state = 0; state < component.length; state++)
    for (let step = firsts[state]!; step < firsts[state + 1]!; step++)
      if (component[targets[step]!] === component[state]) goesRound.add(component[state]!);
  const rounds = new Map<number, number[]>();
  for (const number of goesRound) rounds.set(number, []);
  for (const [state, number] of component.entries()) rounds.get(number)?.push(state);
  return rounds;
};

/**
 * Where a system may go round for ever although everybody who could always go on gets a turn (weak fairness): whoever
 * has to be given turns either takes a step there, or cannot in one of the states. A part of such states has no
 * other answer than the whole, so that looking at the largest parts is exact.
 *
 * @param graph complete
 * @param isFair whether an actor that can go on is given a turn some time; false for one that acts if it likes
 */
export const fairCycles = (graph: StateGraph, isFair: (actor: number) => boolean): FairCycle[] => {
  const { firsts, targets, actors } = graph;
  const component = componentsOf(graph);
  return [...roundsOf(graph, component).values()].flatMap((states) => {
    const inside = new Set<number>();
    /** By actor: in how many of the states it can go on. */
    const able = new Map<number, number>();
    for (const state of states) {
      const here = new Set<number>();
      for (let step = firsts[state]!; step < firsts[state + 1]!; step++) {
        here.add(actors[step]!);
        if (component[targets[step]!] === component[state]) inside.add(actors[step]!);
      }
      for (const actor of here) able.set(actor, (able.get(actor) ?? 0) + 1);
    }
    const leftOut = [...able].some(
      ([actor, count]) => count === states.length && isFair(actor) && !inside.has(actor),
    );
    return leftOut ? [] : [{ states, actors: [...inside].sort((a, b) => a - b) }];
  });
};

/** Steps of a shortest way inside some states to one that `isEnd` takes; the last of them is that step. */
const wayTo = (
  { firsts, targets }: StateGraph,
  inside: ReadonlySet<number>,
  from: number,
  isEnd: (step: number) => boolean,
): number[] => {
  const via = new Map<number, readonly [from: number, step: number]>();
  const queue = [from];
  for (const state of queue)
    for (let step = firsts[state]!; step < firsts[state + 1]!; step++) {
      const target = targets[step]!;
      if (!inside.has(target)) continue;
      if (isEnd(step)) {
        const way = [step];
        for (let at = state; at !== from; at = via.get(at)![0]) way.push(via.get(at)![1]);
        return way.reverse();
      }
      if (target === from || via.has(target)) continue;
      via.set(target, [state, step]);
      queue.push(target);
    }
  return [];
};

const canGoOn = ({ firsts, actors }: StateGraph, state: number, actor: number): boolean => {
  for (let step = firsts[state]!; step < firsts[state + 1]!; step++) if (actors[step] === actor) return true;
  return false;
};

/**
 * A run through a fair cycle in which each of its actors takes a step, and whoever else could go on meets a state in which
 * it cannot; and back to where it began.
 */
export const lassoOf = (graph: StateGraph, { states, actors }: FairCycle): Lasso => {
  const { targets, choices } = graph;
  const inside = new Set(states);
  const first = Math.min(...states);
  const loop: number[] = [];
  const here = (): number => (loop.length === 0 ? first : targets[loop.at(-1)!]!);
  for (const actor of actors)
    if (!loop.some((step) => graph.actors[step] === actor))
      loop.push(...wayTo(graph, inside, here(), (step) => graph.actors[step] === actor));
  const others = new Set(graph.actors.slice(graph.firsts[first], graph.firsts[first + 1]));
  for (const other of others)
    if (!actors.includes(other) && loop.every((step) => canGoOn(graph, targets[step]!, other)))
      loop.push(...wayTo(graph, inside, here(), (step) => !canGoOn(graph, targets[step]!, other)));
  if (here() !== first) loop.push(...wayTo(graph, inside, here(), (step) => targets[step] === first));
  return { stem: graph.pathTo(first), loop: loop.map((step) => choices[step]!) };
};
