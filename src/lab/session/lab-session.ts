import { agentOver } from "../agent/connect-agent.ts";
import { Guest } from "../agent/guest.ts";
import { Vigil } from "../agent/vigil.ts";
import { DesignHost } from "../design/design-host.ts";
import type { AnsweredRequest } from "../devices/device-log.ts";
import { DeviceMirror } from "../devices/device-mirror.ts";
import { DeviceWatcher, takenBy, tookMemory } from "../devices/device-watcher.ts";
import { Enforcer } from "../enforce/enforcer.ts";
import type { LabViolation } from "../enforce/violation.ts";
import { RamFile } from "../guest-ram/ram-file.ts";
import { KexecFollower } from "../kexec/kexec-follower.ts";
import { QemuGuest } from "../qemu/qemu-guest.ts";
import { judgePageCall } from "../td/deeds.ts";
import { GuestTable } from "../td/guest-table.ts";
import { TdGuest } from "../td/td-guest.ts";
import type { PageCall } from "../td/trust-domain.ts";
import { ConnectionEnded } from "../wire/connection-ended.ts";
import { hangOf, signsOfLife } from "./hang.ts";
import { hookDesign } from "./hook-design.ts";
import type { LabPlan } from "./lab-plan.ts";
import { StoppedPlaces } from "./stopped-places.ts";

/** How long the rest of a machine may take to end once a part of it has. */
const END_MS = 120_000;

/**
 * What every guest needs on its command line: the console, an end at a panic, no EFI runtime services, which nobody
 * serves, and no check that the timer ticks, which a busy host fails and which guests of KVM leave out as well.
 */
export const COMMAND_LINE = "console=ttyS0 panic=-1 efi=noruntime no_timer_check";

/** An idle TD halts by TDCALL. Each would be a stop, and an idle guest nothing but stops. */
const NO_HALT = "idle=poll";

/** A TD that runs: QEMU, our TDX module and VMM behind it, who watches it, and the agent in it. */
export class LabSession {
  readonly plan: LabPlan;
  readonly qemu: QemuGuest;
  readonly td: TdGuest;
  readonly guest: Guest;
  readonly enforcer: Enforcer;
  readonly mirror: DeviceMirror;
  readonly devices: DeviceWatcher;
  /** The unaccepted-memory table; undefined if firmware left nothing unaccepted and the design wants none. */
  readonly table: GuestTable | undefined;
  /** Runs the design where its hooks stop the kernel. */
  readonly host: DesignHost;
  /** What the design printed. */
  readonly designLog: string[] = [];
  /** What the guest was asked and did not do. */
  readonly remarks: string[] = [];
  /** Addresses of virtio-mem requests that got no reply: their devices' drivers wait for one for ever. */
  readonly unanswered = new Set<number>();
  /** What becomes of the guest when it starts another kernel. */
  readonly kexec: KexecFollower;
  /** What the guest's page calls and its kexec broke. */
  readonly deeds: LabViolation[] = [];
  /** Why serving the guest ended, if it failed. */
  failure: Error | undefined;
  /** QEMU is gone, or nobody serves the guest any more. */
  over = false;
  /** Names places in the kernel that runs now. */
  places: StoppedPlaces;
  /** A line to the guest is closed, or nobody serves it: it is over, or will be at once. */
  private lost = false;
  private readonly isGone: Promise<void>;
  private tellGone: () => void = () => {};

  private constructor(plan: LabPlan, qemu: QemuGuest, td: TdGuest, guest: Guest) {
    this.isGone = new Promise((resolve) => {
      this.tellGone = resolve;
    });
    this.plan = plan;
    this.qemu = qemu;
    this.td = td;
    this.guest = guest;
    this.mirror = new DeviceMirror(td.td);
    this.devices = new DeviceWatcher(qemu.files.deviceLog, this.mirror);
    qemu.onClose(() => this.devices.close());
    this.devices.onRequest = (request) => this.afterRequest(request);
    this.places = new StoppedPlaces(plan.kernel, td.place.slide);
    this.enforcer = new Enforcer({
      control: td.control,
      watch: td.watch,
      rights: td.rights,
      ram: qemu.ram,
      policy: plan.onViolation,
      sync: () => this.devices.sync(),
      placeOf: ({ registers, gdb }) =>
        this.places.of(registers, (address, length) => gdb.readMemory(address, length)),
      isHidden: (gpa) => this.host.hidden.has(gpa),
      accept: (start, end) => td.acceptInUse(start, end),
    });
    this.table = td.handOver === undefined ? undefined : GuestTable.of(qemu.ram, td.handOver.stub);
    this.host = new DesignHost(td.td, plan.design, this.table, (line) => this.designLog.push(line));
    this.kexec = this.followKexec();
    td.beforeCall = () => this.devices.sync();
    td.onPageCall = (call) => this.judge(call);
    td.onFault = (cpu, address) => this.enforcer.faulted(cpu, address);
  }

  private followKexec(): KexecFollower {
    const { td, plan } = this;
    return new KexecFollower({
      td,
      table: this.table,
      enforcer: this.enforcer,
      policy: plan.onViolation,
      sync: () => this.devices.sync(),
      onViolations: (violations) => this.deeds.push(...violations),
      onEntered: () => {
        // The next kernel has another place.
        this.places = new StoppedPlaces(plan.kernel, td.place.slide);
        this.unanswered.clear();
        return this.hookDesign();
      },
    });
  }

  /**
   * Starts a machine and brings it to the entry of its kernel. Nothing of the kernel has run.
   *
   * @throws LabError; nothing is left behind
   */
  static async prepare(plan: LabPlan): Promise<LabSession> {
    const { config, kernelFile, append, initrd, signal } = plan;
    const machine = {
      layout: config.layout,
      nodes: config.nodes,
      vcpus: config.vcpus,
      virtioMem: config.virtioMem,
      dimms: config.dimms,
      kernel: kernelFile,
      append: [COMMAND_LINE, ...(plan.trap === "breakpoints" ? [NO_HALT] : []), append].join(" "),
      asTd: true,
    };
    const qemu = await QemuGuest.start(machine, initrd, signal);
    try {
      return await LabSession.over(plan, qemu);
    } catch (error) {
      const why = await qemu.explain(error);
      await qemu.close();
      throw why;
    }
  }

  private static async over(plan: LabPlan, qemu: QemuGuest): Promise<LabSession> {
    const { config, design, kernel, enforcement } = plan;
    const { deviceMemory } = config.layout;
    const td = await TdGuest.prepare(qemu, {
      config,
      kernel,
      design,
      unaccepted: config.unaccepted.map(({ start, size }) => ({ start, end: start + size })),
      window: deviceMemory && { start: deviceMemory.start, end: deviceMemory.start + deviceMemory.size },
      enforcement,
      trap: plan.trap ?? "mailbox",
    });
    const connection = await qemu.connect("the guest's agent", qemu.files.agent);
    const agent = agentOver(connection, () => {
      session.lost = true;
    });
    const session = new LabSession(plan, qemu, td, new Guest(agent));
    session.addDeviceMemory();
    await session.hookDesign();
    await session.kexec.install();
    return session;
  }

  private hookDesign(): Promise<void> {
    const { td, host, mirror, plan } = this;
    const { kernel } = plan;
    const onNoReply = (addr: number): void => void this.unanswered.add(addr);
    const onHeld = ({ start }: { start: number }): void =>
      void this.remarks.push(`eject of 0x${start.toString(16)}: not released, so the VMM keeps the DIMM`);
    const sync = (): Promise<void> => this.devices.sync();
    return hookDesign({ kernel, td, host, mirror, sync, onNoReply, onHeld, holds: plan.holds });
  }

  /** The files behind the memory devices that are there from the start. */
  private addDeviceMemory(): void {
    const { vmm } = this.td.td.machine;
    for (const { id, addr, regionSize } of vmm.devices) this.addMemory(id, addr, regionSize);
    for (const { id, size } of this.plan.config.dimms) this.addMemory(id, this.dimmAddress(id), size);
  }

  /** Tells the audit and the content of pages where a device's memory lies. */
  addMemory(id: string, start: number, size: number): void {
    this.qemu.ram.add({ start, size, file: new RamFile(this.qemu.files.ram(`${id}-mem`)), offset: 0 });
  }

  /** Where our VMM has put a DIMM. QEMU places them by the same rule. */
  dimmAddress(id: string): number {
    const { vmm } = this.td.td.machine;
    const piece = vmm.backend(id);
    for (let slot = 0; slot < vmm.dimms.count; slot++)
      if (vmm.dimms.isPlugged(slot) && vmm.dimms.piece(slot) === piece)
        return vmm.map.start(vmm.areaOfSlot(slot)) * 4096;
    return -1;
  }

  /**
   * Lets the kernel go, and waits until the agent in it is ready.
   *
   * @returns false if the guest did not come so far
   */
  async boot(): Promise<boolean> {
    this.td.run();
    const ended = this.td.ended.then(
      () => undefined,
      (error: Error) => {
        this.lost = true;
        return this.qemu.explain(error);
      },
    );
    void ended.then((failure) => this.conclude(failure));
    const vigil = new Vigil({
      owed: () => (this.over ? undefined : this.guest.agent.owed),
      signs: () => signsOfLife(this),
      onSilence: (owed) => void hangOf(this, owed).then((failure) => this.conclude(failure)),
    });
    vigil.start();
    this.qemu.onClose(() => vigil.stop());
    try {
      await this.guest.agent.ready(this.plan.signal);
      return true;
    } catch (error) {
      if (await this.isOver()) return false;
      throw error;
    }
  }

  /** The guest is over: the first to say so says why. */
  private conclude(failure: Error | undefined): void {
    if (this.over) return;
    this.over = true;
    this.failure = failure;
    this.guest.agent.guestDied(failure?.message ?? "the guest has ended");
    this.tellGone();
  }

  /** A call that is made again breaks the same rule again, and is told of once. */
  private judge(call: PageCall): void {
    for (const found of judgePageCall(call, this.td.rights)) {
      const last = this.deeds.at(-1);
      if (last?.invariant !== found.invariant || last.range.start !== found.range.start)
        this.deeds.push(found);
    }
  }

  /**
   * Whether the guest is over. Where the first sign of it was seen, the rest is waited for.
   *
   * @param error that was met, which may be such a sign
   */
  async isOver(error?: unknown): Promise<boolean> {
    if (error instanceof ConnectionEnded && error.reason === "closed by peer") this.lost = true;
    if (this.lost && !this.over) {
      const patience = new Promise<void>((resolve) => setTimeout(resolve, END_MS).unref());
      await Promise.race([this.isGone, patience]);
    }
    return this.over;
  }

  /** Fulfilled once the guest is over. */
  gone(): Promise<void> {
    return this.isGone;
  }

  close(): Promise<void> {
    return this.qemu.close();
  }

  /** After QEMU took memory away, nothing there may be touched, and its content is gone. */
  private async afterRequest(request: AnsweredRequest): Promise<void> {
    if (!tookMemory(request)) return;
    for (const { start, end } of takenBy(request, this.td.td.machine.vmm.devices)) {
      this.td.content.discarded(start, end);
      if (this.plan.enforcement === "exact") await this.td.watch.forbid(start, end);
    }
  }
}
