import { assert } from "../assert.ts";

/**
 * Sleeping locks of the kernel that a procedure may hold across steps. Spinlocks that are never held
 * across a step need no entry: a step is atomic.
 *
 * @source Linux mm/memory_hotplug.c, drivers/base/core.c, drivers/virtio/virtio_mem.c
 */
export const LOCKS = [
  "device_hotplug_lock",
  "mem_hotplug_lock",
  "memory_block_chain",
  // A spinlock; RFCv2's unaccept holds it across TDCALLs, which is the only reason that it stands here.
  "unaccepted_memory_lock",
] as const;
export type LockName = (typeof LOCKS)[number];

/** Who holds which lock: task number + 1, or 0. virtio-mem devices have one hotplug mutex each, after the fixed ones. */
export class Locks {
  readonly holder: Int32Array;

  constructor(virtioMemDevices: number) {
    this.holder = new Int32Array(LOCKS.length + virtioMemDevices);
  }

  /** Takes the lock for `task`. @returns false if somebody else has it: the step answers BLOCKED */
  tryTake(lock: number, task: number): boolean {
    const held = this.holder[lock]!;
    assert(held !== task + 1, () => `task ${task} does not take lock ${lock} twice`);
    if (held !== 0) return false;
    this.holder[lock] = task + 1;
    return true;
  }

  release(lock: number, task: number): void {
    assert(
      this.holder[lock] === task + 1,
      () => `lock ${lock} is released by its holder, not by task ${task}`,
    );
    this.holder[lock] = 0;
  }

  isFree(lock: number): boolean {
    return this.holder[lock] === 0;
  }

  heldBy(lock: number, task: number): boolean {
    return this.holder[lock] === task + 1;
  }
}

export const lockNumber = (name: LockName): number => LOCKS.indexOf(name);
/** Lock number of the hotplug mutex of virtio-mem device `device`. */
export const virtioMemMutex = (device: number): number => LOCKS.length + device;
