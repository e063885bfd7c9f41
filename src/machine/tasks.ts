import { Frame, type Next, type Procedure, type ProcedureTable, TASK_WORDS } from "../flat/procedure.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { Vmm } from "../vmm/vmm.ts";
import type { Actor } from "./scheduler.ts";

/** What a task needs of the machine it belongs to. */
export interface TaskHost {
  readonly kernel: Kernel;
  readonly vmm: Vmm;
  /** False while the vCPU is outside the guest, or once the machine stands still. */
  runsGuest(vcpu: number): boolean;
  readonly halted: boolean;
}

/** One thread of control with a stack of its own, in the kernel or in the VMM. */
abstract class Task<K> implements Actor {
  readonly name: string;
  readonly clock: number;
  readonly frame: Frame<K>;
  readonly words: Float64Array;
  /** Its number among the scheduler's actors; the machine sets it. */
  index = -1;
  protected readonly host: TaskHost;

  constructor(
    host: TaskHost,
    table: ProcedureTable<K>,
    name: string,
    task: number,
    vcpu: number,
    clock: number,
  ) {
    this.host = host;
    this.name = name;
    this.clock = clock;
    this.words = new Float64Array(TASK_WORDS);
    this.frame = new Frame(table, this.words, task, vcpu);
  }

  get idle(): boolean {
    return this.frame.idle;
  }

  abstract ready(): boolean;
  abstract step(): Next;

  stop(): void {
    this.frame.stop();
  }

  start(procedure: Procedure<K>, a = 0, b = 0, c = 0, d = 0): void {
    this.frame.start(procedure, a, b, c, d);
  }
}

/** A kernel thread, a system call of a user, or an interrupt's work: it runs on one vCPU. */
export class KernelTask extends Task<Kernel> {
  ready(): boolean {
    const { vcpu, task } = this.frame;
    if (this.host.halted || !this.host.runsGuest(vcpu)) return false;
    const owner = this.host.kernel.cpus.irqsOff[vcpu]!;
    return owner === 0 || owner === task + 1;
  }

  step(): Next {
    return this.frame.step(this.host.kernel);
  }
}

/** A thread of the VMM: one for each vCPU, and one main loop. */
export class VmmTask extends Task<Vmm> {
  ready(): boolean {
    return !this.host.halted;
  }

  step(): Next {
    return this.frame.step(this.host.vmm);
  }
}
