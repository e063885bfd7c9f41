import { BOOT_PARAMS } from "../../abi/boot-params/boot-params.ts";
import type { Regs } from "../../abi/tdx/regs.ts";
import type { Design } from "../../linux/design.ts";
import type { MachineConfig } from "../../machine/config.ts";
import { MIB } from "../../units.ts";
import { CpuControl, type CpuInKernel } from "../cpu/cpu-control.ts";
import { DirectMapWatch } from "../enforce/direct-map-watch.ts";
import { PageRights } from "../enforce/page-rights.ts";
import { withLateness } from "../faults/lateness.ts";
import type { QemuGuest } from "../qemu/qemu-guest.ts";
import type { Span } from "../span.ts";
import { GdbClient } from "../wire/gdb-client.ts";
import { minded } from "../wire/minded.ts";
import { hookTdcalls } from "./breakpoint-trap.ts";
import {
  acceptAhead,
  announceTdx,
  type KernelEntered,
  makeTd,
  onceDirectMapIsKnown,
  type Placement,
  patchTdcalls,
  placementOf,
  runToKernel,
} from "./bring-up.ts";
import type { GuestKernel } from "./guest-kernel.ts";
import { copyEfiInfo, type LabHandOver, MAILBOX_PAGE } from "./hand-over.ts";
import { hookKernelFaults, onceDirectMapIsMade } from "./kernel-faults.ts";
import { type Caller, Mailbox } from "./mailbox.ts";
import { MailboxLoop } from "./mailbox-loop.ts";
import { PageContent } from "./page-content.ts";
import { type PageCall, TrustDomain } from "./trust-domain.ts";

const UNIT = 2 * MIB;
const NS_PER_MS = 1e6;

export interface TdGuestOptions {
  readonly config: MachineConfig;
  readonly kernel: GuestKernel;
  readonly design: Design;
  /** RAM that firmware leaves unaccepted, as far as nothing of it is in use when the kernel starts. */
  readonly unaccepted: readonly Span[];
  /** Memory that may be plugged later. */
  readonly window: Span | undefined;
  /** How TDCALLs come to us: by code put into the kernel's text, or by breakpoints, which are slow. */
  readonly trap: "mailbox" | "breakpoints";
  /** "exact": an access to what may not be touched stops the guest. "audit": pages are looked at when asked. */
  readonly enforcement: "exact" | "audit";
}

/** A guest in QEMU that takes itself for a TD, with our TDX module behind its TDCALLs. */
export class TdGuest {
  readonly qemu: QemuGuest;
  readonly td: TrustDomain;
  readonly control: CpuControl;
  readonly watch: DirectMapWatch;
  readonly rights: PageRights;
  readonly content: PageContent;
  readonly options: TdGuestOptions;
  place: Placement = { physical: 0, slide: 0n };
  handOver: LabHandOver | undefined;
  /** Fulfilled when QEMU is gone or `stop` was called; rejected when serving the guest failed. */
  ended: Promise<void> = Promise.resolve();
  /** Is called before each TDCALL is executed: what devices did before it is known then. */
  beforeCall: () => void | Promise<void> = () => {};
  /** Is told of each page call, before anything follows from it. */
  onPageCall: (call: PageCall) => void = () => {};
  /**
   * Is told when the kernel has no answer to a page fault of its own at a virtual address.
   *
   * @returns whether the access is to be made again
   */
  onFault: (cpu: CpuInKernel, address: bigint) => Promise<boolean> = async () => false;
  /** Boot parameters as the first kernel got them. */
  private bootParams: Uint8Array = new Uint8Array(BOOT_PARAMS.size);
  private readonly mailbox: Mailbox;
  readonly loop: MailboxLoop;
  private pageCalls: PageCall[] = [];

  private constructor(qemu: QemuGuest, gdb: GdbClient, options: TdGuestOptions) {
    this.qemu = qemu;
    this.options = options;
    this.td = new TrustDomain(options.config);
    this.td.onPageCall = (call) => {
      this.onPageCall(call);
      if (call.status >= 0) this.pageCalls.push(call);
    };
    this.control = new CpuControl(gdb);
    this.watch = new DirectMapWatch(this.control, qemu.ram);
    this.rights = new PageRights(this.td);
    this.content = new PageContent(qemu.ram);
    this.mailbox = new Mailbox(qemu.ram, MAILBOX_PAGE);
    this.loop = new MailboxLoop(this.mailbox, (regs, caller) => this.serve(regs, caller));
  }

  /** Brings a stopped machine to where its kernel is entered as a TD. `run` lets it go. */
  static async prepare(qemu: QemuGuest, options: TdGuestOptions): Promise<TdGuest> {
    const gdb = await qemu.qemu.reach((signal) =>
      GdbClient.connect(qemu.files.gdb, { patienceMs: 120_000, signal }),
    );
    qemu.onClose(() => gdb.close());
    const { kernel, config } = options;
    const entered = minded(runToKernel(gdb, qemu.ram, kernel, config.layout.memory));
    // The guest runs meanwhile: the TD is made, and its firmware accepts.
    const guest = new TdGuest(qemu, gdb, options);
    await guest.bringUp(entered);
    return guest;
  }

  private async bringUp(entered: Promise<KernelEntered>): Promise<void> {
    const { kernel, design, unaccepted, window, enforcement } = this.options;
    const { ram } = this.qemu;
    const parts = { ram, td: this.td, kernel, design, unaccepted };
    const accepted = acceptAhead(parts);
    const at = await entered;
    const { place, handOver } = await makeTd(parts, accepted, at);
    this.place = place;
    this.handOver = handOver;
    await this.trapTdcalls();
    this.bootParams = ram.read(at.bootParams, BOOT_PARAMS.size);
    this.pageCalls = [];
    if (enforcement === "exact") {
      for (const { start, end } of handOver.unaccepted) await this.watch.forbid(start, end);
      // The stub accepts itself what no bit can stand for, and a unit at the edge of what it leaves.
      for (const { start, end } of handOver.stub.accepts) await this.watch.allow(start, end);
      if (window !== undefined) await this.watch.forbid(window.start, window.end);
    }
    await this.hookStart();
  }

  private async trapTdcalls(): Promise<void> {
    const { kernel, trap } = this.options;
    if (trap === "mailbox") patchTdcalls(this.qemu.ram, kernel, this.place);
    else
      await hookTdcalls(this.control, kernel, this.place.slide, (regs, vcpu) => this.serve(regs, { vcpu }));
  }

  /** Hooks what a kernel does early: it asks whether it is in a TD, and decides where to map memory. */
  private async hookStart(): Promise<void> {
    const { control, place } = this;
    const { kernel, enforcement } = this.options;
    await announceTdx(control, kernel, place.slide);
    if (enforcement === "audit") return;
    await onceDirectMapIsKnown(control, kernel, place.slide, (base) => this.watch.arm(base));
    if (!(await hookKernelFaults(control, kernel, place.slide, (cpu, address) => this.onFault(cpu, address))))
      return;
    await onceDirectMapIsMade(control, kernel, place.slide, (tables) => this.watch.withdraw(tables));
  }

  /**
   * Makes another kernel a TD that the guest has started itself and whose entry it stands at. Its memory map is its
   * own; firmware's tables are where they were. Nothing of the kernel before may be hooked or watched any more.
   */
  async enterAgain(at: KernelEntered): Promise<void> {
    const { kernel } = this.options;
    const { ram } = this.qemu;
    this.place = placementOf(ram, kernel, at.entry);
    const bootParams = ram.read(at.bootParams, BOOT_PARAMS.size);
    copyEfiInfo(this.bootParams, bootParams);
    ram.write(at.bootParams, bootParams);
    await this.trapTdcalls();
    await this.hookStart();
  }

  /** Accepts what is not accepted in whole units of [start, end), which hold something already. The guest stands still. */
  async acceptInUse(start: number, end: number): Promise<void> {
    for (let at = start; at < end; at += UNIT)
      if (!this.rights.mayTouch(at)) this.td.acceptForFirmware(at, at + UNIT);
    this.pageCalls = [];
    this.content.inUse(start, end);
    await this.watch.allowNow(start, end);
  }

  /** Lets the guest run. */
  run(): void {
    // Without a mailbox there is nothing to look into.
    const serving = this.options.trap === "mailbox" ? [this.loop.start()] : [];
    const running = this.control.run().then(() => this.loop.stop());
    this.ended = Promise.race([...serving, running]).then(() => {});
    this.ended.catch(() => {});
    this.qemu.onClose(() => this.loop.stop());
  }

  private async serve(regs: Regs, caller: Pick<Caller, "vcpu">): Promise<void> {
    const vcpu = Math.min(caller.vcpu, this.options.config.vcpus - 1);
    await this.beforeCall();
    const { injector } = this.td.machine;
    const { lateNs } = withLateness(injector?.points, () => this.td.tdcall(vcpu, regs));
    await this.applyPageCalls();
    // The vCPU waits where it made the call; the others go on.
    if (lateNs > 0) await new Promise((resolve) => setTimeout(resolve, lateNs / NS_PER_MS));
  }

  /** Does to the guest's memory, and to who watches it, what page calls mean that were made since the last time. */
  async applyPageCalls(): Promise<void> {
    const calls = this.pageCalls;
    if (calls.length === 0) return;
    this.pageCalls = [];
    for (const call of calls) if (call.status === 0) await this.applyPageCall(call);
  }

  private async applyPageCall({ leaf, start, end }: PageCall): Promise<void> {
    if (leaf === "TDG.MEM.PAGE.ACCEPT") {
      this.content.accepted(start, end);
      if (this.watch.covers(start, end)) await this.watch.allow(start, end);
      return;
    }
    await this.content.released(start, end);
    if (this.options.enforcement === "exact") await this.watch.forbid(start, end);
  }
}
