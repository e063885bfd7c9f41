import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import { hashWords } from "../../fingerprint.ts";
import type { Programs } from "../configurations/programs.ts";
import type { Arena } from "../memory/arena.ts";
import type { Cells } from "../memory/cells.ts";
import { LINE_WORDS } from "../memory/line.ts";
import { type LikeUser, likeUsersOf } from "./like-user.ts";
import { PartHashes, type PartWord } from "./part-hashes.ts";

const WORDS = Array.from({ length: LINE_WORDS }, (_, word) => word);
const lineOf = (place: number): number => Math.floor(place / LINE_WORDS);

/** Words of the arena that a stack has, to the end of its last line. */
const wordsOfStack = (arena: Arena, stack: Uint32Array): number[] => {
  const [first, end] = arena.wordsOf(arena.pieceOf(stack));
  return Array.from({ length: end - first }, (_, at) => first + at);
};

/** Who has interrupts off on a vCPU. */
const [NOBODY, OWN_USER, SOMEBODY] = [0, 1, 2];
const ownerOf = (off: number, task: number): number =>
  off === 0 ? NOBODY : off === task + 1 ? OWN_USER : SOMEBODY + off;

/** What a user has: interrupts off, other words, and then the stack. */
const wordsOf = ({ words, stack, task }: LikeUser, arena: Arena): PartWord[] => [
  ...words.map(({ place, always }, index) => {
    if (index === 0) return { place, index, says: (off: number) => ownerOf(off, task) };
    return { place, index, says: always === undefined ? undefined : (value: number) => value ^ always };
  }),
  ...wordsOfStack(arena, stack).map((place, at) => ({ place, index: words.length + at })),
];

/** Words of what a step changes, see LikeUsers.difference: who goes without a name, and twice a part and the halves of its hash. */
const CHANGE = { NAMELESS: 0, FIRST: 1, SECOND: 4 } as const;
const CHANGED_PARTS = [CHANGE.FIRST, CHANGE.SECOND];
export const CHANGE_WORDS = 7;
/** More users than that have no bit each. */
const MOST_BITS = 31;

/**
 * Users who do the same are interchangeable: it counts where each of them has come to, and not who of them that is. So what each of
 * them has is hashed apart from the rest of the key, and without a name; then these hashes are added up. What is left of their lines is
 * the last part.
 *
 * A vCPU keeps its name while something else may refer to it: while the VMM has to do with it, while one of its tasks holds a
 * lock, and where its memory no longer is what it was at first and that differs among vCPUs.
 */
export class LikeUsers {
  /** Lines of the arena that are told here, and nowhere else in the key, if names are left out. */
  readonly lines: ReadonlySet<number>;
  /** What follows a search's origin. */
  readonly parts: PartHashes;
  /** Whether names are left out. Otherwise nothing is told here. */
  nameless = false;
  private readonly machine: Machine;
  private readonly words: Uint32Array;
  private readonly users: readonly LikeUser[];
  /** Words of these lines that belong to no such user. */
  private readonly rest: readonly number[];
  private readonly keyWords: number;
  /** Of what the machine holds now: hashes of parts, bits of those that differ from the origin, and bits of who goes without a name. */
  private readonly sums: Uint32Array;
  private changed = 0;
  private namelessUsers = 0;
  /** Of the origin: by user the hash with the name, all of these added up, and bits of who goes without a name. */
  private readonly there: Uint32Array;
  private readonly thereSum = new Uint32Array(2);
  private namelessThere = 0;
  private readonly named = new Uint32Array(3);
  private readonly own = new Uint32Array(2);
  private readonly halves = new Uint32Array(2);

  /** The machine is in the state in which the search begins. */
  constructor(machine: Machine, programs: Programs, arena: Arena) {
    this.machine = machine;
    this.words = arena.words;
    this.users = likeUsersOf(machine, programs, arena);
    const told = this.users.map((user) => wordsOf(user, arena));
    const isTold = new Set(told.flat().map(({ place }) => place));
    this.lines = new Set([...isTold].map(lineOf));
    const all = [...this.lines].flatMap((line) => WORDS.map((word) => line * LINE_WORDS + word));
    this.rest = all.filter((place) => !isTold.has(place));
    this.parts = new PartHashes(arena.words, [...told, this.rest.map((place, index) => ({ place, index }))]);
    this.sums = new Uint32Array(2 * (this.users.length + 1));
    this.there = new Uint32Array(2 * this.users.length);
    this.keyWords = told.reduce((words, { length }) => words + length + 2, this.rest.length);
  }

  /** Bytes that this adds to a key at most. */
  get keyBytes(): number {
    return this.users.length === 0 ? 0 : 4 * this.keyWords;
  }

  /** Whether there is anything to tell. */
  get tells(): boolean {
    return this.nameless && this.users.length > 0;
  }

  /** Makes a fingerprint of all else one of the whole state. */
  addTo(halves: Uint32Array, cells: Cells): void {
    if (!this.tells) return;
    const { users, sums, parts } = this;
    sums.set(parts.sums);
    this.changed = parts.change(cells.differing(), sums);
    this.namelessUsers = this.withoutName();
    let low = sums[2 * users.length]!;
    let high = sums[2 * users.length + 1]!;
    let [lows, highs] = [0, 0];
    for (let user = 0; user < users.length; user++) {
      this.hashUser(user, sums[2 * user]!, sums[2 * user + 1]!, this.namelessUsers);
      // A sum does not see the order, and unlike a sum of bits it sees two that are equal.
      lows = (lows + this.halves[0]!) | 0;
      highs = (highs + this.halves[1]!) | 0;
    }
    low ^= lows;
    high ^= highs;
    halves[0]! ^= low;
    halves[1]! ^= high;
  }

  private hashUser(user: number, low: number, high: number, nameless: number): void {
    const { named } = this;
    const { vcpu, group } = this.users[user]!;
    named[0] = low;
    named[1] = high;
    named[2] = ((nameless >>> user) & 1) === 1 ? -1 - group : vcpu;
    hashWords(named, 3, 0, this.halves);
  }

  /** Bits of the users who go without a name; one without a bit has one. */
  private withoutName(): number {
    const { users } = this;
    let bits = 0;
    for (let user = 0; user < users.length && user < MOST_BITS; user++)
      if (this.hasNoName(users[user]!)) bits |= 1 << user;
    return bits;
  }

  private hasNoName({ words: own, fixed, vcpu, task }: LikeUser): boolean {
    const { words } = this;
    if (ownerOf(words[own[0]!.place]!, task) > OWN_USER) return false;
    for (const { place, always } of fixed) if (words[place] !== always) return false;
    return this.isAlone(vcpu);
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

  /** The machine is at the origin, from which choices are foreseen. */
  look(): void {
    const { users, there, thereSum, halves, parts } = this;
    const nameless = this.withoutName();
    thereSum.fill(0);
    for (let user = 0; user < users.length; user++) {
      this.hashUser(user, parts.sums[2 * user]!, parts.sums[2 * user + 1]!, nameless);
      there[2 * user] = halves[0]!;
      there[2 * user + 1] = halves[1]!;
      thereSum[0]! += halves[0]!;
      thereSum[1]! += halves[1]!;
    }
    this.namelessThere = nameless;
  }

  /**
   * Writes what was told last, see addTo, as what differs from the origin.
   *
   * @param to has room for CHANGE_WORDS @returns false if it is more than that
   */
  difference(to: Uint32Array): boolean {
    const { users, sums, parts } = this;
    to.fill(0, 0, CHANGE_WORDS);
    to[CHANGE.NAMELESS] = this.namelessUsers;
    if (users.length > MOST_BITS) return false;
    let place = 0;
    for (let bits = this.changed; bits !== 0; bits &= bits - 1) {
      if (place === CHANGED_PARTS.length) return false;
      const part = 31 - Math.clz32(bits & -bits);
      const at = CHANGED_PARTS[place++]!;
      to[at] = part + 1;
      to[at + 1] = sums[2 * part]! ^ parts.sums[2 * part]!;
      to[at + 2] = sums[2 * part + 1]! ^ parts.sums[2 * part + 1]!;
    }
    return true;
  }

  /** `addTo`, of a state that differs from the origin as was written from this place on. */
  addForeseen(halves: Uint32Array, from: Uint32Array, at: number): void {
    const { users, there, thereSum, own } = this;
    const nameless = from[at + CHANGE.NAMELESS]!;
    const rest = users.length;
    let changed = nameless ^ this.namelessThere;
    let [low, high] = [thereSum[0]!, thereSum[1]!];
    for (const place of CHANGED_PARTS) {
      const part = from[at + place]! - 1;
      if (part >= 0 && part < rest) changed |= 1 << part;
    }
    for (; changed !== 0; changed &= changed - 1) {
      const user = 31 - Math.clz32(changed & -changed);
      this.partAfter(user, from, at);
      this.hashUser(user, own[0]!, own[1]!, nameless);
      low = (low - there[2 * user]! + this.halves[0]!) | 0;
      high = (high - there[2 * user + 1]! + this.halves[1]!) | 0;
    }
    this.partAfter(rest, from, at);
    halves[0]! ^= low ^ own[0]!;
    halves[1]! ^= high ^ own[1]!;
  }

  /** Hash of a part after a change that is written from this place on. */
  private partAfter(part: number, from: Uint32Array, at: number): void {
    const { own, parts } = this;
    own[0] = parts.sums[2 * part]!;
    own[1] = parts.sums[2 * part + 1]!;
    for (const place of CHANGED_PARTS) {
      if (from[at + place] !== part + 1) continue;
      own[0] ^= from[at + place + 1]!;
      own[1] ^= from[at + place + 2]!;
    }
  }

  /** Asserts that hashes that are kept up to date are those of what the machine holds. */
  verify(cells: Cells): void {
    if (!this.tells) return;
    const { parts, sums } = this;
    const all = new Uint32Array(sums.length);
    parts.takeAll(all);
    sums.set(parts.sums);
    parts.change(cells.differing(), sums);
    assert(
      all.every((half, at) => half === sums[at]),
      "what is kept of like users is what they have",
    );
  }

  /** Writes what is missing of a key. @returns bytes written */
  write(into: Uint8Array, at: number): number {
    if (!this.tells) return 0;
    const { users, rest, words } = this;
    const nameless = this.withoutName();
    const told = users.map((user, number) => [
      ((nameless >>> number) & 1) === 1 ? -1 - user.group : user.vcpu,
      ...this.parts.said(number),
    ]);
    told.sort(byContent);
    const all = Uint32Array.from([
      ...rest.map((place) => words[place]!),
      ...told.flatMap((one) => [one.length, ...one]),
    ]);
    into.set(new Uint8Array(all.buffer), at);
    return all.byteLength;
  }
}

/** Lists of numbers by the first that differs, shorter ones first. */
const byContent = (one: readonly number[], other: readonly number[]): number => {
  if (one.length !== other.length) return one.length - other.length;
  const at = one.findIndex((word, index) => word !== other[index]);
  return at < 0 ? 0 : one[at]! - other[at]!;
};
