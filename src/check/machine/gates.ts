import type { Machine } from "../../machine/machine.ts";
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
}

/** All lines are always compared. */
export const openGates = (lines: readonly number[]): Gates => ({
  groups: lines.map(() => 0),
  opens: lines.map(() => 0),
  tellers: [],
});

/** The group of an actor's stack. */
export const groupOfActor = (actor: number): number => actor + 1;

/**
 * Behind its first line an actor's stack changes only as the actor moves, or as it gets something to do, which changes the first
 * line. Uses and owners of pages are changed by those who count the changes.
 */
export const gatesOf = (
  { tasks: { actors }, kernel: { mm } }: Machine,
  arena: Arena,
  lines: readonly number[],
): Gates => {
  const { groups, opens } = openGates(lines);
  const [gated, opening] = [[...groups], [...opens]];
  const within = ({ buffer, byteOffset, byteLength }: ArrayBufferView, line: number): boolean =>
    buffer === arena.buffer && byteOffset <= line * LINE_BYTES && line * LINE_BYTES < byteOffset + byteLength;
  const gate = (view: ArrayBufferView, group: number, hasOpener: boolean): void => {
    for (const [number, line] of lines.entries()) {
      if (!within(view, line)) continue;
      if (hasOpener && line * LINE_BYTES === view.byteOffset) opening[number] = group;
      else gated[number] = group;
    }
  };
  for (const { words, index } of actors) gate(words, groupOfActor(index), true);
  const [uses, owners] = [groupOfActor(actors.length), groupOfActor(actors.length + 1)];
  gate(mm.use, uses, false);
  gate(mm.owners.pool, owners, false);
  return {
    groups: gated,
    opens: opening,
    tellers: [
      { group: uses, version: () => mm.version },
      { group: owners, version: () => mm.owners.version },
    ],
  };
};
