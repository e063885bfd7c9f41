import { TDG } from "../../abi/tdx/leaves.ts";
import { getNumber, RAX, RCX, type Regs, setNumber } from "../../abi/tdx/regs.ts";
import { type Status, statusText } from "../../abi/tdx/status.ts";
import type { MachineConfig } from "../../machine/config.ts";
import { Machine } from "../../machine/machine.ts";
import { describeEnd } from "../../machine/watched.ts";
import { TD_EXIT_VMCALL } from "../../tdx-module/outcome.ts";
import { finishVmcall } from "../../tdx-module/tdg/vp-vmcall.ts";
import { MIB, PAGE_SIZE } from "../../units.ts";

const UNIT = 2 * MIB;
/** Level operand of a page size. */
const LEVEL_4K = 0;
const LEVEL_2M = 1;

/** The TD does not live any more: the VMM ended it, or the module did. */
export class TdEnded extends Error {
  override name = "TdEnded";
}

/** A page call that the guest made, once it has its status. */
export interface PageCall {
  readonly leaf: "TDG.MEM.PAGE.ACCEPT" | "TDG.MEM.PAGE.RELEASE";
  readonly vcpu: number;
  readonly start: number;
  readonly end: number;
  readonly status: number;
}

const PAGE_LEAVES: ReadonlyMap<number, PageCall["leaf"]> = new Map([
  [TDG["TDG.MEM.PAGE.ACCEPT"], "TDG.MEM.PAGE.ACCEPT"],
  [TDG["TDG.MEM.PAGE.RELEASE"], "TDG.MEM.PAGE.RELEASE"],
]);
const LEVEL_BYTES = [2 ** 12, 2 ** 21, 2 ** 30];

/**
 * Our TDX module, the TD in it and our VMM's part of the secure EPT, for a guest kernel that runs elsewhere. It is the
 * model's machine without the model's kernel.
 */
export class TrustDomain {
  readonly machine: Machine;
  /** Is told of each page call after it. */
  onPageCall: (call: PageCall) => void = () => {};

  constructor(config: MachineConfig) {
    this.machine = new Machine({ ...config, gpaw: 53 });
  }

  /**
   * Executes TDCALL with `regs` of a vCPU, which hold the results afterwards: whatever the VMM has to do for it is
   * done before it comes back.
   *
   * @throws TdEnded if the TD did not survive it
   */
  tdcall(vcpu: number, regs: Regs): void {
    const { cpus } = this.machine;
    const own = cpus.regs(vcpu);
    own.set(regs);
    const leaf = PAGE_LEAVES.get(getNumber(regs, RAX) & 0xffff);
    const operand = getNumber(regs, RCX);
    for (;;) {
      const outcome = cpus.tdcall(vcpu);
      if (outcome >= 0) break;
      this.settle();
      if (outcome !== TD_EXIT_VMCALL) continue;
      finishVmcall(this.machine.td, vcpu, this.machine.td.exitRegs(vcpu), own);
      break;
    }
    regs.set(own);
    if (leaf !== undefined) this.tell(leaf, vcpu, operand, getNumber(regs, RAX));
  }

  private tell(leaf: PageCall["leaf"], vcpu: number, operand: number, status: number): void {
    const start = operand - (operand % PAGE_SIZE);
    const end = start + (LEVEL_BYTES[operand % 8] ?? 0);
    this.onPageCall({ leaf, vcpu, start, end, status });
  }

  /** Lets the VMM do what there is to do. @throws TdEnded if it ends the TD */
  settle(): void {
    this.machine.settle();
    if (this.machine.halted) throw new TdEnded(describeEnd(this.machine.vmm));
  }

  /**
   * Accepts [start, end) as firmware does before the kernel runs: whole 2 MiB pages where they fit.
   *
   * @throws TdEnded if a page is refused
   */
  acceptForFirmware(start: number, end: number): void {
    const regs = this.machine.cpus.regs(0).slice();
    for (let at = start; at < end; ) {
      const large = at % UNIT === 0 && end - at >= UNIT;
      setNumber(regs, RAX, TDG["TDG.MEM.PAGE.ACCEPT"]);
      setNumber(regs, RCX, at + (large ? LEVEL_2M : LEVEL_4K));
      this.tdcall(0, regs);
      const status = getNumber(regs, RAX);
      if (status !== 0) {
        const why = statusText(status as Status);
        throw new TdEnded(`firmware could not accept the page at 0x${at.toString(16)}: ${why}`);
      }
      at += large ? UNIT : PAGE_SIZE;
    }
  }
}
