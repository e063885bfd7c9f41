import { TDG, tdgName } from "../abi/tdx/leaves.ts";
import { RAX, RCX, REGS_LENGTH, type Regs } from "../abi/tdx/regs.ts";
import { type Status, status, statusText, withoutDetails } from "../abi/tdx/status.ts";
import { EEQ_TYPE } from "../abi/tdx/td-exit.ts";
import { type Boundary, SHARED_VE } from "../linux/boundary.ts";
import {
  ACCESS_DOUBLE_FAULT,
  ACCESS_OK,
  ACCESS_PF_RSVD,
  ACCESS_SHARED,
  ACCESS_TD_EXIT,
  ACCESS_VE,
  type AccessOutcome,
  access,
  READ,
  reachableBytes,
  WRITE,
} from "../tdx-module/access.ts";
import type { TdxModule } from "../tdx-module/module.ts";
import { INTERRUPTED, TD_EXIT, TD_EXIT_VMCALL } from "../tdx-module/outcome.ts";
import { TagStore, ZERO_CONTENT } from "../tdx-module/page-store.ts";
import type { Td } from "../tdx-module/td.ts";
import { exitEptViolation } from "../tdx-module/td-exit.ts";
import { tdcall } from "../tdx-module/tdcall.ts";
import { isShared, type SharedFrame } from "../vmm/shared-fault.ts";
import { COST } from "./cost.ts";
import { septStateName } from "./facts.ts";
import type { Injector } from "./faults/injector.ts";

const ACCEPT = TDG["TDG.MEM.PAGE.ACCEPT"];
const RELEASE = TDG["TDG.MEM.PAGE.RELEASE"];
const LEVEL_BYTES = [2 ** 12, 2 ** 21, 2 ** 30];
const LEVEL_NAMES = ["4K", "2M", "1G"];
const UNIT = 2 ** 21;
const PAGE = 4096;

const namesOf = (leaf: number): readonly string[] =>
  Array.from({ length: 8 }, (_, level) => `${tdgName(leaf)} ${LEVEL_NAMES[level] ?? `level ${level}`}`);
/** Names of calls on pages by level, made once: equal names are then one string, which compares at once. */
const ACCEPT_NAMES = namesOf(ACCEPT);
const RELEASE_NAMES = namesOf(RELEASE);

/** Tag of pages that the guest wrote. */
export const GUEST_CONTENT = 1;
/** Tag of pages that held something when the guest accepted them a second time. */
export const STALE_CONTENT = 2;
const ALREADY_ACCEPTED = status("PAGE_ALREADY_ACCEPTED");

/** Exceptions that an access may raise, by outcome. */
const FAULT_NAMES: { readonly [outcome: number]: string } = {
  [ACCESS_VE]: "Unexpected EPT-violation on private memory.",
  [ACCESS_DOUBLE_FAULT]: "double fault",
  [ACCESS_PF_RSVD]: "page fault with reserved bits set",
  [ACCESS_SHARED]: "access to a shared address through a private mapping",
};

/** Why I38 breaks. */
export const PRIVATE_TO_SHARED = "through a private mapping, and it is shared";
const SHARED_TO_PRIVATE = "through a shared mapping, and it is private";

/** What the machine wants to know of each instruction. Ranges are guest-physical bytes. */
export interface CpuObserver {
  /** TDG.MEM.PAGE.ACCEPT completed or left the guest. */
  accepts(vcpu: number, start: number, end: number, outcome: number): void;
  releases(vcpu: number, start: number, end: number, outcome: number): void;
  /** A CPU access is about to be made. */
  accesses(vcpu: number, gpa: number, write: boolean): void;
  /** A load reaches what was in the page before its last accept, which changed nothing. */
  readsStale(vcpu: number, gpa: number): void;
  /** An access through a mapping of the other kind than the page is. */
  wrongMapping(gpa: number, why: string): void;
  /** An access did not come through for the state that the S-EPT has. */
  accessFailed(vcpu: number, gpa: number, write: boolean, state: string): void;
  tdcall(leaf: number, ns: number): void;
  /** The vCPU left the guest; its exit registers tell why. */
  exit(vcpu: number, ns: number): void;
  /** SEV-SNP: a #VC exception for which the guest kernel has no handler. */
  unhandledVc(vcpu: number, code: number): void;
  /** An exception that the guest kernel does not survive. */
  faulted(fault: string, gpa: number): void;
  charge(ns: number): void;
  emit(vcpu: number, what: string, start: number, end: number, status: string, after: string): void;
  readonly tracing: boolean;
  /** What it keeps from one instruction to the next. */
  views(): ArrayBufferView[];
}

/** The host's own page tables for the guest's shared memory. */
export interface SharedEpt {
  at(frame: number): SharedFrame;
  /** What is not mapped raises #VE in the guest, instead of leaving it. */
  readonly raisesVe: boolean;
}

/** The guest's CPUs over the TDX module: what stands behind the kernel's boundary in the model world. */
export class GuestCpus implements Pick<Boundary, "regs" | "tdcall" | "access"> {
  private readonly all: Regs[];
  private readonly module: TdxModule;
  private readonly td: Td;
  readonly observer: CpuObserver;
  private readonly injector: Injector | undefined;
  private readonly sharedEpt: SharedEpt;

  constructor(
    module: TdxModule,
    td: Td,
    vcpus: number,
    {
      observer,
      injector,
      sharedEpt,
    }: {
      readonly observer: CpuObserver;
      readonly injector: Injector | undefined;
      readonly sharedEpt: SharedEpt;
    },
  ) {
    this.module = module;
    this.td = td;
    this.observer = observer;
    this.injector = injector;
    this.sharedEpt = sharedEpt;
    const words = new Uint32Array(vcpus * REGS_LENGTH);
    this.all = Array.from({ length: vcpus }, (_, vcpu) =>
      words.subarray(vcpu * REGS_LENGTH, (vcpu + 1) * REGS_LENGTH),
    );
  }

  regs(vcpu: number): Regs {
    return this.all[vcpu]!;
  }

  tdcall(vcpu: number): number {
    const regs = this.all[vcpu]!;
    const leaf = regs[2 * RAX]! & 0xffff;
    const low = regs[2 * RCX]!;
    const high = regs[2 * RCX + 1]!;
    this.injector?.tdcall(vcpu, regs);
    const outcome = tdcall(this.module, this.td, vcpu, regs);
    this.observer.tdcall(leaf, costOf(leaf, low & 7, outcome));
    if (leaf === ACCEPT || leaf === RELEASE) this.pageCall(vcpu, leaf, low, high, outcome);
    else if (this.observer.tracing) this.observer.emit(vcpu, tdgName(leaf), 0, 0, outcomeText(outcome), "");
    if (outcome === TD_EXIT) this.observer.exit(vcpu, COST.eptViolation.ns);
    else if (outcome === TD_EXIT_VMCALL) this.observer.exit(vcpu, COST.tdvmcall.ns);
    else if (outcome === INTERRUPTED) this.td.clearInterrupt(vcpu);
    return outcome;
  }

  private pageCall(vcpu: number, leaf: number, low: number, high: number, outcome: number): void {
    const level = low & 7;
    const start = high * 2 ** 32 + (low - (low & 0xfff));
    const end = start + (LEVEL_BYTES[level] ?? 0);
    if (leaf === ACCEPT) this.observer.accepts(vcpu, start, end, outcome);
    else this.observer.releases(vcpu, start, end, outcome);
    if (outcome > 0 && withoutDetails(outcome as Status) === ALREADY_ACCEPTED)
      this.restamp(start, end, (tag) => (tag === ZERO_CONTENT ? tag : STALE_CONTENT));
    if (!this.observer.tracing) return;
    const what = (leaf === ACCEPT ? ACCEPT_NAMES : RELEASE_NAMES)[level]!;
    this.observer.emit(vcpu, what, start, end, outcomeText(outcome), septStateName(this.td, start));
  }

  access(vcpu: number, gpa: number, length: number, write: boolean, shared: boolean): number {
    if (shared) return this.accessShared(vcpu, gpa, length, write);
    this.observer.accesses(vcpu, gpa, write);
    const outcome = access(this.td, vcpu, gpa, write ? WRITE : READ);
    if (outcome !== ACCESS_OK) return this.refused(vcpu, gpa, write, outcome);
    this.observer.charge(COST.pageTouch.ns);
    // One step reaches no further than its 2 MiB unit, so that another vCPU can come in between.
    const done = reachableBytes(this.td, gpa, Math.min(length, UNIT - (gpa % UNIT)));
    if (write) this.stamp(gpa, done);
    else this.look(vcpu, gpa, done);
    return done;
  }

  /**
   * Through a shared mapping. What the page holds is the host's to see and change, so nothing is kept of it.
   *
   * @missing the record of a #VE and TDG.VP.VEINFO.GET
   */
  private accessShared(vcpu: number, gpa: number, length: number, write: boolean): number {
    const frame = this.sharedEpt.at(Math.floor(gpa / PAGE));
    if (frame === "private") this.observer.wrongMapping(gpa, SHARED_TO_PRIVATE);
    if (frame === "mapped") {
      this.observer.charge(COST.pageTouch.ns);
      return Math.min(length, PAGE - (gpa % PAGE));
    }
    if (this.sharedEpt.raisesVe) {
      if (this.observer.tracing) this.observer.emit(vcpu, "#VE", gpa, gpa + 1, "EPT violation", "shared");
      return SHARED_VE;
    }
    const address = gpa + this.td.sharedBit;
    const kind = 1 << (write ? WRITE : READ);
    exitEptViolation(this.td, vcpu, kind, EEQ_TYPE.NONE, 0, address >>> 0, Math.floor(address / 2 ** 32));
    this.observer.exit(vcpu, COST.eptViolation.ns);
    return -1;
  }

  /** Whether a load meets content that the guest has no right to expect. */
  private look(vcpu: number, gpa: number, bytes: number): void {
    const first = gpa - (gpa % PAGE);
    this.restamp(first, gpa + bytes, (tag, at) => {
      if (tag === STALE_CONTENT) this.observer.readsStale(vcpu, at);
      return tag;
    });
  }

  /** Gives each page of [start, end) that is mapped the tag that `next` makes of its old one. */
  private restamp(start: number, end: number, next: (tag: number, gpa: number) => number): void {
    const { pages } = this.module;
    if (!(pages instanceof TagStore)) return;
    const { sept } = this.td;
    for (let at = start; at < end; at += PAGE) {
      sept.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
      if (!sept.isLeafHere()) continue;
      const frame = sept.level === 0 ? sept.payloadHere : hostFrame(sept.payloadHere, at);
      const tag = pages.content(frame);
      const after = next(tag, at);
      if (after !== tag) pages.stamp(frame, after);
    }
  }

  private refused(vcpu: number, gpa: number, write: boolean, outcome: AccessOutcome): number {
    const state = septStateName(this.td, gpa);
    // A page that the host is moving under the guest's feet is accepted all the same.
    if (state !== "BLOCKED") this.observer.accessFailed(vcpu, gpa, write, state);
    if (isShared(this.sharedEpt.at(Math.floor(gpa / PAGE))))
      this.observer.wrongMapping(gpa, PRIVATE_TO_SHARED);
    if (outcome === ACCESS_TD_EXIT) this.observer.exit(vcpu, COST.eptViolation.ns);
    else this.observer.faulted(FAULT_NAMES[outcome] ?? "fault", gpa);
    return -1;
  }

  /** Marks what a store leaves: the guest's own content. */
  private stamp(gpa: number, bytes: number): void {
    const { pages } = this.module;
    if (!(pages instanceof TagStore)) return;
    const { sept } = this.td;
    const first = gpa - (gpa % PAGE);
    const frames = Math.ceil((gpa + bytes - first) / PAGE);
    sept.walk(first >>> 0, Math.floor(first / 2 ** 32), 1);
    if (sept.isLeafHere()) {
      pages.stampRun(hostFrame(sept.payloadHere, first), frames, GUEST_CONTENT);
      return;
    }
    for (let frame = 0; frame < frames; frame++) {
      const at = first + frame * PAGE;
      sept.walk(at >>> 0, Math.floor(at / 2 ** 32), 0);
      pages.stamp(sept.payloadHere, GUEST_CONTENT);
    }
  }
}

/** Host frame of the 4 KiB page at `gpa` in a 2 MiB mapping. */
export const hostFrame = (payload: number, gpa: number): number =>
  payload - (payload % 512) + (Math.floor(gpa / PAGE) % 512);

const costOf = (leaf: number, level: number, outcome: number): number => {
  if (outcome !== 0) return COST.tdcall.ns;
  if (leaf === ACCEPT) return level === 0 ? COST.accept4K.ns : COST.tdcall.ns + 512 * COST.zero4K.ns;
  if (leaf === RELEASE) return level === 0 ? COST.release4K.ns : COST.release2M.ns;
  return COST.tdcall.ns;
};

const outcomeText = (outcome: number): string => {
  if (outcome === TD_EXIT) return "TD_EXIT";
  if (outcome === TD_EXIT_VMCALL) return "TDVMCALL";
  return outcome === INTERRUPTED ? "INTERRUPTED" : statusText(outcome as Status);
};
