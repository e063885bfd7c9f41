import { TDH } from "../abi/tdx/leaves.ts";
import { lo, newRegs, RAX, RCX, RDX, type Regs, setNumber } from "../abi/tdx/regs.ts";
import { SEPT_MAPPED, SEPT_PENDING } from "../abi/tdx/sept-entry.ts";
import { EEQ_TYPE, EXIT_REASON } from "../abi/tdx/td-exit.ts";
import { TDX_PLATFORM } from "../linux/coco/tdx-platform.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import { TagStore } from "../tdx-module/page-store.ts";
import { seamcall } from "../tdx-module/seamcall.ts";
import { LAST_EXIT, type Td, VCPU_STATE, VCPU_WORD } from "../tdx-module/td.ts";
import { leaveGuest } from "../tdx-module/td-exit.ts";
import { finishVmcall } from "../tdx-module/tdg/vp-vmcall.ts";
import { handleExit } from "../vmm/faults.ts";
import type { Injector } from "./faults/injector.ts";
import type { GuestPlatform } from "./guest-platform.ts";
import { type GuestCpus, hostFrame } from "./hardware.ts";
import { ACCEPT_EXIT, ACCESS_EXIT, CALL_EXIT } from "./tally.ts";

const VP_ENTER = TDH["TDH.VP.ENTER"];
const PAGE = 4096;

/** A TD on a TDX module. */
export class TdxPlatform implements GuestPlatform {
  readonly name = "tdx";
  readonly linux = TDX_PLATFORM;
  readonly exitHandler = handleExit;
  readonly acceptName = "TDG.MEM.PAGE.ACCEPT";
  readonly stateHolder = "secure-EPT entry";
  readonly module: TdxModule;
  readonly td: Td;
  readonly cpus: GuestCpus;
  private readonly injector: Injector | undefined;
  private readonly enterRegs = newRegs();
  /** By vCPU: the exit registers, of which a view each time would cost. */
  private readonly exits: readonly Regs[];

  constructor(module: TdxModule, td: Td, cpus: GuestCpus, injector: Injector | undefined) {
    this.module = module;
    this.td = td;
    this.cpus = cpus;
    this.injector = injector;
    this.exits = Array.from({ length: td.vcpuCount }, (_, vcpu) => td.exitRegs(vcpu));
  }

  get pages(): Td {
    return this.td;
  }

  /** The registers that the last exit of a vCPU gave the host. */
  exitRegs(vcpu: number): Regs {
    return this.exits[vcpu]!;
  }

  isInGuest(vcpu: number): boolean {
    return this.td.vcpu(vcpu, VCPU_WORD.STATE) === VCPU_STATE.ACTIVE;
  }

  /** TDH.VP.ENTER. */
  tryEnter(vcpu: number): number {
    const regs = this.enterRegs;
    setNumber(regs, RAX, VP_ENTER);
    setNumber(regs, RCX, this.td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME) * PAGE);
    this.injector?.seamcall(regs);
    const result = seamcall(this.module, regs);
    // Nobody looks at them any more, and which vCPU was entered last tells states apart.
    regs.fill(0);
    return result;
  }

  /** The VMM answered a TDG.VP.VMCALL in the exit registers. */
  entered(vcpu: number): void {
    if (this.calledHost(vcpu)) finishVmcall(this.td, vcpu, this.exits[vcpu]!, this.cpus.regs(vcpu));
  }

  leave(vcpu: number): void {
    leaveGuest(this.td, vcpu, LAST_EXIT.ASYNC);
  }

  calledHost(vcpu: number): boolean {
    return this.td.vcpu(vcpu, VCPU_WORD.LAST_EXIT) === LAST_EXIT.VMCALL;
  }

  exitKind(vcpu: number): number {
    const regs = this.exits[vcpu]!;
    if (lo(regs, RAX) !== EXIT_REASON.EPT_VIOLATION) return CALL_EXIT;
    return (lo(regs, RDX) & 15) === EEQ_TYPE.ACCEPT ? ACCEPT_EXIT : ACCESS_EXIT;
  }

  untouched(start: number, end: number): number {
    const { sept } = this.td;
    const { pages } = this.module;
    if (!(pages instanceof TagStore)) return 0;
    let bytes = 0;
    for (let at = start; at < end; ) {
      sept.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
      const size = PAGE * 512 ** sept.level;
      const next = Math.min(end, at - (at % size) + size);
      if (sept.stateHere === SEPT_MAPPED || sept.stateHere === SEPT_PENDING) {
        const frame = sept.level === 0 ? sept.payloadHere : hostFrame(sept.payloadHere, at);
        bytes += PAGE * pages.zeroFrames(frame, Math.ceil((next - at) / PAGE));
      }
      at = next;
    }
    return bytes;
  }
}
