import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { Arena } from "./arena.ts";
import { LINE_BYTES } from "./line.ts";

/** Something that counts the changes of a group of lines. */
interface Teller {
  readonly group: number;
  readonly version: () => number;
}

/**
 * Which lines have to be compared after a step: most memory is the stacks of actors that did not move, and what the kernel keeps of
 * pages that nobody touched. Group 0 is always compared, another one only where something tells that it may have changed.
 */
export interface Gates {
  /** By line: its group. */
  readonly groups: readonly number[];
  /** By line: the group that is compared as well where this line differs; 0: none. */
  readonly opens: readonly number[];
  readonly tellers: readonly Teller[];
  /** By line: number of the actor in whose stack it is, plus 1; behind the actors, of what is hashed apart beside them; 0: nobody's. */
  readonly owners: readonly number[];
  /** How many owners there are. */
  readonly owning: number;
}

/** All lines are always compared. */
export const openGates = (lines: readonly number[]): Gates => ({
  groups: lines.map(() => 0),
  opens: lines.map(() => 0),
  tellers: [],
  owners: lines.map(() => 0),
  owning: 0,
});

/** The group of an actor's stack. */
export const groupOfActor = (actor: number): number => actor + 1;

const usesGroup = ({ tasks }: Machine): number => groupOfActor(tasks.actors.length);
const ownersGroup = (machine: Machine): number => usesGroup(machine) + 1;

/**
 * By line of an arena, of those given: its group. Behind its first line an actor's stack changes only as the actor moves, or as it
 * gets something to do, which changes the first line. Uses and owners of pages are changed by those who count the changes.
 */
export const groupsOf = (
  machine: Machine,
  arena: Arena,
  lines: readonly number[],
): ReadonlyMap<number, number> => {
  const { tasks, kernel } = machine;
  const gated: readonly (readonly [view: ArrayBufferView, from: number, group: number])[] = [
    ...tasks.actors.map(({ words, index }) => [words, 1, groupOfActor(index)] as const),
    [kernel.mm.use, 0, usesGroup(machine)],
    [kernel.mm.owners.pool, 0, ownersGroup(machine)],
  ];
  const groups = new Map(lines.map((line) => [line, 0]));
  for (const [{ buffer, byteOffset, byteLength }, from, group] of gated) {
    assert(buffer === arena.buffer, "what is compared lies in the arena");
    for (const line of lines)
      if (byteOffset + from * LINE_BYTES <= line * LINE_BYTES && line * LINE_BYTES < byteOffset + byteLength)
        groups.set(line, group);
  }
  return groups;
};

/**
 * @param lines in the order of their groups
 * @param aside views whose lines are hashed apart, as stacks are
 */
export const gatesOf = (
  machine: Machine,
  arena: Arena,
  lines: readonly number[],
  groupOf: ReadonlyMap<number, number>,
  aside: readonly ArrayBufferView[] = [],
): Gates => {
  const { tasks, kernel } = machine;
  const { mm } = kernel;
  const stacks = new Map(
    tasks.actors.map(({ words, index }) => [words.byteOffset / LINE_BYTES, groupOfActor(index)]),
  );
  const groups = lines.map((line) => groupOf.get(line)!);
  const opens = lines.map((line) => stacks.get(line) ?? 0);
  const actors = tasks.actors.length;
  const pieces = new Map(aside.map((view, number) => [arena.pieceOf(view), actors + number + 1]));
  // An actor's group has its number, plus 1.
  const ownerOf = (group: number, place: number): number =>
    0 < group && group < usesGroup(machine)
      ? group
      : opens[place]! || (pieces.get(arena.pieceOfLine(lines[place]!)) ?? 0);
  return {
    ...{ groups, opens },
    owners: groups.map(ownerOf),
    owning: actors + aside.length,
    tellers: [
      { group: usesGroup(machine), version: () => mm.version },
      { group: ownersGroup(machine), version: () => mm.owners.version },
    ],
  };
};
