import { BLOCKED, type Frame, type Next } from "../../../flat/procedure.ts";
import type { Kernel } from "../../../linux/kernel.ts";
import type { Machine } from "../../../machine/machine.ts";
import { KernelTask } from "../../../machine/tasks.ts";
import type { Vmm } from "../../../vmm/vmm.ts";

const OUT_OF_REACH = new Error("what others can change is out of reach here");
const reach = (): never => {
  throw OUT_OF_REACH;
};

/** Parts of the kernel and the VMM that stay as they are once there is a machine, with all that hangs on them. */
const LASTING: ReadonlySet<string> = new Set([
  ...["geometry", "variant", "options", "design", "platform"],
  ...["layout", "policy"],
]);

/** Every name that a part answers to. */
const namesOf = (part: object): ReadonlySet<string> => {
  const names = new Set<string>();
  for (let at: object = part; at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  return names;
};

/** Whether a field's value is itself all that there is to it: a search sees to it that no field is set to another. */
const isPlain = (value: unknown): boolean =>
  (typeof value !== "object" || value === null) && typeof value !== "function";

/**
 * What stands in for a part of the machine in a trial: it answers what is always the same, and throws at anything else.
 *
 * @param answers what it answers to some names
 */
const standIn = <T extends object>(part: T, answers: ReadonlyMap<string, unknown> = new Map()): T => {
  const fields = new Map(Object.entries(Object.getOwnPropertyDescriptors(part)));
  const descriptorOf = (name: string): PropertyDescriptor => {
    if (answers.has(name)) return { value: answers.get(name) };
    const { value, get = reach }: PropertyDescriptor = fields.get(name) ?? { get: reach };
    return fields.has(name) && get === reach && (LASTING.has(name) || isPlain(value))
      ? { value }
      : { get: reach };
  };
  return Object.create(
    null,
    Object.fromEntries([...namesOf(part)].map((name) => [name, descriptorOf(name)])),
  );
};

/** Where the table's window lies is as fixed as its bits are not. */
const kernelStandIn = (kernel: Kernel): Kernel => {
  const { table } = kernel;
  if (table === undefined) return standIn(kernel);
  const window = new Map(Object.entries({ units: table.units, end: table.end }));
  return standIn(kernel, new Map([["table", standIn(table, window)]]));
};

/** Bytes of what is known of a stack beside its words: objects and a place in a list. */
const TRIED_BYTES = 320;
/** More local steps in a row than any task takes; one that spins is looked at in between. */
const MOST_IN_A_ROW = 1000;

/** A task's stack as it was found, and as it is once all local steps that follow are done; absent: there are none. */
interface Tried {
  readonly before: Uint32Array;
  readonly after: Uint32Array | undefined;
}

/** The stack of a task, and what was found out of its steps, by a hash of what it held. */
interface Stack {
  readonly frame: Frame<Kernel> | Frame<Vmm>;
  readonly words: Uint32Array;
  readonly tried: Map<number, readonly Tried[]>;
  /** Takes a step with a stand-in. */
  readonly step: () => Next;
}

/**
 * Steps that read and write nothing but the stack of the task that takes them, and leave it with work. They commute with all that
 * others do, and no rule looks at stacks, so none of them needs to be taken later than at once.
 *
 * What such a step does follows from that stack alone: a trial tells it for good. The step runs with a stand-in for kernel or VMM,
 * and its stack is put back.
 */
export class LocalSteps {
  private readonly machine: Machine;
  private readonly stacks: readonly Stack[];
  /** Bytes of what was found out, about. */
  bytes = 0;

  /** @param machine its memory stays where it is, and its kernel the same */
  constructor(machine: Machine) {
    this.machine = machine;
    const { tasks, kernel, vmm } = machine;
    const [guest, host] = [kernelStandIn(kernel), standIn(vmm)];
    this.stacks = tasks.actors.map((task) => {
      const { buffer, byteOffset, byteLength } = task.words;
      const words = new Uint32Array(buffer, byteOffset, byteLength / 4);
      const { frame } = task;
      const step = task instanceof KernelTask ? () => task.frame.step(guest) : () => task.frame.step(host);
      return { frame, words, tried: new Map(), step };
    });
  }

  /**
   * Takes all local steps of all actors that are ready. The order does not matter: each has its own stack.
   *
   * @param moves is told each actor that takes some, before it does
   * @param moved is told afterwards, with the number of 32-bit words of its stack that it may have changed
   */
  takeAll(moves: (actor: number) => void, moved?: (actor: number, words: number) => void): void {
    const { active, activeCount } = this.machine.scheduler;
    for (let place = 0; place < activeCount[0]!; place++) {
      const actor = active[place]!;
      if (!this.machine.tasks.actors[actor]!.ready()) continue;
      const { before, after } = this.known(actor);
      if (after === undefined) continue;
      moves(actor);
      const { words } = this.stacks[actor]!;
      words.set(after);
      words.fill(0, after.length, before.length);
      moved?.(actor, Math.max(before.length, after.length));
    }
  }

  /** Whether the next step of an actor that has work is local. */
  isLocal(actor: number): boolean {
    return this.known(actor).after !== undefined;
  }

  private known(actor: number): Tried {
    const stack = this.stacks[actor]!;
    const { words, tried, frame } = stack;
    const count = frame.end * 2;
    const hash = hashOf(words, count);
    const there = tried.get(hash) ?? [];
    for (const one of there) if (isSame(one.before, words, count)) return one;
    const fresh: Tried = { before: words.slice(0, count), after: trial(stack) };
    tried.set(hash, [...there, fresh]);
    this.bytes += TRIED_BYTES + fresh.before.byteLength + (fresh.after?.byteLength ?? 0);
    return fresh;
  }
}

const hashOf = (words: Uint32Array, count: number): number => {
  let hash = count;
  for (let at = 0; at < count; at++) {
    hash = Math.imul(hash ^ words[at]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
};

const isSame = (one: Uint32Array, other: Uint32Array, count: number): boolean => {
  if (one.length !== count) return false;
  for (let at = 0; at < count; at++) if (one[at] !== other[at]) return false;
  return true;
};

/** What a stack holds after its local steps, which are not taken. */
const trial = ({ frame, words, step }: Stack): Uint32Array | undefined => {
  const before = words.slice();
  let after: Uint32Array | undefined;
  try {
    for (let steps = 0; steps < MOST_IN_A_ROW; steps++) {
      if (step() === BLOCKED || frame.idle) break;
      after = words.slice(0, frame.end * 2);
    }
  } catch {
    // Whatever it reached for: it was not its stack alone.
  }
  words.set(before);
  return after;
};
