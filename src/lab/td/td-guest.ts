import type { Regs } from "../../abi/tdx/regs.ts";
import type { Design } from "../../linux/design.ts";
import type { MachineConfig } from "../../machine/config.ts";
import { CpuControl } from "../cpu/cpu-control.ts";
import { DirectMapWatch } from "../enforce/direct-map-watch.ts";
import { PageRights } from "../enforce/page-rights.ts";
import type { QemuGuest } from "../qemu/qemu-guest.ts";
import type { Span } from "../span.ts";
import { GdbClient } from "../wire/gdb-client.ts";
import { announceTdx, makeTd, onceDirectMapIsKnown, type Placement, runToKernel } from "./bring-up.ts";
import type { GuestKernel } from "./guest-kernel.ts";
import { type LabHandOver, MAILBOX_PAGE } from "./hand-over.ts";
import { type Caller, Mailbox } from "./mailbox.ts";
import { MailboxLoop } from "./mailbox-loop.ts";
import { PageContent } from "./page-content.ts";
import { type PageCall, TrustDomain } from "./trust-domain.ts";

export interface TdGuestOptions {
  readonly config: MachineConfig;
  readonly kernel: GuestKernel;
  readonly design: Design;
  /** RAM that firmware leaves unaccepted, as far as nothing of it is in use when the kernel starts. */
  readonly unaccepted: readonly Span[];
  /** Memory that may be plugged later. */
  readonly window: Span | undefined;
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
  /** Is told of each page call that the kernel made, with its status. */
  onPageCall: (call: PageCall) => void = () => {};
  private readonly mailbox: Mailbox;
  readonly loop: MailboxLoop;
  private pageCalls: PageCall[] = [];

  private constructor(qemu: QemuGuest, gdb: GdbClient, options: TdGuestOptions) {
    this.qemu = qemu;
    this.options = options;
    this.td = new TrustDomain(options.config);
    this.td.onPageCall = (call) => this.pageCalls.push(call);
    this.control = new CpuControl(gdb);
    this.watch = new DirectMapWatch(this.control);
    this.rights = new PageRights(this.td);
    this.content = new PageContent(qemu.ram);
    this.mailbox = new Mailbox(qemu.ram, MAILBOX_PAGE);
    this.loop = new MailboxLoop(this.mailbox, (regs, caller) => this.serve(regs, caller));
  }

  /** Brings a stopped machine to where its kernel is entered as a TD. `run` lets it go. */
  static async prepare(qemu: QemuGuest, options: TdGuestOptions): Promise<TdGuest> {
    const gdb = await Promise.race([
      GdbClient.connect(qemu.files.gdb, { patienceMs: 30_000 }),
      qemu.qemu.died(),
    ]);
    qemu.onClose(() => gdb.close());
    const guest = new TdGuest(qemu, gdb, options);
    await guest.bringUp();
    return guest;
  }

  private async bringUp(): Promise<void> {
    const { kernel, design, unaccepted, window, enforcement } = this.options;
    const { ram } = this.qemu;
    const at = await runToKernel(this.control.gdb, kernel);
    const { place, handOver } = await makeTd({ ram, td: this.td, kernel, design, unaccepted }, at);
    this.place = place;
    this.handOver = handOver;
    this.pageCalls = [];
    await announceTdx(this.control, kernel, place.slide);
    if (enforcement === "audit") return;
    for (const { start, end } of handOver.unaccepted) await this.watch.forbid(start, end);
    if (window !== undefined) await this.watch.forbid(window.start, window.end);
    await onceDirectMapIsKnown(this.control, kernel, place.slide, (base) => this.watch.arm(base));
  }

  /** Lets the guest run. */
  run(): void {
    const serving = this.loop.start();
    const running = this.control.run().then(() => this.loop.stop());
    this.ended = Promise.race([serving, running]).then(() => {});
    this.ended.catch(() => {});
    this.qemu.onClose(() => this.loop.stop());
  }

  private async serve(regs: Regs, caller: Caller): Promise<void> {
    const vcpu = Math.min(caller.vcpu, this.options.config.vcpus - 1);
    await this.beforeCall();
    this.td.tdcall(vcpu, regs);
    await this.applyPageCalls();
  }

  /** Does to the guest's memory, and to who watches it, what page calls mean that were made since the last time. */
  async applyPageCalls(): Promise<void> {
    const calls = this.pageCalls;
    if (calls.length === 0) return;
    this.pageCalls = [];
    for (const call of calls) {
      this.onPageCall(call);
      if (call.status === 0) await this.applyPageCall(call);
    }
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
