/**
 * What the explorer explores: something with a state, a finite number of ways to go on from it, and rules that hold.
 *
 * One object holds one current state. The explorer moves it about: it restores a saved state, asks how many choices
 * there are, takes one, and saves what came out. Everything but the current state is fixed for the object's life,
 * so two objects of one configuration, in two threads, agree on every number that they answer.
 *
 * A choice is whatever the outside decides: which actor takes the next step, what a fault point answers, what an
 * open policy of the VMM does. It is named twice: by its index among the choices of the current state, which is
 * fast, and by its token, which means the same in every state and every configuration that has it.
 *
 * Buffers may lie in shared memory. No method allocates on the way, save `label` and `violationText`.
 */
export interface System {
  /** Bytes that a saved state needs at most. Fixed. */
  readonly stateBytes: number;
  /** Bytes that a key needs at most. Fixed. */
  readonly keyBytes: number;
  /**
   * What was met so far, one bit a goal: the explorer asks in the end which goals no run reached. Bits are set by
   * `choose` and never cleared by the system; they are no part of the state.
   */
  readonly goals: Uint32Array;

  /** Puts the system into its initial state. Always the same one. */
  reset(): void;
  /** Writes all that `restore` needs. @returns the number of bytes written, `stateBytes` at most */
  save(into: Uint8Array, at: number): number;
  /** Goes back to a saved state, whatever the current one is, also in the middle of a choice that threw. */
  restore(from: Uint8Array, at: number, length: number): void;
  /** Goes back to the state that was restored last, for a system that does so in less time than it restores one. */
  back?(): void;
  /**
   * Saves the current state as one of a chain, as what differs from the one before, for a system that does so in less time and
   * fewer bytes; it then has `back` and `restoreNext`, and no state has more than MOST_CHAINED_CHOICES choices.
   *
   * @param first begins a chain: writes what `save` writes @returns the number of bytes written, `stateBytes` at most
   */
  saveNext?(into: Uint8Array, at: number, first: boolean): number;
  /** Goes to a state of a chain from the one before it, which is the state that was restored last; to the first by `restore`. */
  restoreNext?(from: Uint8Array, at: number, length: number): void;

  /**
   * Writes what tells this state from others: equal keys go on alike. It leaves out what no later step looks at
   * (clocks, counters), and under symmetry it is the canonical form: the same for all states that differ only in
   * the names of interchangeable things. @returns the number of bytes written, `keyBytes` at most
   */
  key(into: Uint8Array, at: number): number;
  /**
   * A hash of 64 bits of the key as two halves of 32 bits, for a system that keeps one up to date as it goes.
   * Without it the explorer hashes the key. Equal keys give equal halves.
   */
  fingerprint?(halves: Uint32Array): void;

  /**
   * Number of choices to try in the current state, 65,535 at most; 0 when nothing is left to do. Indexes belong to
   * the state in which this was called last: the explorer restores that very state before each of its choices.
   */
  choices(): number;
  /**
   * Takes choice `index` of the current state, 0 to choices() - 1.
   *
   * @returns TAKEN; or DISABLED where it turns out that there is no such transition (a step that blocks, a fault
   *   point that the step does not come to), after which the current state is undefined until the next restore;
   *   or the number, above 0, of the violation that the state after it shows
   */
  choose(index: number): number;
  /**
   * Tells what `choose` would come to in the state that was restored last, for a system that remembers what choices did. It is asked
   * once, before any is taken.
   *
   * @param count choices() @param results by choice: made TAKEN or DISABLED, as `choose` would; or UNFORESEEN: it has to be taken
   * @param firsts and seconds by choice: made the halves of the fingerprint of the state after it, if it is TAKEN
   */
  foresee?(count: number, results: Int8Array, firsts: Uint32Array, seconds: Uint32Array): void;
  /**
   * Goes from the state that was restored last to the one after a choice that was foreseen to be TAKEN, so that it can be saved. What
   * `meet` would note of it is noted already. A system that has `foresee` has this too. @returns false if it has to be taken after all
   */
  takeForeseen?(index: number): boolean;
  /**
   * Called in a state in which no choice could be taken: the machine is at rest, or stuck.
   *
   * @returns TAKEN if that is as it should be, or a violation's number. It may change the current state.
   */
  atRest(): number;

  /** Called in each state that is met for the first time, in walks after each choice: notes which goals the state itself is. */
  meet?(): void;

  /** Who takes choice `index`: a number from 0 up. Faults and policies may count as actors of their own. */
  actor(index: number): number;
  /** What choice `index` is, whatever the state: a whole number from 0 to 2^32 - 1. */
  token(index: number): number;
  /** Choice `index` in words, for stories. */
  label(index: number): string;
  /** A violation in words: the rule's number first, then what it says. */
  violationText(violation: number): string;

  /**
   * Partial order: marks with 1 choices that are enough to try in the current state, because each of the others is
   * independent of them for as long as none of them is taken, and because none of them can make or unmake a
   * violation. `marks` has choices() bytes, all 0. The explorer sees to it that no choice is put off forever.
   *
   * @returns false if no proper part is enough; marks are then ignored
   */
  ample?(marks: Uint8Array): boolean;

  /** Bytes that it takes for what it remembers of states and choices, which grow as it is searched. Absent: none. */
  readonly memoryBytes?: number;
  /** Is told how many bytes a search may take, so that it remembers no more than its part of them. Called before the search. */
  boundMemory?(bytes: number): void;

  /**
   * Looks whether `save` has saved all that choices changed so far. A search asks now and then, and in the end.
   *
   * @throws what tells that it has not: nothing of the search is worth anything then
   */
  verify?(): void;
}

/** The choice was taken and nothing is wrong. */
export const TAKEN = 0;
/** There is no such transition. */
export const DISABLED = -1;
/** What a choice would come to is not known. */
export const UNFORESEEN = -2;

/** Opens systems of configurations, the same way in every thread: a configuration is plain JSON. */
export type OpenSystem<Configuration> = (configuration: Configuration) => System;
