import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import { VCPU_WORDS } from "../../../tdx-module/td-words.ts";
import { hashWords } from "../../fingerprint.ts";
import type { Programs } from "../configurations/programs.ts";
import type { Arena } from "../memory/arena.ts";
import { LINE_WORDS } from "../memory/line.ts";

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
const lineOf = (place: number): number => Math.floor(place / LINE_WORDS);

const linesOfStack = (arena: Arena, stack: Uint32Array): number[] => {
  const [first, end] = arena.wordsOf(arena.pieceOf(stack));
  return Array.from({ length: (end - first) / LINE_WORDS }, (_, at) => first / LINE_WORDS + at);
};

/** More than the memory of one vCPU and its user's stack. */
const MOST_WORDS = 4096;
/** Who has interrupts off on a vCPU. */
const [NOBODY, OWN_USER, SOMEBODY] = [0, 1, 2];

/** Bits of the parts whose lines changed, see Cells. */
export interface ApartChanges {
  changedApart(): number;
  takeMovedApart(): number;
}

/** The bit of a part; some may share one, and are told anew together. */
const bitOf = (part: number): number => 1 << (part % 32);

/** By part: what was found out of it at the origin. */
const KEPT = { LOW: 0, HIGH: 1, MAY_GO: 2, WORDS: 3 } as const;

/**
 * Users who do the same are interchangeable: it counts where each of them has come to, and not who of them that is. So what each of
 * them has is put down apart from the rest of the key, and without a name; then these parts are sorted. What is left of their lines is
 * the last part. The hash of a part is kept for as long as none of its lines changes.
 *
 * A vCPU keeps its name while something else may refer to it: while the VMM has to do with it, while one of its tasks holds a
 * lock, and where its memory no longer is what it was at first and that differs among vCPUs.
 */
export class LikeUsers {
  /** Lines of the arena that are told here, and nowhere else in the key, if names are left out: bits of the parts that they are in. */
  readonly lines: ReadonlyMap<number, number>;
  /** Whether names are left out. Otherwise nothing is told here. */
  nameless = false;
  private readonly machine: Machine;
  private readonly words: Uint32Array;
  private readonly users: readonly LikeUser[];
  /** Words of these lines that belong to no such user. */
  private readonly rest: Int32Array;
  private readonly block: Uint32Array;
  private readonly named = new Uint32Array(KEPT.WORDS);
  private readonly halves = new Uint32Array(2);
  private readonly kept: Uint32Array;
  /** Bits of the parts of which what is kept is not of the origin. */
  private stale = 0;

  /** The machine is in the state in which the search begins. */
  constructor(machine: Machine, programs: Programs, arena: Arena) {
    this.machine = machine;
    this.words = arena.words;
    this.users = likeUsersOf(machine, programs, arena);
    const told = new Set(this.users.flatMap(({ words }) => words.map(({ place }) => place)));
    const all = [...new Set([...told].map(lineOf))].flatMap((line) =>
      WORDS.map((word) => line * LINE_WORDS + word),
    );
    this.rest = Int32Array.from(all.filter((place) => !told.has(place)));
    this.block = new Uint32Array(Math.max(MOST_WORDS, this.rest.length));
    this.kept = new Uint32Array((this.users.length + 1) * KEPT.WORDS);
    this.lines = this.linesOf(arena);
  }

  private linesOf(arena: Arena): ReadonlyMap<number, number> {
    const lines = new Map<number, number>();
    const add = (line: number, part: number) => lines.set(line, (lines.get(line) ?? 0) | bitOf(part));
    for (const [part, { words, stack }] of this.users.entries()) {
      for (const { place } of words) add(lineOf(place), part);
      for (const line of linesOfStack(arena, stack)) add(line, part);
    }
    for (const place of this.rest) add(lineOf(place), this.users.length);
    return lines;
  }

  /** Bytes that this adds to a key at most. */
  get keyBytes(): number {
    return this.users.length === 0 ? 0 : 4 * (this.rest.length + this.users.length * (MOST_WORDS + 1));
  }

  /** Whether there is anything to tell. */
  private get tells(): boolean {
    return this.nameless && this.users.length > 0;
  }

  /** Makes a fingerprint of all else one of the whole state. */
  addTo(halves: Uint32Array, changes: ApartChanges): void {
    if (!this.tells) return;
    const { users, kept, named } = this;
    const changed = this.changed(changes);
    let low = 0;
    let high = 0;
    for (let part = 0; part <= users.length; part++) {
      const from = part * KEPT.WORDS;
      const bit = bitOf(part);
      if (((changed | this.stale) & bit) !== 0) {
        this.hashPart(part);
        if ((changed & bit) === 0) for (let at = 0; at < KEPT.WORDS; at++) kept[from + at] = named[at]!;
      } else for (let at = 0; at < KEPT.WORDS; at++) named[at] = kept[from + at]!;
      const user = users[part];
      // A sum does not see the order, and unlike a sum of bits it sees two that are equal.
      if (user !== undefined) named[KEPT.MAY_GO] = this.nameOf(user, named[KEPT.MAY_GO] === 1);
      hashWords(named, KEPT.WORDS, part < users.length ? 0 : users.length, this.halves);
      low = (low + this.halves[0]!) | 0;
      high = (high + this.halves[1]!) | 0;
    }
    this.stale &= changed;
    halves[0]! ^= low;
    halves[1]! ^= high;
  }

  /** Bits of the parts in which the machine differs from the origin. Takes in where the origin moved. */
  private changed(changes: ApartChanges): number {
    this.stale |= changes.takeMovedApart();
    return changes.changedApart();
  }

  /** Asserts that what is kept of parts that did not change is so. */
  verify(changes: ApartChanges): void {
    if (!this.tells) return;
    const known = ~(this.changed(changes) | this.stale);
    for (let part = 0; part <= this.users.length; part++) {
      if ((known & bitOf(part)) === 0) continue;
      this.hashPart(part);
      const isKept = this.named.every((word, at) => word === this.kept[part * KEPT.WORDS + at]);
      assert(isKept, "what is kept of like users is what they have");
    }
  }

  /** Finds out of a part what may be kept. */
  private hashPart(part: number): void {
    const { block, rest, words, named, halves, users } = this;
    const user = users[part];
    let count = rest.length;
    let mayGo = false;
    if (user === undefined) for (let at = 0; at < count; at++) block[at] = words[rest[at]!]!;
    else {
      count = this.tell(user);
      mayGo = block[0] === 1;
    }
    hashWords(block, count, 0, halves);
    named[KEPT.LOW] = halves[0]!;
    named[KEPT.HIGH] = halves[1]!;
    named[KEPT.MAY_GO] = mayGo ? 1 : 0;
  }

  /** Writes what is missing of a key. @returns bytes written */
  write(into: Uint8Array, at: number): number {
    if (!this.tells) return 0;
    const { users, rest, words, block } = this;
    const told = users.map((user) => {
      const [mayGo, ...has] = block.subarray(0, this.tell(user));
      return [this.nameOf(user, mayGo === 1), ...has];
    });
    told.sort(byContent);
    const all = Uint32Array.from([
      ...Array.from(rest, (place) => words[place]!),
      ...told.flatMap((one) => [one.length, ...one]),
    ]);
    into.set(new Uint8Array(all.buffer), at);
    return all.byteLength;
  }

  /** Puts down what one user has, and before it 1 if none of that asks for a name. @returns words */
  private tell({ words: own, stack, vcpu }: LikeUser): number {
    const { block, words, machine } = this;
    let mayGo = true;
    let count = 1;
    for (let at = 0; at < own.length; at++) {
      const { place, always } = own[at]!;
      const value = words[place]!;
      if (always !== undefined && value !== always) mayGo = false;
      block[count++] = always === undefined ? value : value ^ always;
    }
    const { frame } = machine.tasks.users[vcpu]!;
    const off = block[1]!;
    block[1] = off === 0 ? NOBODY : off === frame.task + 1 ? OWN_USER : SOMEBODY + off;
    if (block[1] > OWN_USER) mayGo = false;
    block[0] = mayGo ? 1 : 0;
    const end = 2 * frame.end;
    for (let at = 0; at < end; at++) block[count++] = stack[at]!;
    return count;
  }

  /** What stands for a user: its vCPU, or that of all who do the same. @param mayGo see `tell` */
  private nameOf({ vcpu, group }: LikeUser, mayGo: boolean): number {
    return mayGo && this.isAlone(vcpu) ? -1 - group : vcpu;
  }

  /** Whether nothing but its own memory speaks of a vCPU. */
  private isAlone(vcpu: number): boolean {
    const { tasks, vmm, outside, kernel } = this.machine;
    if (outside[vcpu] !== 0 || vmm.kicks[vcpu] !== 0 || vmm.unresolved[vcpu] !== 0) return false;
    const [thread, user] = [tasks.threads[vcpu]!, tasks.users[vcpu]!];
    if (!thread.idle || !tasks.vcpuThreads[vcpu]!.idle) return false;
    const { holder } = kernel.locks;
    for (let lock = 0; lock < holder.length; lock++)
      if (holder[lock] === thread.frame.task + 1 || holder[lock] === user.frame.task + 1) return false;
    return true;
  }
}

/** Lists of numbers by the first that differs, shorter ones first. */
const byContent = (one: readonly number[], other: readonly number[]): number => {
  if (one.length !== other.length) return one.length - other.length;
  const at = one.findIndex((word, index) => word !== other[index]);
  return at < 0 ? 0 : one[at]! - other[at]!;
};
