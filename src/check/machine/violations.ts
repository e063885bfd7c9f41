import { INVARIANTS, type InvariantId } from "../../machine/invariants/table.ts";
import type { Machine } from "../../machine/machine.ts";
import { TAKEN } from "../system.ts";
import { SIGNS } from "./configurations/signs.ts";

/** What ends a story beside a broken invariant. Numbers follow those of the invariants. */
const ENDS = [
  ["panic", "the guest panicked"],
  ["killed", "the VMM ended the guest"],
  ["deadlock", "tasks have work and none of them can ever go on"],
  ["not modelled", "the run met something that is not modelled"],
  ["unmapped", "memory in use is not in the direct map"],
  ["no room", "offlining finds no room for what is in use there, and tries for ever"],
  ["endless", "everybody gets their turn, and what was begun never ends"],
  ["unmet", "nobody has anything left to do, and what the operator asked for is not done"],
  ...SIGNS.map(({ id, says }) => [id, says] as const),
] as const;

const after = (place: number): number => 1 + INVARIANTS.length + place;

export const VIOLATION = {
  PANIC: after(0),
  KILLED: after(1),
  DEADLOCK: after(2),
  NOT_MODELLED: after(3),
  UNMAPPED: after(4),
  NO_ROOM: after(5),
  ENDLESS: after(6),
  UNMET: after(7),
} as const;

const FIRST_SIGN = 8;

/** Whether some rules ask for a sign. */
export const asksForSigns = (rules: readonly string[]): boolean => SIGNS.some(({ id }) => rules.includes(id));

/** Looks for the signs that are among the rules: the number of one that shows, or TAKEN. */
export const signsOf = (machine: Machine, rules: readonly string[]): (() => number) => {
  const wanted = [...SIGNS.entries()].filter(([, { id }]) => rules.includes(id));
  return () => {
    for (const [place, { shows }] of wanted) if (shows(machine)) return after(FIRST_SIGN + place);
    return TAKEN;
  };
};

/** Number of a broken invariant, from 1. */
export const numberOf = (invariant: InvariantId): number =>
  1 + INVARIANTS.findIndex(({ id }) => id === invariant);

/** Its id, such as I2 or panic. */
export const violationId = (violation: number): string =>
  INVARIANTS[violation - 1]?.id ?? ENDS[violation - 1 - INVARIANTS.length]![0];

/** Number of a violation that was told; 0 if nothing is told so. */
export const numberOfText = (text: string): number => {
  for (let violation = 1; violation <= INVARIANTS.length + ENDS.length; violation++)
    if (violationText(violation) === text) return violation;
  return 0;
};

export const violationText = (violation: number): string => {
  const says = INVARIANTS[violation - 1]?.says ?? ENDS[violation - 1 - INVARIANTS.length]![1];
  return `${violationId(violation)}: ${says}`;
};
