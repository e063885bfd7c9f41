import { newRegs, R8, RAX, RDX, type Regs, setNumber } from "../../abi/tdx/regs.ts";
import { EEQ_TYPE, EXIT_REASON } from "../../abi/tdx/td-exit.ts";
import { Frame, type Procedure, TASK_WORDS } from "../../flat/procedure.ts";
import { MIB } from "../../units.ts";
import type { VmmSink } from "../events.ts";
import { VMM_EVENT, VMM_EVENT_NAMES } from "../events.ts";
import { handleExit } from "../faults.ts";
import { explicitLayout } from "../layout.ts";
import { VMM_PROCEDURES } from "../procedures.ts";
import { handleRequest } from "../requests.ts";
import { Vmm } from "../vmm.ts";
import type { VmmConfig } from "../vmm-config.ts";
import { NaiveTdx } from "./naive-tdx.ts";

/** 16 MiB of RAM at 0 and a window of 64 MiB at 1 GiB. */
const LAYOUT = explicitLayout({
  ram: [{ start: 0, size: 16 * MIB }],
  deviceMemory: { start: 1024 * MIB, size: 64 * MIB },
  slots: 4,
});

/** A VMM over the naive module, with the registers of each vCPU's last exit, for tests. */
export class Bench {
  readonly tdx = new NaiveTdx();
  readonly regs: Regs[];
  readonly vmm: Vmm;
  readonly events: string[] = [];
  /** vCPUs inside the guest; kicking one clears its flag after a step of its own. */
  readonly inGuest = new Set<number>();

  constructor(config: Partial<VmmConfig> = {}) {
    this.regs = [newRegs(), newRegs()];
    const sink: VmmSink = { emit: (event, ...values) => this.note(event, values) };
    this.vmm = new Vmm({
      layout: LAYOUT,
      host: { base: 1024 * MIB, size: 256 * MIB },
      vcpus: 2,
      seamcall: this.tdx.seamcall,
      exitRegs: (vcpu) => this.regs[vcpu]!,
      inGuest: (vcpu) => this.inGuest.has(vcpu),
      sink,
      ...config,
    });
  }

  private note(event: number, values: readonly number[]): void {
    const name = VMM_EVENT_NAMES[event]!;
    if (name === "SEAMCALL" || name === "TD_EXIT") return;
    const shown = VMM_EVENT[name].map((what, index) => `${what} ${values[index]}`);
    this.events.push([name, ...shown].join(" "));
  }

  /** A task at the start of a procedure. */
  task(procedure: Procedure<Vmm>, args: readonly number[], task = 0, vcpu = 0): Frame<Vmm> {
    const frame = new Frame(VMM_PROCEDURES, new Float64Array(TASK_WORDS), task, vcpu);
    frame.start(procedure, ...args);
    return frame;
  }

  /** Runs a procedure to its end and answers its value. */
  run(procedure: Procedure<Vmm>, ...args: number[]): number {
    const frame = this.task(procedure, args);
    for (let steps = 0; !frame.idle; steps++) {
      frame.step(this.vmm);
      if (steps > 1_000_000) throw new Error(`no end in sight: ${frame.backtrace().join(" > ")}`);
    }
    return frame.result;
  }

  /** Posts a virtio-mem request at a page of the region and answers what the device says, -1 for nothing. */
  ask(type: number, page = 0, blocks = 0, device = 0): number {
    const mailbox = this.vmm.mailboxes[device]!;
    mailbox.send(type, mailbox.addr + page * 4096, blocks);
    this.run(handleRequest, device);
    return mailbox.response();
  }

  /** A private access of a vCPU exits at a frame. */
  touch(frame: number, vcpu = 0, type: number = EEQ_TYPE.NONE): number {
    this.setExit(vcpu, frame, type, 0);
    return this.run(handleExit, vcpu);
  }

  /** An accept of a vCPU exits at a frame. */
  accept(frame: number, level: number, vcpu = 0): number {
    this.setExit(vcpu, frame, EEQ_TYPE.ACCEPT, level);
    return this.run(handleExit, vcpu);
  }

  /** A task that handles the exit in a vCPU's registers. */
  exitTask(vcpu: number): Frame<Vmm> {
    return this.task(handleExit, [vcpu], 8 + vcpu, vcpu);
  }

  setExit(vcpu: number, frame: number, type: number, level: number): void {
    const regs = this.regs[vcpu]!;
    regs.fill(0);
    setNumber(regs, RAX, EXIT_REASON.EPT_VIOLATION);
    setNumber(regs, R8, frame * 4096);
    regs[2 * RDX] = type;
    regs[2 * RDX + 1] = level;
  }
}

/** First guest frame of the window of the bench's layout. */
export const WINDOW = (1024 * MIB) / 4096;
