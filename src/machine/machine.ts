import { type Status, statusText } from "../abi/tdx/status.ts";
import { assert } from "../assert.ts";
import type { Procedure } from "../flat/procedure.ts";
import type { Kernel } from "../linux/kernel.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import type { Td } from "../tdx-module/td.ts";
import { handleEject } from "../vmm/eject.ts";
import { VM_END } from "../vmm/events.ts";
import { layoutEnd } from "../vmm/layout.ts";
import { handleRequest } from "../vmm/requests.ts";
import { isBusy } from "../vmm/seam.ts";
import type { Vmm } from "../vmm/vmm.ts";
import type { MachineConfig } from "./config.ts";
import { COST } from "./cost.ts";
import { Counts } from "./counts.ts";
import { ACCEPTED, acceptedOf, UnitUses } from "./facts.ts";
import { FaultPoints } from "./faults/fault-points.ts";
import { Injector } from "./faults/injector.ts";
import type { GuestPlatform } from "./guest-platform.ts";
import type { HandOver } from "./hand-over.ts";
import { buildHost } from "./host.ts";
import { Interrupts } from "./interrupts.ts";
import { REST_RULES, unitsEnd } from "./invariants/rest-rules.ts";
import type { Watch } from "./invariants/watch.ts";
import { Observer } from "./observer.ts";
import { Scheduler } from "./scheduler.ts";
import { Stalls } from "./stalls.ts";
import { Tally } from "./tally.ts";
import { TaskSet } from "./task-set.ts";
import type { KernelTask, TaskHost, VmmTask } from "./tasks.ts";
import { TdxPlatform } from "./tdx-platform.ts";
import { Trace } from "./trace.ts";
import { VmmEvents } from "./vmm-events.ts";
import { describeEnd } from "./watched.ts";

const UNIT = 2 ** 21;

/** A line of the kernel log and its virtual time in nanoseconds. */
export interface LogLine {
  readonly ns: number;
  readonly text: string;
}

/**
 * One confidential VM: TDX module, VMM and guest kernel wired together, stepped by one scheduler.
 */
export class Machine implements TaskHost {
  /** Another after a kexec: the next kernel may be another one. */
  config: MachineConfig;
  readonly platform: GuestPlatform;
  readonly vmm: Vmm;
  readonly scheduler: Scheduler;
  readonly counts = new Counts();
  readonly tally = new Tally();
  readonly stalls: Stalls;
  readonly trace = new Trace();
  readonly log: LogLine[] = [];
  readonly tasks: TaskSet;
  /** By vCPU: 1 while it is outside the guest. */
  readonly outside: Uint8Array;
  readonly interrupts: Interrupts;
  readonly uses = new UnitUses();
  /** Absent on a machine on which nothing fails of itself. */
  readonly injector: Injector | undefined;
  watch: Watch | undefined;
  /** Off while boot code still sorts memory, on for good once it is done. */
  watchesUnits = false;
  /** Copying the segments of a kexec: what is not accepted then breaks I41. */
  jumping = false;
  /** Lines of the log that earlier kernels wrote. */
  logStart = 0;
  private guest: Kernel | undefined;
  /** What the kernel found when it started. */
  handOver: HandOver | undefined;
  /** Why code before the kernel stopped everything; empty while it did not. */
  haltedBy = "";

  /** @throws VmmError for a machine that QEMU would not start */
  constructor(config: MachineConfig) {
    this.config = config;
    this.outside = new Uint8Array(config.vcpus);
    this.interrupts = new Interrupts(this);
    this.stalls = new Stalls(this, config.vcpus);
    const { faults } = config;
    this.injector = faults === undefined ? undefined : new Injector(this, new FaultPoints(faults));
    const { platform, vmm } = buildHost(config, {
      sink: new VmmEvents(this),
      observer: new Observer(this),
      injector: this.injector,
    });
    this.platform = platform;
    this.vmm = vmm;
    this.tasks = new TaskSet(this, config);
    this.scheduler = new Scheduler(this.tasks.actors, config.vcpus + 1, config.seed);
  }

  /** The TDX module and the TD of a machine that has them. */
  get tdx(): TdxPlatform {
    assert(this.platform instanceof TdxPlatform, "only a TDX machine has a TDX module");
    return this.platform;
  }

  get module(): TdxModule {
    return this.tdx.module;
  }

  get td(): Td {
    return this.tdx.td;
  }

  get cpus(): GuestPlatform["cpus"] {
    return this.platform.cpus;
  }

  get kernel(): Kernel {
    assert(this.guest !== undefined, "the kernel exists before anything of it runs");
    return this.guest;
  }

  get booted(): boolean {
    return this.guest !== undefined;
  }

  setKernel(kernel: Kernel, given: HandOver): void {
    this.guest = kernel;
    this.handOver = given;
    this.logStart = this.log.length;
    this.uses.clear();
  }

  /** Code before the kernel stops all for good, with its reason on the console: nothing panicked, nothing runs. */
  haltEarly(why: string): void {
    this.haltedBy = why;
    for (const line of [why, " -- System halted"]) this.printk(line);
  }

  get halted(): boolean {
    return this.vmm.life.ended !== 0 || this.haltedBy !== "" || (this.guest?.cpus.panicked ?? false);
  }

  runsGuest(vcpu: number): boolean {
    return this.outside[vcpu] === 0;
  }

  /** Number of kernel tasks: rows of accepting_list and owners of locks. */
  get kernelTasks(): number {
    return this.tasks.firstVmm;
  }

  /** Starts a procedure on an idle task and puts the task on the scheduler's list. */
  start(task: KernelTask, procedure: Procedure<Kernel>, a = 0, b = 0, c = 0, d = 0): void {
    task.start(procedure, a, b, c, d);
    this.scheduler.wake(task.index);
  }

  /** Starts a procedure of the VMM on an idle task of its own. */
  runVmm(task: VmmTask, procedure: Parameters<VmmTask["start"]>[0], a = 0): void {
    task.start(procedure, a);
    this.scheduler.wake(task.index);
  }

  /** Enters again while somebody holds what the call needs. Another refusal is the end of the VM. */
  private enter(vcpu: number): void {
    let result = this.platform.tryEnter(vcpu) as Status;
    while (isBusy(result)) {
      this.scheduler.charge(COST.seamcall.ns);
      result = this.platform.tryEnter(vcpu) as Status;
    }
    if (result === 0) {
      this.platform.entered(vcpu);
      return;
    }
    assert(this.injector !== undefined, () => `TDH.VP.ENTER answers SUCCESS, not ${statusText(result)}`);
    this.vmm.life.kill(VM_END.MODULE_REFUSED, vcpu, 0, result);
  }

  /** A vCPU left the guest: the VMM's thread has to handle it. */
  exited(vcpu: number): void {
    this.outside[vcpu] = 1;
    this.runVmm(this.tasks.vcpuThreads[vcpu]!, this.platform.exitHandler, vcpu);
  }

  /** A virtio-mem request was posted; the device takes it up so many nanoseconds late. */
  requested(device: number, lateNs: number): void {
    const loop = this.tasks.deviceLoops[device]!;
    if (loop.idle) this.runVmm(loop, handleRequest, device);
    this.scheduler.clocks[loop.clock]! += lateNs;
  }

  /** The guest ejected a DIMM; its vCPU waits until the VMM is done. */
  ejected(vcpu: number): void {
    this.outside[vcpu] = 1;
    const area = this.vmm.areaOfSlot(this.vmm.dimms.ejecting);
    this.givesBack(this.vmm.map.start(area) * 4096, this.vmm.map.end(area) * 4096);
    this.runVmm(this.tasks.ejectLoop, handleEject);
    this.ejecting[0] = vcpu;
  }
  /** vCPU that waits for an eject; -1: none. */
  private readonly ejecting = Int32Array.of(-1);

  /** The guest gives memory up: what of it is still accepted goes back as it is. */
  givesBack(start: number, end: number): void {
    const { tally, platform } = this;
    for (let unit = start; unit < end; unit += UNIT)
      if (acceptedOf(platform.pages, unit / UNIT) !== ACCEPTED.NONE)
        tally.givesBack(platform.untouched(unit, Math.min(end, unit + UNIT)));
  }

  /** Takes one step of actor `index` and does what hardware does in between. */
  step(index: number): void {
    this.scheduler.stepActor(index);
    if (index >= this.tasks.firstVmm) this.afterVmmStep();
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
    const { vmm, tasks, outside } = this;
    for (let vcpu = 0; vcpu < outside.length; vcpu++) if (vmm.kicks[vcpu] !== 0) this.kick(vcpu);
    if (vmm.life.ended !== 0) return;
    for (let vcpu = 0; vcpu < outside.length; vcpu++) {
      if (outside[vcpu] === 0 || !tasks.vcpuThreads[vcpu]!.idle) continue;
      if (this.ejecting[0] === vcpu) {
        if (!tasks.ejectLoop.idle) continue;
        this.ejecting[0] = -1;
      } else this.enter(vcpu);
      outside[vcpu] = 0;
      this.scheduler.changed();
    }
  }

  /** An interprocessor interrupt of the host: the vCPU leaves the guest and comes back. */
  private kick(vcpu: number): void {
    this.vmm.kicks[vcpu] = 0;
    if (this.platform.isInGuest(vcpu)) {
      this.platform.leave(vcpu);
      this.enter(vcpu);
      this.counts.exit();
      this.tally.kick();
    }
    this.scheduler.changed();
  }

  /** The VMM's thread of a vCPU handles a fault: its SEAMCALLs are part of it. Those of a TDVMCALL are not. */
  get inFault(): boolean {
    const thread = this.scheduler.running - this.tasks.firstVmm;
    return 0 <= thread && thread < this.config.vcpus && !this.platform.calledHost(thread);
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
    this.tally.clear();
    this.scheduler.restartTime();
    this.platform.pages.sept.changed.clear();
    this.vmm.changedUnits.clear();
    this.injector?.points.begin();
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

  /** Why nothing runs any more; empty while it does. */
  get whyHalted(): string {
    if (this.haltedBy !== "") return this.haltedBy;
    if (this.guest?.cpus.panicked) return `Kernel panic - not syncing: ${this.guest.cpus.panicMessage}`;
    return this.vmm.life.ended ? describeEnd(this.vmm) : "";
  }
}
