/**
 * accepting_list: the unit ranges whose acceptance is under way. An entry lives on its caller's stack in the
 * kernel, so there is at most one a task; here it is a row a task.
 *
 * A task that gives memory back may name the units that are leaving, too: accept_memory() does not take one of
 * them as its guard. Only designs that say so use it; no kernel has it.
 *
 * @source Linux drivers/firmware/efi/unaccepted_memory.c
 */
export class AcceptingList {
  /** First unit and end of each task's entry, relative to phys_base; start -1: no entry. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** The same for units that leave. */
  readonly leavingStarts: Float64Array;
  readonly leavingEnds: Float64Array;

  constructor(tasks: number) {
    this.starts = new Float64Array(tasks).fill(-1);
    this.ends = new Float64Array(tasks);
    this.leavingStarts = new Float64Array(tasks).fill(-1);
    this.leavingEnds = new Float64Array(tasks);
  }

  /**
   * Whether an entry overlaps [start, end). Empty entries, which exist, overlap by the kernel's own test.
   *
   * @param touching whether one that ends where the range starts counts too, as it did before a fix
   */
  overlaps(start: number, end: number, touching = false): boolean {
    for (let task = 0; task < this.starts.length; task++) {
      if (this.starts[task]! < 0) continue;
      if (touching && this.ends[task] === start) return true;
      if (!(this.ends[task]! <= start) && !(this.starts[task]! >= end)) return true;
    }
    return false;
  }

  insert(task: number, start: number, end: number): void {
    this.starts[task] = start;
    this.ends[task] = end;
  }

  remove(task: number): void {
    this.starts[task] = -1;
    this.ends[task] = 0;
  }

  /** Units [start, end) are about to be given back by this task. */
  leave(task: number, start: number, end: number): void {
    this.leavingStarts[task] = start;
    this.leavingEnds[task] = end;
  }

  /** They are gone, or stay after all. */
  left(task: number): void {
    this.leavingStarts[task] = -1;
    this.leavingEnds[task] = 0;
  }

  isLeaving(unit: number): boolean {
    for (let task = 0; task < this.leavingStarts.length; task++) {
      const start = this.leavingStarts[task]!;
      if (start >= 0 && start <= unit && unit < this.leavingEnds[task]!) return true;
    }
    return false;
  }
}
