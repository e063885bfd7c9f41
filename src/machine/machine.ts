import { TDH } from "../abi/tdx/leaves.ts";
import { newRegs, RAX, RCX, setNumber } from "../abi/tdx/regs.ts";
import { statusText } from "../abi/tdx/status.ts";
import { assert } from "../assert.ts";
import type { Procedure } from "../flat/procedure.ts";
import { acpiGpeScan, acpiHotplugWork, acpiScanAtBoot } from "../linux/acpi-memory/hotplug-event.ts";
import type { Kernel } from "../linux/kernel.ts";
import { KERNEL_PROCEDURES } from "../linux/kernel.ts";
import { createTd, tdrOf } from "../tdx-module/create-td.ts";
import { TdxModule } from "../tdx-module/module.ts";
import { seamcall } from "../tdx-module/seamcall.ts";
import { LAST_EXIT, type Td, VCPU_STATE, VCPU_WORD } from "../tdx-module/td.ts";
import { leaveGuest } from "../tdx-module/td-exit.ts";
import { GIB, TIB } from "../units.ts";
import { handleEject } from "../vmm/eject.ts";
import { handleExit } from "../vmm/faults.ts";
import { layoutEnd } from "../vmm/layout.ts";
import { VMM_PROCEDURES } from "../vmm/procedures.ts";
import { handleRequest } from "../vmm/requests.ts";
import { Vmm } from "../vmm/vmm.ts";
import type { MachineConfig } from "./config.ts";
import { Counts } from "./counts.ts";
import { UnitUses } from "./facts.ts";
import { GuestCpus } from "./hardware.ts";
import { Interrupts } from "./interrupts.ts";
import { REST_RULES, unitsEnd } from "./invariants/rest-rules.ts";
import type { Watch, Watched } from "./invariants/watch.ts";
import { describeEnd, isBootMemory, memoryOf } from "./memory-ranges.ts";
import { Observer } from "./observer.ts";
import { Scheduler } from "./scheduler.ts";
import { KernelTask, type TaskHost, VmmTask } from "./tasks.ts";
import { Trace } from "./trace.ts";
import { VmmEvents } from "./vmm-events.ts";

/** Host memory that private pages and tables come from: above the host's own first 4 GiB. */
const HOST_BASE = 4 * GIB;
const HOST_SIZE = 15 * TIB;
/** Control pages of the TD come from below it. */
const CONTROL_BASE = 2 * GIB;
/** CONFIG_FLAGS: FLEXIBLE_PENDING_VE, NO_RBP_MOD; PAGE_RELEASE on request. */
const CONFIG_FLAGS = 0x6n;
const CONFIG_PAGE_RELEASE = 0x40n;

/** Width of guest-physical addresses: 52 bits as hardware has, or one more where memory reaches beyond. */
const gpaWidth = (config: MachineConfig): number => (layoutEnd(config.layout) > 2 ** 51 ? 53 : 52);

/** A line of the kernel log and its virtual time in nanoseconds. */
export interface LogLine {
  readonly ns: number;
  readonly text: string;
}

/**
 * One confidential VM: TDX module, VMM and guest kernel wired together, stepped by one scheduler.
 *
 * Tasks: for each vCPU a kernel thread and a user; a worker for each virtio-mem device; one for ACPI. On the
 * other side, for each vCPU the VMM's thread, and the VMM's main loop for each device and for ejects. A
 * vCPU's tasks and its VMM thread share one clock, as they share one processor.
 */
export class Machine implements TaskHost {
  readonly config: MachineConfig;
  readonly module: TdxModule;
  readonly td: Td;
  readonly vmm: Vmm;
  readonly cpus: GuestCpus;
  readonly scheduler: Scheduler;
  readonly counts = new Counts();
  readonly trace = new Trace();
  readonly log: LogLine[] = [];
  /** Kernel threads by vCPU; [0] boots. */
  readonly threads: readonly KernelTask[];
  /** What users do on each vCPU. */
  readonly users: readonly KernelTask[];
  /** Workers by virtio-mem device. */
  readonly workers: readonly KernelTask[];
  readonly acpiWorker: KernelTask;
  readonly vcpuThreads: readonly VmmTask[];
  readonly deviceLoops: readonly VmmTask[];
  readonly ejectLoop: VmmTask;
  /** By vCPU: 1 while it is outside the guest. */
  readonly outside: Uint8Array;
  readonly interrupts: Interrupts;
  readonly uses = new UnitUses();
  watch: Watch | undefined;
  /** Off while boot code still sorts memory, on for good once it is done. */
  watchesUnits = false;
  private guest: Kernel | undefined;
  private readonly firstVmm: number;

  constructor(config: MachineConfig) {
    this.config = config;
    const { vcpus } = config;
    const devices = config.virtioMem.length;
    this.outside = new Uint8Array(vcpus);
    this.interrupts = new Interrupts(this);
    this.module = new TdxModule({ tdmrs: [{ base: 0, size: HOST_BASE + HOST_SIZE, reserved: [] }] });
    this.td = this.createTd();
    const exitRegs = Array.from({ length: vcpus }, (_, vcpu) => this.td.exitRegs(vcpu));
    this.vmm = new Vmm({
      ...config,
      host: { base: HOST_BASE, size: HOST_SIZE },
      gpaw: gpaWidth(config),
      backends: config.dimms.map(({ id, size }) => ({ id, size })),
      dimms: config.dimms.map(({ id, ...rest }) => ({ memdev: id, ...rest })),
      seamcall: (regs) => seamcall(this.module, regs),
      exitRegs: (vcpu) => exitRegs[vcpu]!,
      inGuest: (vcpu) => this.td.vcpu(vcpu, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE,
      sink: new VmmEvents(this),
    });
    this.vmm.attach(tdrOf(this.td) / 4096, 0);
    this.cpus = new GuestCpus(this.module, this.td, vcpus, new Observer(this));
    let number = 0;
    const kernelTask = (name: string, vcpu: number) =>
      new KernelTask(this, KERNEL_PROCEDURES, name, number++, vcpu, vcpu);
    const each = <T>(count: number, make: (index: number) => T): T[] =>
      Array.from({ length: count }, (_, i) => make(i));
    this.threads = each(vcpus, (vcpu) => kernelTask(`vcpu${vcpu}`, vcpu));
    this.users = each(vcpus, (vcpu) => kernelTask(`user@vcpu${vcpu}`, vcpu));
    this.workers = each(devices, (device) =>
      kernelTask(`virtio-mem ${config.virtioMem[device]!.id}`, device % vcpus),
    );
    this.acpiWorker = kernelTask("acpi", 0);
    this.firstVmm = number;
    let vmmNumber = 0;
    const vmmTask = (name: string, vcpu: number, clock: number) =>
      new VmmTask(this, VMM_PROCEDURES, name, vmmNumber++, vcpu, clock);
    this.vcpuThreads = each(vcpus, (vcpu) => vmmTask(`vmm@vcpu${vcpu}`, vcpu, vcpu));
    this.deviceLoops = each(devices, (device) => vmmTask(`vmm ${config.virtioMem[device]!.id}`, 0, vcpus));
    this.ejectLoop = vmmTask("vmm acpi", 0, vcpus);
    const actors = [
      ...this.threads,
      ...this.users,
      ...this.workers,
      this.acpiWorker,
      ...this.vcpuThreads,
      ...this.deviceLoops,
      this.ejectLoop,
    ];
    for (const [index, actor] of actors.entries()) actor.index = index;
    this.scheduler = new Scheduler(actors, vcpus + 1, config.seed);
  }

  private createTd(): Td {
    let frame = CONTROL_BASE / 4096;
    return createTd(this.module, {
      takeFrame: () => frame++,
      vcpus: this.config.vcpus,
      configFlags: CONFIG_FLAGS | (this.config.pageRelease ? CONFIG_PAGE_RELEASE : 0n),
      gpaw: gpaWidth(this.config),
    });
  }

  get kernel(): Kernel {
    assert(this.guest !== undefined, "the kernel exists before anything of it runs");
    return this.guest;
  }

  get booted(): boolean {
    return this.guest !== undefined;
  }

  setKernel(kernel: Kernel): void {
    this.guest = kernel;
  }

  get halted(): boolean {
    return this.vmm.life.ended !== 0 || (this.guest?.cpus.panicked ?? false);
  }

  runsGuest(vcpu: number): boolean {
    return this.outside[vcpu] === 0;
  }

  /** Number of kernel tasks: rows of accepting_list and owners of locks. */
  get kernelTasks(): number {
    return this.firstVmm;
  }

  /** Starts a procedure on an idle task and puts the task on the scheduler's list. */
  start(task: KernelTask, procedure: Procedure<Kernel>, a = 0, b = 0, c = 0, d = 0): void {
    task.start(procedure, a, b, c, d);
    this.scheduler.wake(task.index);
  }

  private startVmm(task: VmmTask, procedure: Parameters<VmmTask["start"]>[0], a = 0): void {
    task.start(procedure, a);
    this.scheduler.wake(task.index);
  }

  /** TDH.VP.ENTER: the vCPU goes on in the guest. */
  private enter(vcpu: number): void {
    const regs = this.enterRegs;
    setNumber(regs, RAX, TDH["TDH.VP.ENTER"]);
    setNumber(regs, RCX, this.td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME) * 4096);
    const result = seamcall(this.module, regs);
    assert(result === 0, () => `TDH.VP.ENTER answers SUCCESS, not ${statusText(result)}`);
  }
  private readonly enterRegs = newRegs();

  /** A vCPU left the guest: the VMM's thread has to handle it. */
  exited(vcpu: number): void {
    this.outside[vcpu] = 1;
    this.startVmm(this.vcpuThreads[vcpu]!, handleExit, vcpu);
  }

  /** A virtio-mem request was posted. */
  requested(device: number): void {
    if (this.deviceLoops[device]!.idle) this.startVmm(this.deviceLoops[device]!, handleRequest, device);
  }

  /** The guest ejected a DIMM; its vCPU waits until the VMM is done. */
  ejected(vcpu: number): void {
    this.outside[vcpu] = 1;
    this.startVmm(this.ejectLoop, handleEject);
    this.ejecting = vcpu;
  }
  private ejecting = -1;

  /** Takes one step of actor `index` and does what hardware does in between. */
  step(index: number): void {
    this.scheduler.stepActor(index);
    if (index >= this.firstVmm) this.afterVmmStep();
    this.interrupts.startWork();
    if (this.watchesUnits) this.watch!.afterStep();
  }

  /** Runs until nobody can go on without time passing. */
  settle(): void {
    for (;;) {
      const index = this.scheduler.pick();
      if (index < 0) return;
      this.step(index);
    }
  }

  private afterVmmStep(): void {
    const { vmm } = this;
    if (vmm.kicking)
      for (let vcpu = 0; vcpu < this.config.vcpus; vcpu++) if (vmm.kicks[vcpu] !== 0) this.kick(vcpu);
    if (vmm.life.ended) return;
    for (let vcpu = 0; vcpu < this.outside.length; vcpu++) {
      if (this.outside[vcpu] === 0 || !this.vcpuThreads[vcpu]!.idle) continue;
      if (this.ejecting === vcpu) {
        if (!this.ejectLoop.idle) continue;
        this.ejecting = -1;
      } else this.enter(vcpu);
      this.outside[vcpu] = 0;
      this.scheduler.changed();
    }
  }

  /** An interprocessor interrupt of the host: the vCPU leaves the guest and comes back. */
  private kick(vcpu: number): void {
    this.vmm.kicks[vcpu] = 0;
    if (this.td.vcpu(vcpu, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE) {
      leaveGuest(this.td, vcpu, LAST_EXIT.ASYNC);
      this.enter(vcpu);
      this.counts.exit();
    }
    this.scheduler.changed();
  }

  /** The VMM's thread of a vCPU runs: its SEAMCALLs are part of the fault that it handles. */
  get inFault(): boolean {
    const thread = this.scheduler.running - this.firstVmm;
    return 0 <= thread && thread < this.config.vcpus;
  }

  /** Number of the scheduler's timer of a virtio-mem device: that of its worker. */
  timerOf(device: number): number {
    return 2 * this.config.vcpus + device;
  }

  printk(text: string): void {
    this.log.push({ ns: this.scheduler.now, text });
  }

  /** Drops counts, steps and time of what firmware did: reports begin with the EFI stub. */
  forgetFirmware(): void {
    this.counts.clear();
    this.scheduler.restartTime();
    this.td.sept.changed.clear();
    this.vmm.changedUnits.clear();
  }

  /** Looks at what has to hold when nobody has anything left to do; does nothing while somebody has. */
  checkAtRest(): void {
    const { watch, guest } = this;
    if (watch === undefined || guest === undefined || !this.watchesUnits || this.halted) return;
    if (this.scheduler.activeCount[0] !== 0) return;
    const facts = { kernel: guest, vmm: this.vmm, tableTop: unitsEnd(layoutEnd(this.config.layout)) };
    for (const { id, check } of REST_RULES)
      check(facts, (start, end, why) => watch.report(id, start, end, why));
  }

  /** False when tasks have work and none of them can ever go on: a deadlock, or a spin that nothing ends. */
  get runsAtAll(): boolean {
    if (this.scheduler.activeCount[0] === 0) return true;
    return this.scheduler.nextTimer() !== Number.POSITIVE_INFINITY || this.scheduler.pick() >= 0;
  }

  /** Who waits where, for the report of a machine that hangs. */
  get whoWaits(): string {
    const tasks = [...this.threads, ...this.users, ...this.workers, this.acpiWorker, ...this.vcpuThreads];
    return tasks
      .filter((task) => !task.idle)
      .map((task) => `${task.name} in ${task.frame.backtrace().join(" > ")}`)
      .join("; ");
  }

  /** Why nothing runs any more; empty while it does. */
  get whyHalted(): string {
    if (this.guest?.cpus.panicked) return `Kernel panic - not syncing: ${this.guest.cpus.panicMessage}`;
    return this.vmm.life.ended ? describeEnd(this.vmm) : "";
  }

  /** The machine as the invariants see it. */
  get watched(): Watched {
    const machine = this;
    return {
      td: this.td,
      kernel: this.kernel,
      uses: this.uses,
      memory: memoryOf(this.vmm),
      pluggedChanged: this.vmm.changedUnits,
      pluggedAt: (unit) => this.vmm.pluggedAt(unit),
      isStatic: (unit) => isBootMemory(this.vmm, unit),
      get step() {
        return machine.scheduler.steps;
      },
    };
  }

  /** ACPI enumerates the DIMMs that are present at boot. */
  scanDimms(): void {
    if (this.kernel.acpiMemory === undefined) return;
    this.start(this.acpiWorker, acpiScanAtBoot);
    this.settle();
  }

  /** The GPE handler scans the slots; then queued events are handled one by one. */
  startAcpiWork(): void {
    const { acpiMemory } = this.kernel;
    if (acpiMemory === undefined || !this.acpiWorker.idle) return;
    if (acpiMemory.gpePending) this.start(this.acpiWorker, acpiGpeScan);
    else if (acpiMemory.waiting > 0) this.start(this.acpiWorker, acpiHotplugWork);
  }
}
