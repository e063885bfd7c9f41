import { TDG } from "../../abi/tdx/leaves.ts";
import { newRegs, R10, R11, R12, R13, RAX, RCX, type Regs, setNumber } from "../../abi/tdx/regs.ts";
import { type Status, statusText } from "../../abi/tdx/status.ts";
import { Frame, type Procedure, TASK_WORDS } from "../../flat/procedure.ts";
import { ACCESS_TD_EXIT, access, READ } from "../../tdx-module/access.ts";
import { createTd, framesFrom, tdrOf } from "../../tdx-module/create-td.ts";
import { TdxModule } from "../../tdx-module/module.ts";
import { TD_EXIT, TD_EXIT_VMCALL } from "../../tdx-module/outcome.ts";
import { seamcall } from "../../tdx-module/seamcall.ts";
import { LAST_EXIT, type Td, VCPU_STATE, VCPU_WORD } from "../../tdx-module/td.ts";
import { leaveGuest } from "../../tdx-module/td-exit.ts";
import { tdcall } from "../../tdx-module/tdcall.ts";
import { GIB, MIB } from "../../units.ts";
import { handleExit } from "../faults.ts";
import { explicitLayout } from "../layout.ts";
import { VMM_PROCEDURES } from "../procedures.ts";
import { handleRequest } from "../requests.ts";
import { Vmm, type VmmConfig } from "../vmm.ts";

const VCPUS = 2;
/** Key id of the TD, and where key ids lie in a host address. */
const HKID = 33;
const KEY_FRAMES = HKID * 2 ** (46 - 12);

/** A VMM over the real TDX module, and two vCPUs that do what a test tells them. */
export class TdxBench {
  readonly module: TdxModule;
  readonly td: Td;
  readonly vmm: Vmm;
  /** Tasks: one that handles exits for each vCPU, then whatever a test starts. */
  readonly exits: readonly Frame<Vmm>[];
  private readonly guest: readonly Regs[] = Array.from({ length: VCPUS }, newRegs);

  /** @param on the module that somebody else brought up, and where control pages come from; one of its own if left out */
  constructor(
    config: Partial<VmmConfig> = {},
    pageRelease = false,
    on?: { readonly module: TdxModule; readonly takeFrame: () => number },
  ) {
    this.module = on?.module ?? new TdxModule({ tdmrs: [{ base: 0, size: 4 * GIB }] });
    this.td = createTd(this.module, {
      takeFrame: on?.takeFrame ?? framesFrom(0x1000),
      vcpus: VCPUS,
      gpaw: 52,
      hkid: HKID,
      configFlags: pageRelease ? 0x46n : 0x6n,
    });
    this.vmm = new Vmm({
      layout: explicitLayout({
        ram: [{ start: 0, size: 8 * MIB }],
        deviceMemory: { start: 64 * MIB, size: 32 * MIB },
        slots: 2,
      }),
      host: { base: GIB, size: 2 * GIB },
      vcpus: VCPUS,
      seamcall: (regs) => seamcall(this.module, regs),
      exitRegs: (vcpu) => this.td.exitRegs(vcpu),
      inGuest: (vcpu) => this.isInGuest(vcpu),
      ...config,
    });
    this.vmm.attach(tdrOf(this.td) / 4096, KEY_FRAMES);
    this.exits = Array.from({ length: VCPUS }, (_, vcpu) => this.idleTask(vcpu, vcpu));
  }

  idleTask(task: number, vcpu = 0): Frame<Vmm> {
    return new Frame(VMM_PROCEDURES, new Float64Array(TASK_WORDS), task, vcpu);
  }

  isInGuest(vcpu: number): boolean {
    return this.td.vcpu(vcpu, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE;
  }

  /** A vCPU executes TDCALL. Answers the status as text, or "exit" when its handler has work to do now. */
  tdcall(vcpu: number, values: { readonly [register: number]: number }): string {
    const regs = this.guest[vcpu]!;
    regs.fill(0);
    for (const [register, value] of Object.entries(values)) setNumber(regs, Number(register), value);
    const outcome = tdcall(this.module, this.td, vcpu, regs);
    if (outcome !== TD_EXIT && outcome !== TD_EXIT_VMCALL) return statusText(outcome as Status);
    this.exits[vcpu]!.start(handleExit, vcpu);
    return "exit";
  }

  accept(vcpu: number, frame: number, level: number): string {
    return this.tdcall(vcpu, { [RAX]: TDG["TDG.MEM.PAGE.ACCEPT"], [RCX]: frame * 4096 + level });
  }

  release(vcpu: number, frame: number, level: number): string {
    return this.tdcall(vcpu, { [RAX]: TDG["TDG.MEM.PAGE.RELEASE"], [RCX]: frame * 4096 + level });
  }

  mapGpa(vcpu: number, frame: number, pages: number, shared: boolean): string {
    const start = frame * 4096 + (shared ? this.vmm.sharedBit : 0);
    const operands = { [R10]: 0, [R11]: 0x10001, [R12]: start, [R13]: pages * 4096 };
    return this.tdcall(vcpu, { [RAX]: TDG["TDG.VP.VMCALL"], [RCX]: 0x3c00, ...operands });
  }

  /** A vCPU reads private memory. Answers whether it left the guest for it. */
  read(vcpu: number, frame: number): boolean {
    if (access(this.td, vcpu, frame * 4096, READ) !== ACCESS_TD_EXIT) return false;
    this.exits[vcpu]!.start(handleExit, vcpu);
    return true;
  }

  /** One step of a task; kicks that it caused are served at once, and a vCPU whose exit is handled enters again. */
  step(task: Frame<Vmm>): number {
    const next = task.step(this.vmm);
    for (let vcpu = 0; vcpu < VCPUS; vcpu++) {
      if (this.vmm.kicks[vcpu] !== 0) this.kick(vcpu);
      if (this.exits[vcpu]!.idle && !this.isInGuest(vcpu) && this.vmm.life.ended === 0) this.enter(vcpu);
    }
    return next;
  }

  private kick(vcpu: number): void {
    this.vmm.kicks[vcpu] = 0;
    if (!this.isInGuest(vcpu)) return;
    leaveGuest(this.td, vcpu, LAST_EXIT.ASYNC);
    this.enter(vcpu);
  }

  private enter(vcpu: number): void {
    this.vmm.seam.enter(this.td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME));
  }

  /** Lets tasks run in turn until all are idle. */
  finish(...tasks: Frame<Vmm>[]): void {
    for (let round = 0; tasks.some((task) => !task.idle); round++) {
      if (this.vmm.life.ended !== 0) return;
      for (const task of tasks) if (!task.idle) this.step(task);
      if (round > 1_000_000) throw new Error("no end in sight");
    }
  }

  run(procedure: Procedure<Vmm>, ...args: number[]): number {
    const task = this.idleTask(9);
    task.start(procedure, ...args);
    this.finish(task);
    return task.result;
  }

  /** Repeats what exits until it does not. */
  untilDone(act: () => string): string {
    for (let tries = 0; ; tries++) {
      const result = act();
      if (result !== "exit") return result;
      this.finish(...this.exits);
      if (this.vmm.life.ended !== 0) return result;
      if (tries > 10) throw new Error("the same exit again and again");
    }
  }

  /** Posts a virtio-mem request and answers what the device says. */
  ask(type: number, page = 0, blocks = 0): number {
    const mailbox = this.vmm.mailboxes[0]!;
    mailbox.send(type, mailbox.addr + page * 4096, blocks);
    this.run(handleRequest, 0);
    return mailbox.response();
  }

  /** State byte of the leaf that maps a frame, and its level. */
  septAt(frame: number): readonly [state: number, level: number] {
    const gpa = frame * 4096;
    this.td.sept.walk(gpa >>> 0, Math.floor(gpa / 2 ** 32), 0);
    return [this.td.sept.stateHere, this.td.sept.level];
  }
}
