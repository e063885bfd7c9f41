import { KERNEL_PROCEDURES } from "../linux/kernel.ts";
import { VMM_PROCEDURES } from "../vmm/procedures.ts";
import type { MachineConfig } from "./config.ts";
import { KernelTask, type TaskHost, VmmTask } from "./tasks.ts";

/**
 * All tasks of a machine. In the guest: for each vCPU a kernel thread and a user, a worker for each virtio-mem
 * device, one for ACPI. In the VMM: a thread for each vCPU, a loop for each device, and one for ejects.
 *
 * A vCPU's tasks and its VMM thread share one clock, as they share one processor; the VMM's other loops share
 * one more.
 */
export class TaskSet {
  /** Kernel threads by vCPU; [0] boots. */
  readonly threads: readonly KernelTask[];
  /** What users do on each vCPU. */
  readonly users: readonly KernelTask[];
  /** Workers by virtio-mem device. */
  readonly workers: readonly KernelTask[];
  readonly acpi: KernelTask;
  readonly vcpuThreads: readonly VmmTask[];
  readonly deviceLoops: readonly VmmTask[];
  readonly ejectLoop: VmmTask;
  /** In the order of the scheduler: kernel tasks first, whose place is their task number. */
  readonly actors: readonly (KernelTask | VmmTask)[];
  /** Place of the first task of the VMM, its vCPU threads first. */
  readonly firstVmm: number;

  constructor(host: TaskHost, config: MachineConfig) {
    const { vcpus, virtioMem } = config;
    const each = <T>(count: number, make: (index: number) => T): T[] =>
      Array.from({ length: count }, (_, index) => make(index));
    let task = 0;
    const inKernel = (name: string, vcpu: number) =>
      new KernelTask(host, KERNEL_PROCEDURES, name, task++, vcpu, vcpu);
    const ids = virtioMem.map(({ id }) => id);
    this.threads = each(vcpus, (vcpu) => inKernel(`vcpu${vcpu}`, vcpu));
    this.users = each(vcpus, (vcpu) => inKernel(`user@vcpu${vcpu}`, vcpu));
    this.workers = ids.map((id, device) => inKernel(`virtio-mem ${id}`, device % vcpus));
    this.acpi = inKernel("acpi", 0);
    this.firstVmm = task;
    task = 0;
    const inVmm = (name: string, vcpu: number, clock: number) =>
      new VmmTask(host, VMM_PROCEDURES, name, task++, vcpu, clock);
    this.vcpuThreads = each(vcpus, (vcpu) => inVmm(`vmm@vcpu${vcpu}`, vcpu, vcpu));
    this.deviceLoops = ids.map((id) => inVmm(`vmm ${id}`, 0, vcpus));
    this.ejectLoop = inVmm("vmm acpi", 0, vcpus);
    this.actors = [
      ...this.threads,
      ...this.users,
      ...this.workers,
      this.acpi,
      ...this.vcpuThreads,
      ...this.deviceLoops,
      this.ejectLoop,
    ];
    for (const [index, actor] of this.actors.entries()) actor.index = index;
  }

  /** The guest's tasks end where they are: another kernel starts. */
  stopGuest(): void {
    for (const task of [...this.threads, ...this.users, ...this.workers, this.acpi]) task.stop();
  }

  /** Who waits where, for the report of a machine that hangs. */
  whoWaits(): string {
    return this.actors
      .filter((task) => !task.idle)
      .map((task) => `${task.name} in ${task.frame.backtrace().join(" > ")}`)
      .join("; ");
  }
}
