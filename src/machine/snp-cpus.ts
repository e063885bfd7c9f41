import { SNP_GUEST_CALL } from "../abi/snp/call-numbers.ts";
import { GHCB_MSR_CODE, SVM_EXIT } from "../abi/snp/ghcb.ts";
import { PVALIDATE_RESULT, pvalidateResultName, RMP_2M } from "../abi/snp/rmp-entry.ts";
import { newRegs, type Regs } from "../abi/tdx/regs.ts";
import { status } from "../abi/tdx/status.ts";
import { AssertionError } from "../assert.ts";
import type { Boundary, SnpInstructions } from "../linux/boundary.ts";
import { NotModelled } from "../not-modelled.ts";
import { SNP_ACCESS_OK, snpAccess, snpReachable } from "../snp/guest-access.ts";
import { pvalidate } from "../snp/pvalidate.ts";
import { NESTED_FAULT, type SnpGuest } from "../snp/snp-guest.ts";
import type { TagStore } from "../tdx-module/page-store.ts";
import { isShared, type SharedFrame } from "../vmm/shared-fault.ts";
import { COST } from "./cost.ts";
import { septStateName } from "./facts.ts";
import type { SnpInjector } from "./faults/snp-injector.ts";
import { type CpuObserver, GUEST_CONTENT, PRIVATE_TO_SHARED, STALE_CONTENT } from "./hardware.ts";
import { rmpStateName } from "./rmp-states.ts";
import { ACCEPT_EXIT, ACCESS_EXIT, CALL_EXIT } from "./tally.ts";

const UNIT = 2 ** 21;
const PAGE = 4096;
const TWICE = status("PAGE_ALREADY_ACCEPTED");
const { NO_UPDATE } = PVALIDATE_RESULT;

/** The guest's CPUs on SEV-SNP: what stands behind the kernel's boundary. */
export class SnpCpus implements Pick<Boundary, "regs" | "tdcall" | "access" | "snp">, SnpInstructions {
  readonly snp: SnpInstructions = this;
  /** By vCPU: why it left the guest last. */
  readonly kinds: Uint8Array;
  private readonly guest: SnpGuest;
  private readonly store: TagStore;
  readonly observer: CpuObserver;
  private readonly all: readonly Regs[];

  private readonly faults: SnpInjector | undefined;
  private readonly hostShares: (frame: number) => SharedFrame;

  constructor(
    guest: SnpGuest,
    store: TagStore,
    vcpus: number,
    {
      observer,
      faults,
      hostShares,
    }: {
      readonly observer: CpuObserver;
      readonly faults: SnpInjector | undefined;
      readonly hostShares: (frame: number) => SharedFrame;
    },
  ) {
    this.faults = faults;
    this.hostShares = hostShares;
    this.guest = guest;
    this.store = store;
    this.observer = observer;
    this.kinds = new Uint8Array(vcpus);
    this.all = Array.from({ length: vcpus }, newRegs);
  }

  regs(vcpu: number): Regs {
    return this.all[vcpu]!;
  }

  tdcall(): number {
    throw new AssertionError("an SNP guest makes no TDCALL");
  }

  pvalidate(vcpu: number, gpa: number, size: number, validate: number): number {
    const made = this.faults?.pvalidate(vcpu, gpa, size, validate) ?? -1;
    const result = made >= 0 ? made : pvalidate(this.guest, vcpu, gpa, size, validate);
    const large = size === RMP_2M;
    const end = gpa + (large ? UNIT : PAGE);
    const call = validate === 1 ? SNP_GUEST_CALL.PVALIDATE : SNP_GUEST_CALL["PVALIDATE rescind"];
    this.observer.tdcall(call, large ? COST.pvalidate2M.ns : COST.pvalidate4K.ns);
    if (validate === 0) this.observer.releases(vcpu, gpa, end, result);
    else this.observer.accepts(vcpu, gpa, end, result === NO_UPDATE ? TWICE : result);
    if (this.observer.tracing) {
      const what = `PVALIDATE ${validate === 1 ? "" : "rescind "}${large ? "2M" : "4K"}`;
      const text = result === NESTED_FAULT ? "#NPF" : pvalidateResultName(result);
      this.observer.emit(
        vcpu,
        what,
        gpa,
        end,
        text,
        rmpStateName(septStateName({ sept: this.guest.npt }, gpa)),
      );
    }
    if (result === NESTED_FAULT) this.exit(vcpu, ACCEPT_EXIT, COST.nestedFault.ns);
    return result;
  }

  vmgexit(vcpu: number): void {
    const code = this.guest.msrs[2 * vcpu]! & 0xfff;
    const call = code === 0 ? "VMGEXIT page state change" : "VMGEXIT MSR protocol";
    this.observer.tdcall(SNP_GUEST_CALL[call], 0);
    if (this.observer.tracing) {
      const what = code === GHCB_MSR_CODE.TERMINATE ? "VMGEXIT terminate" : call;
      this.observer.emit(vcpu, what, 0, 0, "VMEXIT", "");
    }
    this.faults?.vmgexit(vcpu, code);
    this.guest.leave(vcpu, SVM_EXIT.VMGEXIT);
    this.exit(vcpu, CALL_EXIT, COST.vmgexit.ns);
  }

  private exit(vcpu: number, kind: number, ns: number): void {
    this.kinds[vcpu] = kind;
    this.observer.exit(vcpu, ns);
  }

  ghcb(vcpu: number): Uint8Array {
    return this.guest.ghcbs[vcpu]!;
  }

  msr(vcpu: number): Uint32Array {
    return this.guest.msrs.subarray(2 * vcpu, 2 * vcpu + 2);
  }

  setMsr(vcpu: number, low: number, high: number): void {
    this.guest.msrs[2 * vcpu] = low;
    this.guest.msrs[2 * vcpu + 1] = high;
  }

  access(vcpu: number, gpa: number, length: number, write: boolean, shared: boolean): number {
    if (shared) return this.accessShared(gpa, length);
    this.observer.accesses(vcpu, gpa, write);
    const outcome = snpAccess(this.guest, vcpu, gpa, write);
    if (outcome !== SNP_ACCESS_OK) return this.refused(vcpu, gpa, write, outcome);
    this.observer.charge(COST.pageTouch.ns);
    // One step reaches no further than its 2 MiB unit, so that another vCPU can come in between.
    const done = snpReachable(this.guest, gpa, Math.min(length, UNIT - (gpa % UNIT)));
    this.eachFrame(gpa, done, (frame, at) => {
      if (write) this.store.stamp(frame, GUEST_CONTENT);
      else if (this.store.content(frame) === STALE_CONTENT) this.observer.readsStale(vcpu, at);
    });
    return done;
  }

  /**
   * Without the C-bit: what the page holds is the host's to see and change, so nothing is kept of it.
   *
   * @missing the nested page fault in which the host backs shared memory
   */
  private accessShared(gpa: number, length: number): number {
    if (this.hostShares(Math.floor(gpa / PAGE)) === "private")
      throw new NotModelled("an access without the C-bit to a private page");
    this.observer.charge(COST.pageTouch.ns);
    return Math.min(length, PAGE - (gpa % PAGE));
  }

  private eachFrame(gpa: number, bytes: number, visit: (frame: number, at: number) => void): void {
    for (let at = gpa - (gpa % PAGE); at < gpa + bytes; at += PAGE)
      visit(this.guest.npt.translate(at / PAGE), at);
  }

  private refused(vcpu: number, gpa: number, write: boolean, outcome: number): number {
    this.observer.accessFailed(vcpu, gpa, write, rmpStateName(septStateName({ sept: this.guest.npt }, gpa)));
    if (isShared(this.hostShares(Math.floor(gpa / PAGE)))) this.observer.wrongMapping(gpa, PRIVATE_TO_SHARED);
    if (outcome === NESTED_FAULT) {
      this.exit(vcpu, ACCESS_EXIT, COST.nestedFault.ns);
      return -1;
    }
    // #VC, exit code 0x404: the handler knows nothing better than to ask for the end of the guest.
    this.observer.unhandledVc(vcpu, SVM_EXIT.PAGE_NOT_VALIDATED);
    this.setMsr(vcpu, GHCB_MSR_CODE.TERMINATE, 0);
    this.vmgexit(vcpu);
    return -1;
  }
}
