import { status, withoutDetails } from "../abi/tdx/status.ts";
import { panic } from "../linux/kernel.ts";
import { UNACCEPTED_MEMORY_LOCK } from "../linux/unaccepted-memory.ts";
import { ACCEPTED, acceptedOf, IN_USE_BITS } from "./facts.ts";
import type { CpuObserver } from "./hardware.ts";
import type { Machine } from "./machine.ts";

const UNIT = 2 ** 21;
const ALREADY_ACCEPTED = status("PAGE_ALREADY_ACCEPTED");

/** Counts, charges and traces what the guest's CPUs do, and holds it against the invariants that speak of deeds. */
export class Observer implements CpuObserver {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  views(): ArrayBufferView[] {
    return [this.releasing];
  }

  get tracing(): boolean {
    return this.machine.trace.on;
  }

  tdcall(leaf: number, ns: number): void {
    this.machine.counts.tdcall(leaf);
    this.machine.scheduler.charge(ns);
  }

  charge(ns: number): void {
    this.machine.scheduler.charge(ns);
  }

  exit(vcpu: number, ns: number): void {
    this.machine.counts.exit();
    this.machine.tally.exit(this.machine.platform.exitKind(vcpu));
    this.machine.scheduler.charge(ns);
    this.machine.exited(vcpu);
  }

  faulted(fault: string, _gpa: number): void {
    panic(this.machine.kernel, fault);
  }

  emit(vcpu: number, what: string, start: number, end: number, text: string, after: string): void {
    const { scheduler, trace } = this.machine;
    const actor = scheduler.actors[scheduler.running]!;
    trace.emit(
      scheduler.steps,
      scheduler.clocks[actor.clock]!,
      actor.name,
      vcpu,
      what,
      start,
      end,
      text,
      after,
    );
  }

  unhandledVc(_vcpu: number, code: number): void {
    this.machine.printk(`SEV: Unsupported exit-code 0x${code.toString(16)} in #VC exception`);
  }

  accepts(_vcpu: number, start: number, end: number, outcome: number): void {
    const { watch, vmm } = this.machine;
    if (watch === undefined) return;
    if (outcome > 0 && withoutDetails(outcome as never) === ALREADY_ACCEPTED)
      watch.report("I3", start, end, `${this.machine.platform.acceptName} found the page accepted already`);
    if (outcome === 0) this.acceptsBesideKept(start, end);
    for (let unit = Math.floor(start / UNIT); unit * UNIT < end; unit++) {
      if (!vmm.pluggedAt(unit) && !this.isPluggedInside(start, end)) {
        this.acceptsUnplugged(start, end, unit);
        if (outcome === 0) this.machine.tally.acceptsUnplugged(Math.min(UNIT, end - start));
      }
      this.acceptsTwiceAtOnce(start, end, unit);
    }
  }

  /** SEV-SNP: another page of the host is still validated for the same address, and the host may show either. */
  private acceptsBesideKept(start: number, end: number): void {
    const { snp, aside, host } = this.machine.vmm;
    const kept = snp === undefined ? -1 : aside.find(Math.floor(start / UNIT) * 512);
    if (snp === undefined || kept < 0) return;
    const gfn = start / 4096;
    const frame = host.frameOf(aside.blockOf(kept)) + (gfn % 512);
    if (snp.guest.rmp.isValid(frame, snp.guest.asid, gfn))
      this.machine.watch!.report(
        "I3",
        start,
        end,
        "validated while another page is validated for its address",
      );
  }

  /** A page of a unit that is not plugged as a whole may be plugged itself. */
  private isPluggedInside(start: number, end: number): boolean {
    for (let frame = start / 4096; frame < end / 4096; frame += 512)
      if (!this.machine.vmm.pluggedFrame(frame)) return false;
    return this.machine.vmm.pluggedFrame(end / 4096 - 1);
  }

  private acceptsUnplugged(start: number, end: number, unit: number): void {
    const watch = this.machine.watch!;
    watch.report("I2", start, end, "accepted, and the VMM has not plugged it");
    const { accepting, table } = this.machine.kernel;
    if (table === undefined) return;
    const relative = unit - table.physBase / table.unitSize;
    const task = this.machine.scheduler.running;
    if (
      accepting.starts[task]! >= 0 &&
      relative === accepting.ends[task]! - 1 &&
      relative > accepting.starts[task]!
    )
      watch.report("I11", start, end, "the guard unit of an accept, and the VMM has not plugged it");
  }

  private acceptsTwiceAtOnce(start: number, end: number, unit: number): void {
    const { accepting, table, locks } = this.machine.kernel;
    if (table === undefined) return;
    const task = this.machine.scheduler.running;
    const relative = unit - table.physBase / table.unitSize;
    for (let other = 0; other < accepting.starts.length; other++) {
      if (other === task || accepting.starts[other]! < 0) continue;
      if (accepting.starts[other]! <= relative && relative < accepting.ends[other]!)
        this.machine.watch!.report("I7", start, end, "two tasks accept the unit at once");
    }
    if (!locks.isFree(UNACCEPTED_MEMORY_LOCK) && !locks.heldBy(UNACCEPTED_MEMORY_LOCK, task)) {
      if (this.releasing[0]! <= unit && unit < this.releasing[1]!)
        this.machine.watch!.report("I7", start, end, "one task accepts the unit while another releases it");
    }
  }
  /** Units [start, end) of the last release. */
  private readonly releasing = new Float64Array(2);

  releases(_vcpu: number, start: number, end: number, outcome: number): void {
    const { watch, uses } = this.machine;
    const first = Math.floor(start / UNIT);
    const last = Math.ceil(end / UNIT);
    this.releasing[0] = first;
    this.releasing[1] = last;
    if (watch === undefined || outcome !== 0) return;
    this.machine.tally.givesBack(this.machine.platform.untouched(start, end));
    // What the kernel maps shared it converts, and goes on using.
    if (this.machine.kernel.shared.has(start)) return;
    for (let unit = first; unit < last; unit++)
      if ((uses.of(this.machine.kernel, unit) & IN_USE_BITS) !== 0)
        watch.report("I31", unit * UNIT, (unit + 1) * UNIT, "released while Linux uses pages of it");
  }

  accesses(_vcpu: number, gpa: number, write: boolean): void {
    const { watch, vmm, platform, kernel } = this.machine;
    if (watch === undefined || vmm.pluggedFrame(Math.floor(gpa / 4096))) return;
    const page = gpa - (gpa % 4096);
    if (kernel.boot.inKdump)
      watch.report("I37", page, page + 4096, "read by a kdump kernel, and the VMM has not plugged it");
    if (acceptedOf(platform.pages, Math.floor(gpa / UNIT)) === ACCEPTED.NONE) return;
    watch.report("I1", page, page + 4096, `${write ? "written" : "read"}, and the VMM has not plugged it`);
  }

  wrongMapping(gpa: number, why: string): void {
    const page = gpa - (gpa % 4096);
    this.machine.watch?.report("I38", page, page + 4096, `touched ${why}`);
  }

  readsStale(vcpu: number, gpa: number): void {
    const why = "read, and it holds what was there before the guest accepted it a second time";
    this.machine.watch?.report("I9", gpa, gpa + 4096, why);
    if (this.tracing) this.emit(vcpu, "read", gpa, gpa + 4096, "SUCCESS", "stale content");
  }

  accessFailed(vcpu: number, gpa: number, write: boolean, state: string): void {
    const page = gpa - (gpa % 4096);
    this.machine.watch?.report(
      this.machine.jumping ? "I41" : "I1",
      page,
      page + 4096,
      `${write ? "written" : "read"} before it was accepted, its ${this.machine.platform.stateHolder} is ${state}`,
    );
    if (this.tracing)
      this.emit(
        vcpu,
        write ? "write" : "read",
        page,
        page + 4096,
        this.machine.platform.name === "tdx" ? "EPT_VIOLATION" : "FAULT",
        state,
      );
  }
}
