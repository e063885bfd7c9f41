import { TDG } from "../../abi/tdx/leaves.ts";
import { getBig, getNumber, RAX, RCX, type Regs, setNumber } from "../../abi/tdx/regs.ts";
import { type Status, status, statusFromWord, statusText, withoutDetails } from "../../abi/tdx/status.ts";
import { assert } from "../../assert.ts";
import type { MachineConfig } from "../../machine/config.ts";
import { Machine } from "../../machine/machine.ts";
import { describeEnd } from "../../machine/watched.ts";
import { TD_EXIT_VMCALL } from "../../tdx-module/outcome.ts";
import { MIB, PAGE_SIZE } from "../../units.ts";

const UNIT = 2 * MIB;
/** The shared bit is then bit 52, which an MMU ignores: a shared mapping reaches the same memory. */
const GPA_WIDTH = 53;
/**
 * Stock kernels share memory without releasing it, pages of 4 KiB out of larger ones. A module that pins accepted pages
 * would let no TD with PAGE_RELEASE run them.
 */
const BEHAVIOUR = { blockUnreleased: "allow" } as const;
/** Level operand of a page size. */
const LEVEL_4K = 0;
const LEVEL_2M = 1;
const SIZE_MISMATCH = withoutDetails(status("PAGE_SIZE_MISMATCH"));

/** The TD does not live any more: the VMM ended it, or the module did. */
export class TdEnded extends Error {
  override name = "TdEnded";
}

/** A page call that the guest made. One that left the guest is made again, and told of again. */
export interface PageCall {
  readonly leaf: "TDG.MEM.PAGE.ACCEPT" | "TDG.MEM.PAGE.RELEASE";
  readonly vcpu: number;
  readonly start: number;
  readonly end: number;
  /** Packed status; negative if the call did not retire. */
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
  /** Is told of each page call, before the VMM handles the exit that it may have caused. */
  onPageCall: (call: PageCall) => void = () => {};

  constructor(config: MachineConfig) {
    this.machine = new Machine({ ...config, gpaw: GPA_WIDTH, moduleBehaviour: BEHAVIOUR });
  }

  /**
   * Executes TDCALL with `regs` of a vCPU, which hold the results afterwards: whatever the VMM has to do for it is
   * done before it comes back.
   *
   * @throws TdEnded if the TD did not survive it
   */
  tdcall(vcpu: number, regs: Regs): void {
    const own = this.machine.cpus.regs(vcpu);
    own.set(regs);
    for (;;) {
      const outcome = this.attempt(vcpu);
      if (outcome >= 0 || outcome === TD_EXIT_VMCALL) break;
    }
    regs.set(own);
  }

  /**
   * Executes TDCALL once with the vCPU's own registers; a TD exit is handled by the VMM before this comes back.
   *
   * @returns as `Boundary.tdcall`: the status, or a negative number if the instruction did not retire
   * @throws TdEnded if the TD did not survive it
   */
  attempt(vcpu: number): number {
    const own = this.machine.cpus.regs(vcpu);
    const leaf = PAGE_LEAVES.get(getNumber(own, RAX) & 0xffff);
    const operand = getNumber(own, RCX);
    const outcome = this.machine.cpus.tdcall(vcpu);
    // Told before the VMM acts on it: a VMM may end the TD for what was asked.
    if (leaf !== undefined) this.tell(leaf, vcpu, operand, outcome);
    if (outcome < 0) this.settle();
    return outcome;
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
   * Accepts [start, end) as firmware does before the kernel runs: whole 2 MiB pages where they fit, and where the VMM has not
   * mapped smaller ones.
   *
   * @throws TdEnded if a page is refused
   */
  acceptForFirmware(start: number, end: number): void {
    for (let at = start; at < end; ) {
      const large = at % UNIT === 0 && end - at >= UNIT;
      const answer = this.acceptPage(at, large ? LEVEL_2M : LEVEL_4K);
      if (answer === 0) at += large ? UNIT : PAGE_SIZE;
      else if (large && withoutDetails(answer) === SIZE_MISMATCH) {
        for (const unitEnd = at + UNIT; at < unitEnd; at += PAGE_SIZE)
          this.demandAccepted(at, this.acceptPage(at, LEVEL_4K));
      } else this.demandAccepted(at, answer);
    }
  }

  private acceptPage(at: number, level: number): Status {
    const regs = this.machine.cpus.regs(0).slice();
    setNumber(regs, RAX, TDG["TDG.MEM.PAGE.ACCEPT"]);
    setNumber(regs, RCX, at + level);
    this.tdcall(0, regs);
    const answer = statusFromWord(getBig(regs, RAX));
    assert(answer !== undefined, "our module answers no reserved bits");
    return answer;
  }

  private demandAccepted(at: number, answer: Status): void {
    if (answer === 0) return;
    throw new TdEnded(`firmware could not accept the page at 0x${at.toString(16)}: ${statusText(answer)}`);
  }
}
