import { RETRY_MIN_MS, VM } from "../../../linux/virtio-mem/driver.ts";
import type { Machine } from "../../../machine/machine.ts";

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Takes out of a state what two ways to it need not share: how long a timer runs and when it ends, how often it was armed, and
 * which units wait for a look of the rules while a release holds the lock. All are looked at then.
 */
export class NormalForm {
  private readonly machine: Machine;

  /** Takes it at once. */
  constructor(machine: Machine) {
    this.machine = machine;
    machine.scheduler.timers.fill(NEVER);
    this.take();
  }

  take(): void {
    const { kernel, platform, vmm, watch } = this.machine;
    const { mm, table } = kernel;
    const { sept } = platform.pages;
    if (sept.changed.count + mm.dirty.count + (table?.dirty.count ?? 0) + vmm.changedUnits.count > 0) {
      watch?.forget();
      sept.changed.everything();
    }
    for (let device = 0; device < kernel.virtioMem.length; device++) this.timer(device);
  }

  private timer(device: number): void {
    const { kernel, interrupts, scheduler } = this.machine;
    const { words } = kernel.virtioMem[device]!;
    words[VM.RETRY_MS] = RETRY_MIN_MS;
    if (words[VM.TIMER_MS] !== 0) {
      words[VM.TIMER_MS] = RETRY_MIN_MS;
      scheduler.timers[this.machine.timerOf(device)] = NEVER;
    }
    if (words[VM.TIMER_ARMINGS] !== interrupts.armings[device]) return;
    words[VM.TIMER_ARMINGS] = 1;
    interrupts.armings[device] = 1;
  }
}
