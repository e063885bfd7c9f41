import type { Machine } from "../../machine/machine.ts";
import { VCPU_WORDS } from "../../tdx-module/td-words.ts";
import { hashWords } from "../fingerprint.ts";
import type { Arena } from "./arena.ts";
import { LINE_WORDS } from "./line.ts";
import type { Programs } from "./programs.ts";

/** Words of the arena: its place, and what it holds at first where that differs among like users. */
interface OwnWord {
  readonly place: number;
  readonly always: number | undefined;
}

/** A user who does the same as others. */
interface LikeUser {
  readonly vcpu: number;
  /** Number of those who do the same. */
  readonly group: number;
  /** Memory of this vCPU and its user, the same of each user in the same order. Interrupts off come first. */
  readonly words: readonly OwnWord[];
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

const likeUsersOf = (machine: Machine, programs: Programs, { words }: Arena): LikeUser[] =>
  likeVcpus(machine, programs).flatMap((vcpus, group) => {
    const memories = vcpus.map((vcpu) => memoryOf(machine, programs, vcpu));
    const differs = memories[0]!.map((place, at) =>
      memories.some((other) => words[other[at]!] !== words[place]),
    );
    return vcpus.map((vcpu, user) => {
      const { buffer, byteOffset, byteLength } = machine.tasks.users[vcpu]!.words;
      const own = memories[user]!.map((place, at) => ({
        place,
        always: differs[at] ? words[place] : undefined,
      }));
      return { vcpu, group, words: own, stack: new Uint32Array(buffer, byteOffset, byteLength / 4) };
    });
  });

const WORDS = Array.from({ length: LINE_WORDS }, (_, word) => word);

const linesOfStack = (arena: Arena, stack: Uint32Array): number[] => {
  const [first, end] = arena.wordsOf(arena.pieceOf(stack));
  return Array.from({ length: (end - first) / LINE_WORDS }, (_, at) => first / LINE_WORDS + at);
};

/** More than the memory of one vCPU and its user's stack. */
const MOST_WORDS = 4096;
/** Who has interrupts off on a vCPU. */
const [NOBODY, OWN_USER, SOMEBODY] = [0, 1, 2];

/**
 * Users who do the same are interchangeable: it counts where each of them has come to, and not who of them that is. So what each of
 * them has is put down apart from the rest of the key, and without a name; then these parts are sorted.
 *
 * A vCPU keeps its name while something else may refer to it: while the VMM has to do with it, while one of its tasks holds a
 * lock, and where its memory no longer is what it was at first and that differs among vCPUs.
 */
export class LikeUsers {
  /** Lines of the arena that are told here, and nowhere else in the key, if names are left out. */
  readonly lines: ReadonlySet<number>;
  /** Whether names are left out. Otherwise nothing is told here. */
  nameless = false;
  private readonly machine: Machine;
  private readonly words: Uint32Array;
  private readonly users: readonly LikeUser[];
  /** Words of these lines that belong to no such user. */
  private readonly rest: Int32Array;
  private readonly block: Uint32Array;
  private readonly halves = new Uint32Array(2);

  /** The machine is in the state in which the search begins. */
  constructor(machine: Machine, programs: Programs, arena: Arena) {
    this.machine = machine;
    this.words = arena.words;
    this.users = likeUsersOf(machine, programs, arena);
    const told = new Set(this.users.flatMap(({ words }) => words.map(({ place }) => place)));
    const lines = new Set([...told].map((place) => Math.floor(place / LINE_WORDS)));
    const all = [...lines].flatMap((line) => WORDS.map((word) => line * LINE_WORDS + word));
    this.rest = Int32Array.from(all.filter((place) => !told.has(place)));
    this.block = new Uint32Array(Math.max(MOST_WORDS, this.rest.length));
    this.lines = new Set([...lines, ...this.users.flatMap(({ stack }) => linesOfStack(arena, stack))]);
  }

  /** Bytes that this adds to a key at most. */
  get keyBytes(): number {
    return this.users.length === 0 ? 0 : 4 * (this.rest.length + this.users.length * (MOST_WORDS + 1));
  }

  /** Makes a fingerprint of all else one of the whole state. */
  addTo(halves: Uint32Array): void {
    const { users, block, rest, words } = this;
    if (!this.nameless || users.length === 0) return;
    for (let at = 0; at < rest.length; at++) block[at] = words[rest[at]!]!;
    hashWords(block, rest.length, users.length, this.halves);
    let low = this.halves[0]!;
    let high = this.halves[1]!;
    for (const user of users) {
      hashWords(block, this.tell(user), 0, this.halves);
      // A sum does not see the order, and unlike a sum of bits it sees two that are equal.
      low = (low + this.halves[0]!) | 0;
      high = (high + this.halves[1]!) | 0;
    }
    halves[0]! ^= low;
    halves[1]! ^= high;
  }

  /** Writes what is missing of a key. @returns bytes written */
  write(into: Uint8Array, at: number): number {
    const { users, rest, words, block } = this;
    if (!this.nameless || users.length === 0) return 0;
    const told = users.map((user) => [...block.subarray(0, this.tell(user))]);
    told.sort(byContent);
    const all = Uint32Array.from([
      ...Array.from(rest, (place) => words[place]!),
      ...told.flatMap((one) => [one.length, ...one]),
    ]);
    into.set(new Uint8Array(all.buffer), at);
    return all.byteLength;
  }

  /** Puts down what one user has. @returns words */
  private tell({ vcpu, group, words: own, stack }: LikeUser): number {
    const { block, words, machine } = this;
    let mayGo = this.isAlone(vcpu);
    let count = 1;
    for (const { place, always } of own) {
      const value = words[place]!;
      if (always !== undefined && value !== always) mayGo = false;
      block[count++] = always === undefined ? value : value ^ always;
    }
    const { frame } = machine.tasks.users[vcpu]!;
    const off = block[1]!;
    block[1] = off === 0 ? NOBODY : off === frame.task + 1 ? OWN_USER : SOMEBODY + off;
    if (block[1] > OWN_USER) mayGo = false;
    block[0] = mayGo ? -1 - group : vcpu;
    const end = 2 * frame.end;
    for (let at = 0; at < end; at++) block[count++] = stack[at]!;
    return count;
  }

  /** Whether nothing but its own memory speaks of a vCPU. */
  private isAlone(vcpu: number): boolean {
    const { tasks, vmm, outside, kernel } = this.machine;
    if (outside[vcpu] !== 0 || vmm.kicks[vcpu] !== 0 || vmm.unresolved[vcpu] !== 0) return false;
    const [thread, user] = [tasks.threads[vcpu]!, tasks.users[vcpu]!];
    if (!thread.idle || !tasks.vcpuThreads[vcpu]!.idle) return false;
    for (const holder of kernel.locks.holder)
      if (holder === thread.frame.task + 1 || holder === user.frame.task + 1) return false;
    return true;
  }
}

/** Lists of numbers by the first that differs, shorter ones first. */
const byContent = (one: readonly number[], other: readonly number[]): number => {
  if (one.length !== other.length) return one.length - other.length;
  const at = one.findIndex((word, index) => word !== other[index]);
  return at < 0 ? 0 : one[at]! - other[at]!;
};
