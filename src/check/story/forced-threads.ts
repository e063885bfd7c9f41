import type { KernelTask } from "../../machine/tasks.ts";
import { HIGH_BASE, UNIT } from "../machine/configurations/placement.ts";
import type { MachineSystem } from "../machine/system.ts";
import { HOLD_ROWS, type HoldPoint, type HoldRow, isByMemory } from "./hold-points.ts";

/** Where a thread is held. */
export interface Hold {
  readonly point: HoldPoint;
  /** Which call of the function since its deed began, from 1. */
  readonly nth: number;
  /** In place of `nth`: a call about memory with this unit in it, counted from the first above 4 GiB. */
  readonly unit?: number;
  /** Where the story has it, and who it is. */
  readonly text: string;
}

/** A deed begins, or the thread that does it goes on: to where it is held, or to its end. */
export interface Move {
  /** Which of the story's deeds. */
  readonly deed: number;
  readonly begins: boolean;
  /** Nobody works for it who was idle before: it is asked for, and not waited for. */
  readonly asks?: true;
  readonly until?: Hold;
}

/** What is known of a thread of the guest. */
interface Thread {
  readonly task: KernelTask;
  /** The deed that gave it work; -1 if none did. */
  deed: number;
  /** The last move that let it go on; -1 if it was never let go. */
  move: number;
  /** Steps that it took since its deed began, by place. */
  readonly taken: Map<string, number>;
  last: string;
  /** End of what it accepts, or accepted last, bytes. */
  acceptEnd: number;
}

/** Step that finds a run of memory to accept, and the slot in which it leaves the end of the run, in units of the table. */
const SCAN = "accept_memory:scan";
const RUN_END = 5;

/** Follows who of a story's guest is busy, and notes where each has to be held so that another can act first. */
export class Threads {
  readonly moves: Move[] = [];
  private readonly system: MachineSystem;
  private readonly threads: readonly Thread[];
  private where = "";

  constructor(system: MachineSystem) {
    const { actors, firstVmm } = system.machine.tasks;
    this.system = system;
    this.threads = actors.slice(0, firstVmm).map((task) => ({
      task: task as KernelTask,
      deed: -1,
      move: -1,
      taken: new Map(),
      last: "",
      acceptEnd: 0,
    }));
  }

  /**
   * An actor is about to take a step: whoever else is in the middle of something has to be held there.
   *
   * @returns why that cannot be; undefined if it can
   */
  beforeStep(actor: number): string | undefined {
    const { actors, firstVmm } = this.system.machine.tasks;
    // The VMM acts for whoever is at it, and is not held.
    if (firstVmm <= actor && actor < actors.length) return undefined;
    const own = this.threads[actor];
    this.where = own?.task.frame.where ?? "";
    for (const thread of this.threads) {
      if (thread === own || thread.task.idle) continue;
      if (this.isTimer(actor)) return this.refusal(actor);
      if (this.isHeld(thread)) continue;
      const hold = this.holdOf(thread);
      if (hold === undefined || thread.move < 0) return this.refusal(actor);
      this.moves[thread.move] = { ...this.moves[thread.move]!, until: hold };
    }
    if (own !== undefined && this.isHeld(own)) this.letGo(own);
    return undefined;
  }

  /** @param deed the one that the step has begun; undefined if it is none's beginning */
  afterStep(actor: number, deed: number | undefined): void {
    const own = this.threads[actor];
    if (own !== undefined) {
      own.taken.set(this.where, (own.taken.get(this.where) ?? 0) + 1);
      own.last = this.where;
      const { table } = this.system.machine.kernel;
      // The frame still shows the slots of the step just taken.
      if (this.where === SCAN && table !== undefined)
        own.acceptEnd = table.physBase + own.task.frame.get(RUN_END) * table.unitSize;
    }
    if (deed !== undefined) this.begins(deed);
  }

  private isTimer(actor: number): boolean {
    const { machine, programs } = this.system;
    return actor >= machine.tasks.actors.length + programs.all.length;
  }

  private begins(deed: number): void {
    // Who was idle before is so no more for this deed's sake; all others are held.
    const own = this.threads.filter((thread) => !thread.task.idle && !this.isHeld(thread));
    this.moves.push({ deed, begins: true, ...(own.length === 0 && { asks: true }) });
    for (const thread of own) {
      thread.deed = deed;
      thread.move = this.moves.length - 1;
      thread.taken.clear();
    }
  }

  private letGo(thread: Thread): void {
    this.moves.push({ deed: thread.deed, begins: false });
    thread.move = this.moves.length - 1;
  }

  private isHeld({ move }: Thread): boolean {
    return this.moves[move]?.until !== undefined;
  }

  private rowOf({ task, last }: Thread): HoldRow | undefined {
    const { tasks } = this.system.machine;
    const loop = tasks.deviceLoops[tasks.workers.indexOf(task)];
    return HOLD_ROWS.find(
      ({ place, vmm, after }) =>
        place === task.frame.where &&
        (vmm === undefined || vmm.includes(loop?.frame.where ?? "idle")) &&
        (after === undefined || after === last),
    );
  }

  private holdOf(thread: Thread): Hold | undefined {
    const row = this.rowOf(thread);
    if (row === undefined) return undefined;
    const { task, taken, acceptEnd } = thread;
    const text = `${task.name} is at ${task.frame.where}`;
    const { point } = row;
    if (isByMemory(point))
      return { point, nth: 1, unit: Math.ceil((acceptEnd - HIGH_BASE) / UNIT) - 1, text };
    return { point, nth: (taken.get(row.call) ?? 0) + (row.made ? 0 : 1), text };
  }

  private refusal(actor: number): string {
    const { actors } = this.system.machine.tasks;
    const busy = actors.flatMap(({ idle, name, frame }) => (idle ? [] : [`${name} is at ${frame.where}`]));
    const what = actor >= actors.length ? "begins" : "is taken";
    return `${what} while ${busy.join(", ")}; on a real guest nobody can be held there`;
  }
}
