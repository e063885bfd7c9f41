import { assert } from "../assert.ts";

/**
 * Code cut into steps, so that everything a running call needs lies in flat state.
 *
 * A kernel function that the scheduler may stop in the middle is written as a procedure: named slots for
 * its arguments and locals, and named steps. A step reads and writes its slots, does one thing that others
 * can see, and answers where to go on. The call stack is a range of numbers, hence a snapshot of a machine
 * with four vCPUs deep inside accept_memory() is a copy of bytes.
 */
export type Step<K> = (k: K, f: Frame<K>) => Next;

/** Where a step goes on: a label (0 or more) or one of the constants below. */
export type Next = number;
/** The procedure returns; its value was set with `f.returns(value)`. */
export const RETURN: Next = -1;
/** A callee was pushed by `f.call(...)`; the caller goes on at the label given there. */
export const CALL: Next = -2;
/** The step has to be done again (an instruction that did not retire); something may have changed. */
export const AGAIN: Next = -3;
/** The step changed nothing and cannot go on before somebody else changes something. */
export const BLOCKED: Next = -4;

export interface Procedure<K> {
  readonly name: string;
  readonly id: number;
  readonly args: number;
  /** Slots of one frame: arguments first, then locals. Locals are zero at entry. */
  readonly slots: number;
  readonly steps: readonly Step<K>[];
  readonly labels: readonly string[];
}

/** Words of a frame before its slots: procedure id, step, base of the caller's frame. */
const HEADER = 3;
const PROCEDURE = 0;
const STEP = 1;
const CALLER = 2;

/** Words of a task before its first frame: base of the top frame (0: idle), last returned value, task number. */
const TASK_HEADER = 3;
const TOP = 0;
const RESULT = 1;

/** More steps than any procedure has. */
const MOST_STEPS = 64;

/** Words of stack a task gets: 40 frames of 16 words, far deeper than any call chain modelled. */
export const TASK_WORDS = 640;

type Slots<A extends readonly string[]> = { readonly [name in A[number]]: number };

interface Shape<
  A extends readonly string[],
  L extends readonly string[],
  S extends readonly [string, ...string[]],
> {
  readonly args: A;
  readonly locals: L;
  /** Labels; the first one is the entry. */
  readonly steps: S;
}

/** All procedures over one context, so that a number in a stack names one of them. */
export class ProcedureTable<K> {
  readonly all: Procedure<K>[] = [];

  /**
   * Declares a procedure: `v` names its slots, `at` its labels, `define` takes the steps.
   * Declaring and defining are two calls so that procedures can call one another in a cycle.
   */
  declare<
    const A extends readonly string[],
    const L extends readonly string[],
    const S extends readonly [string, ...string[]],
  >(name: string, shape: Shape<A, L, S>) {
    const names: readonly string[] = [...shape.args, ...shape.locals];
    assert(new Set(names).size === names.length, () => `${name} names each slot once`);
    assert(HEADER + names.length < TASK_WORDS / 8, () => `${name} has a frame of sane size`);
    const steps: Step<K>[] = [];
    const procedure: Procedure<K> = {
      name,
      id: this.all.length,
      args: shape.args.length,
      slots: names.length,
      steps,
      labels: shape.steps,
    };
    this.all.push(procedure);
    const v = Object.fromEntries(names.map((slot, index) => [slot, index])) as Slots<A> & Slots<L>;
    const at = Object.fromEntries(shape.steps.map((label, index) => [label, index])) as Slots<S>;
    const define = (bodies: { readonly [label in S[number]]: Step<K> }): Procedure<K> => {
      assert(steps.length === 0, () => `${name} is defined once`);
      assert(shape.steps.length <= MOST_STEPS, () => `${name} has at most ${MOST_STEPS} steps`);
      for (const label of shape.steps) steps.push(bodies[label as S[number]]);
      return procedure;
    };
    return { v, at, define, procedure };
  }
}

/** What a step sees of its task: its own slots, and the verbs call, returns and result. */
export class Frame<K> {
  /** Number of the task, for locks and lists that name their owner. */
  readonly task: number;
  /** vCPU whose registers the task's instructions use. */
  readonly vcpu: number;
  private readonly words: Float64Array;
  private readonly table: ProcedureTable<K>;
  private base = 0;

  constructor(table: ProcedureTable<K>, words: Float64Array, task: number, vcpu: number) {
    assert(words.length >= TASK_HEADER + HEADER, "a task has room for a frame");
    this.table = table;
    this.words = words;
    this.task = task;
    this.vcpu = vcpu;
  }

  get(slot: number): number {
    return this.words[this.base + slot]!;
  }

  set(slot: number, value: number): void {
    this.words[this.base + slot] = value;
  }

  /** What the last call returned. Valid in the step that the call named, until the next call. */
  get result(): number {
    return this.words[RESULT]!;
  }

  /** Sets the value that the caller will see as `result`, and ends the procedure. */
  returns(value: number): Next {
    this.words[RESULT] = value;
    return RETURN;
  }

  /** Pushes a callee; this procedure goes on at label `then` with the callee's value in `result`. */
  call(callee: Procedure<K>, then: number, a = 0, b = 0, c = 0, d = 0): Next {
    const words = this.words;
    const top = words[TOP]!;
    words[top + STEP] = then;
    this.push(callee, top + HEADER + this.table.all[words[top + PROCEDURE]!]!.slots, top, a, b, c, d);
    return CALL;
  }

  /** Calls if there is something to call; otherwise goes on at once with the result 0. */
  callIf(callee: Procedure<K> | undefined, then: number, a = 0, b = 0, c = 0, d = 0): Next {
    if (callee !== undefined) return this.call(callee, then, a, b, c, d);
    this.words[RESULT] = 0;
    return then;
  }

  /** Starts a procedure on an idle task. */
  start(callee: Procedure<K>, a = 0, b = 0, c = 0, d = 0): void {
    assert(this.idle, "a task runs one procedure at a time");
    this.words[RESULT] = 0;
    this.push(callee, TASK_HEADER, 0, a, b, c, d);
  }

  get idle(): boolean {
    return this.words[TOP] === 0;
  }

  /** Drops whatever the task was doing. */
  stop(): void {
    this.words[TOP] = 0;
  }

  /**
   * Does one step of the top procedure.
   *
   * @returns the step's own answer: a label, RETURN, CALL, AGAIN or BLOCKED
   */
  step(k: K): Next {
    const words = this.words;
    const top = words[TOP]!;
    this.base = top + HEADER;
    const next = this.table.all[words[top + PROCEDURE]!]!.steps[words[top + STEP]!]!(k, this);
    if (next >= 0) words[top + STEP] = next;
    else if (next === RETURN) words[TOP] = words[top + CALLER]!;
    return next;
  }

  /** The running call chain, outermost first, as "procedure:step". For reports and deadlock messages. */
  backtrace(): string[] {
    const chain: string[] = [];
    for (let base = this.words[TOP]!; base !== 0; base = this.words[base + CALLER]!) {
      const running = this.table.all[this.words[base + PROCEDURE]!]!;
      chain.push(`${running.name}:${running.labels[this.words[base + STEP]!]}`);
    }
    return chain.reverse();
  }

  /** Words behind this one are of calls that ended: the end of the top frame, or of the header of an idle task. */
  get end(): number {
    const top = this.words[TOP]!;
    return top === 0 ? RESULT : top + HEADER + this.table.all[this.words[top + PROCEDURE]!]!.slots;
  }

  /** Number of the step that runs next among all steps of its table's procedures; -1: the task is idle. */
  get place(): number {
    const top = this.words[TOP]!;
    return top === 0 ? -1 : this.words[top + PROCEDURE]! * MOST_STEPS + this.words[top + STEP]!;
  }

  /** Puts down the place of each running procedure, innermost first. @returns numbers in `into`, `from` of them there before */
  placesInto(into: number[], from: number): number {
    const { words } = this;
    let count = from;
    for (let base = words[TOP]!; base !== 0; base = words[base + CALLER]!)
      into[count++] = words[base + PROCEDURE]! * MOST_STEPS + words[base + STEP]!;
    return count;
  }

  /** Label of the step that runs next in the top procedure, or "idle". */
  get where(): string {
    return this.backtrace().at(-1) ?? "idle";
  }

  private push(
    callee: Procedure<K>,
    base: number,
    caller: number,
    a: number,
    b: number,
    c: number,
    d: number,
  ) {
    const words = this.words;
    assert(base + HEADER + callee.slots <= words.length, () => `${callee.name} fits the stack`);
    words[TOP] = base;
    words[base + PROCEDURE] = callee.id;
    words[base + STEP] = 0;
    words[base + CALLER] = caller;
    const first = base + HEADER;
    for (let slot = 4; slot < callee.slots; slot++) words[first + slot] = 0;
    if (callee.slots > 0) words[first] = callee.args > 0 ? a : 0;
    if (callee.slots > 1) words[first + 1] = callee.args > 1 ? b : 0;
    if (callee.slots > 2) words[first + 2] = callee.args > 2 ? c : 0;
    if (callee.slots > 3) words[first + 3] = callee.args > 3 ? d : 0;
  }
}
