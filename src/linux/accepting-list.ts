/**
 * accepting_list: the unit ranges whose acceptance is under way. An entry lives on its caller's stack in the
 * kernel, so there is at most one a task; here it is a row a task.
 *
 * @source Linux drivers/firmware/efi/unaccepted_memory.c
 */
export class AcceptingList {
  /** First unit and end of each task's entry, relative to phys_base; start -1: no entry. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;

  constructor(tasks: number) {
    this.starts = new Float64Array(tasks).fill(-1);
    this.ends = new Float64Array(tasks);
  }

  /** Whether an entry overlaps [start, end). Empty entries, which exist, overlap by the kernel's own test. */
  overlaps(start: number, end: number): boolean {
    for (let task = 0; task < this.starts.length; task++) {
      if (this.starts[task]! < 0) continue;
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
  }
}
