import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { Programs } from "../configurations/programs.ts";

/** FNV-1a, 31 bits. @source Fowler, Noll, Vo: the constants */
const numberOfName = (name: string): number => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash >>> 1;
};

/** By actor, program and timer: its name as a number below 2^31. */
export const tokensOf = ({ tasks, kernel }: Machine, programs: Programs): Uint32Array => {
  const people = programs.all.map((_, program) => programs.text(program)[0]);
  const names = [
    ...tasks.actors.map(({ name }) => name),
    ...people.map((who, program) => `${who} ${people.slice(0, program).filter((one) => one === who).length}`),
    ...kernel.virtioMem.map((_, device) => `timer ${device}`),
  ];
  const tokens = Uint32Array.from(names, numberOfName);
  assert(new Set(tokens).size === names.length, "actors differ in their tokens");
  return tokens;
};

/** What an actor, a program or a timer does next. */
export const textOf = ({ tasks }: Machine, programs: Programs, number: number): string => {
  const task = tasks.actors[number];
  if (task !== undefined) return `${task.name}: ${task.frame.where}`;
  const program = number - tasks.actors.length;
  if (program < programs.all.length) return programs.text(program).join(": ");
  return "time: the retry timer of vm0 expires";
};
