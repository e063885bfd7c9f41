import type { Machine } from "../../../machine/machine.ts";
import { VCPU_WORDS } from "../../../tdx-module/td-words.ts";
import type { Programs } from "../configurations/programs.ts";
import type { Arena } from "../memory/arena.ts";

/** Words of the arena: its place, and what it holds at first where that differs among like users. */
export interface OwnWord {
  readonly place: number;
  readonly always: number | undefined;
}

/** A user who does the same as others. */
export interface LikeUser {
  readonly vcpu: number;
  /** Number of the user's task. */
  readonly task: number;
  /** Number of those who do the same. */
  readonly group: number;
  /** Memory of this vCPU and its user, the same of each user in the same order. Interrupts off come first. */
  readonly words: readonly OwnWord[];
  /** Those of them that are other ones for each user at first. */
  readonly fixed: readonly OwnWord[];
  readonly stack: Uint32Array;
}

/** Numbers of vCPUs whose users do the same, and on which no worker of a device runs. TDX only. */
const likeVcpus = ({ tasks, platform, config: { vcpus } }: Machine, programs: Programs): number[][] => {
  const homes = new Set([...tasks.workers, tasks.acpi].map(({ frame }) => frame.vcpu));
  const groups = new Map<string, number[]>();
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    const deeds = programs.deedsOf(vcpu);
    if (platform.name !== "tdx" || homes.has(vcpu) || deeds === "") continue;
    groups.set(deeds, [...(groups.get(deeds) ?? []), vcpu]);
  }
  return [...groups.values()].filter(({ length }) => length > 1);
};

type Row = Int32Array | Uint32Array | Float64Array;

/** Numbers of the arena's words that elements [first, first + count) of an array are. */
const placesOf = (row: Row, first: number, count: number): number[] => {
  const words = row.BYTES_PER_ELEMENT / 4;
  return Array.from({ length: count * words }, (_, at) => row.byteOffset / 4 + first * words + at);
};

/** What of the machine's memory is one vCPU's or its user's alone, but for the stack. */
const memoryOf = (machine: Machine, programs: Programs, vcpu: number): number[] => {
  const { kernel, tasks, tdx } = machine;
  const { task } = tasks.users[vcpu]!.frame;
  const { starts, ends, leavingStarts, leavingEnds } = kernel.accepting;
  const regs = machine.cpus.regs(vcpu);
  return [
    ...placesOf(kernel.cpus.irqsOff, vcpu, 1),
    ...[starts, ends, leavingStarts, leavingEnds].flatMap((row) => placesOf(row, task, 1)),
    ...placesOf(tdx.td.vcpus, vcpu * VCPU_WORDS, VCPU_WORDS),
    ...placesOf(regs, 0, regs.length),
    ...programs.numbersOf(vcpu).flatMap((program) => placesOf(programs.places, program, 1)),
  ];
};

/** All users who do the same as others. The machine is in the state in which the search begins. */
export const likeUsersOf = (machine: Machine, programs: Programs, { words }: Arena): LikeUser[] =>
  likeVcpus(machine, programs).flatMap((vcpus, group) => {
    const memories = vcpus.map((vcpu) => memoryOf(machine, programs, vcpu));
    const differs = memories[0]!.map((place, at) =>
      memories.some((other) => words[other[at]!] !== words[place]),
    );
    return vcpus.map((vcpu, user) => {
      const { words: there, frame } = machine.tasks.users[vcpu]!;
      const own = memories[user]!.map((place, at) => ({
        place,
        always: differs[at] ? words[place] : undefined,
      }));
      const fixed = own.filter(({ always }) => always !== undefined);
      const stack = new Uint32Array(there.buffer, there.byteOffset, there.byteLength / 4);
      return { vcpu, task: frame.task, group, words: own, fixed, stack };
    });
  });
