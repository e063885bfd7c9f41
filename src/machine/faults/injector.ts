import { TDG, TDH } from "../../abi/tdx/leaves.ts";
import { getNumber, lo, R11, R12, R13, RAX, RCX, type Regs } from "../../abi/tdx/regs.ts";
import { SEPT_PENDING } from "../../abi/tdx/sept-entry.ts";
import type { Status } from "../../abi/tdx/status.ts";
import type { GuestFaults } from "../../linux/fault-points.ts";
import { INTERRUPTED } from "../../tdx-module/outcome.ts";
import { VCPU_WORD } from "../../tdx-module/td.ts";
import { VM_END } from "../../vmm/events.ts";
import type { HostAllocation } from "../../vmm/host-use.ts";
import { INJECT_NOTHING, MAP_GPA_INJECTION, MAP_GPA_PIECE } from "../../vmm/vmcall.ts";
import type { Machine } from "../machine.ts";
import { answerText } from "./fault-answer.ts";
import { CPU_ACCESS, OWN_ANSWER } from "./fault-calls.ts";
import { callOf, type FaultPoints, type FaultRule } from "./fault-points.ts";

const ACCEPT = TDG["TDG.MEM.PAGE.ACCEPT"];
const RELEASE = TDG["TDG.MEM.PAGE.RELEASE"];
const ATTR_RD = TDG["TDG.MEM.PAGE.ATTR.RD"];
const VMCALL = TDG["TDG.VP.VMCALL"];
const MAP_GPA = 0x10001;
/** SEAMCALLs that are about no guest-physical memory. */
const PLACELESS: ReadonlySet<number> = new Set([
  TDH["TDH.MEM.TRACK"],
  TDH["TDH.PHYMEM.PAGE.WBINVD"],
  TDH["TDH.VP.ENTER"],
  TDH["TDH.PHYMEM.PAMT.ADD"],
  TDH["TDH.PHYMEM.PAMT.REMOVE"],
]);
const CHUNKS = 512;
const UNIT = 2 ** 21;
const LEVEL_BYTES = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48];

/**
 * Makes calls fail where they cross a boundary: it arranges the answer with the part that gives it, just
 * before that part is asked, so the part itself stays as it is.
 */
export class Injector implements GuestFaults {
  readonly points: FaultPoints;
  /** What the ACPI port remembers between two accesses. */
  readonly acpiWords = new Uint8Array(2);
  private readonly machine: Machine;
  /** By virtio-mem device: rule whose answer waits for the request in flight; -1: none. */
  private readonly waiting: Int32Array;

  constructor(machine: Machine, points: FaultPoints) {
    this.machine = machine;
    this.points = points;
    this.waiting = new Int32Array(machine.config.virtioMem.length).fill(-1);
  }

  /** A vCPU is about to execute TDCALL. */
  tdcall(vcpu: number, regs: Regs): void {
    const { points, machine } = this;
    if (!points.on) return;
    const leaf = lo(regs, RAX) & 0xffff;
    if (leaf === VMCALL) {
      this.vmcall(vcpu, regs);
      return;
    }
    const call = points.find("tdcall", leaf);
    if (call === undefined) return;
    const isPage = leaf === ACCEPT || leaf === RELEASE || leaf === ATTR_RD;
    const start = isPage ? getNumber(regs, RCX) - (lo(regs, RCX) & 0xfff) : 0;
    const bytes = isPage ? (LEVEL_BYTES[lo(regs, RCX) & 7] ?? 0) : 0;
    const rule = this.strike(
      call,
      vcpu,
      start,
      start + bytes,
      ({ answer, after }) => answer !== INTERRUPTED || this.chunksLeft(regs) > Math.max(1, after),
    );
    if (rule === undefined || rule.answer === OWN_ANSWER) return;
    if (rule.answer === INTERRUPTED) {
      const after = rule.after > 0 ? rule.after : points.draw(this.chunksLeft(regs) - 1);
      machine.td.setVcpu(vcpu, VCPU_WORD.INTERRUPT_IN, after);
    } else machine.module.faults.nextTdcall(leaf, rule.answer as Status);
  }

  /** Chunks that an accept of this 2 MiB page has still to zero; 0 if it will not get so far. */
  private chunksLeft(regs: Regs): number {
    const { sept } = this.machine.td;
    if ((lo(regs, RCX) & 7) !== 1) return 0;
    sept.walk(lo(regs, RCX), regs[2 * RCX + 1]!, 1);
    return sept.level === 1 && sept.stateHere === SEPT_PENDING ? CHUNKS - (sept.payloadHere % CHUNKS) : 0;
  }

  private vmcall(vcpu: number, regs: Regs): void {
    const call = this.points.find("mapgpa", 0);
    if (call === undefined || getNumber(regs, R11) !== MAP_GPA) return;
    const { injection, sharedBit } = this.machine.vmm;
    const gpa = getNumber(regs, R12) % sharedBit;
    const size = getNumber(regs, R13);
    const rule = this.strike(call, vcpu, gpa, gpa + size, ({ after }) => after * MAP_GPA_PIECE < size);
    injection.clear();
    if (rule === undefined || rule.answer === OWN_ANSWER) return;
    if (rule.after > 0) injection.arrange(MAP_GPA_INJECTION, INJECT_NOTHING, rule.after);
    injection.arrange(MAP_GPA_INJECTION, rule.answer, 1);
  }

  /** The host is about to execute SEAMCALL. */
  seamcall(regs: Regs): void {
    if (!this.points.on) return;
    const leaf = lo(regs, RAX) & 0xffff;
    const call = this.points.find("seamcall", leaf);
    if (call === undefined) return;
    const placeless = PLACELESS.has(leaf);
    const size = LEVEL_BYTES[lo(regs, RCX) & 7] ?? 0;
    const gpa = getNumber(regs, RCX);
    const start = placeless ? 0 : gpa - (gpa % size);
    const rule = this.strike(call, -1, start, placeless ? 0 : start + size);
    if (rule === undefined || rule.answer === OWN_ANSWER) return;
    this.machine.module.faults.nextSeamcall(leaf, rule.answer as Status);
  }

  /** An SNP guest or its host asks for something. @returns what it gets instead, or OWN_ANSWER */
  snp(code: number, vcpu: number, start: number, end: number, counts?: (rule: FaultRule) => boolean): number {
    if (!this.points.on) return OWN_ANSWER;
    const call = this.points.find("snp", code);
    if (call === undefined) return OWN_ANSWER;
    return this.strike(call, vcpu, start, end, counts)?.answer ?? OWN_ANSWER;
  }

  /** The VMM is about to allocate host memory for its guest. */
  hostAllocationFails(what: HostAllocation): boolean {
    const call = this.points.on ? this.points.find("vmm", what) : undefined;
    const rule = call === undefined ? undefined : this.strike(call, -1, 0, 0);
    return rule !== undefined && rule.answer !== OWN_ANSWER;
  }

  /** A vCPU is about to load or store. @returns whether the memory has lost its integrity, which ends the guest */
  accessFails(vcpu: number, gpa: number, length: number): boolean {
    const call = this.points.on ? this.points.find("cpu", CPU_ACCESS) : undefined;
    if (call === undefined) return false;
    // One access reaches no further than its unit.
    const rule = this.strike(call, vcpu, gpa, gpa + Math.min(length, UNIT - (gpa % UNIT)));
    if (rule === undefined || rule.answer === OWN_ANSWER) return false;
    this.machine.vmm.life.kill(VM_END.MACHINE_CHECK, vcpu, Math.floor(gpa / LEVEL_BYTES[0]!), 0);
    return true;
  }

  /** Arranges what the VMM answers to the request that a guest is about to make. */
  arrange(answer: number): void {
    this.machine.vmm.injection.arrange(MAP_GPA_INJECTION, answer, 1);
  }

  /** The host brings TDX up and is about to make a SEAMCALL. @returns the status that it answers, or -1 */
  hostSeamcall(leaf: number): number {
    const call = this.points.find("seamcall", leaf);
    const rule = call === undefined ? undefined : this.strike(call, -1, 0, 0);
    return rule === undefined || rule.answer === OWN_ANSWER ? -1 : rule.answer;
  }

  /** The host's kernel is about to allocate. @returns whether it gets nothing */
  hostKernelAllocationFails(what: number): boolean {
    const call = this.points.find("host", what);
    return call !== undefined && this.strike(call, -1, 0, 0) !== undefined;
  }

  /** The stub is about to call a boot service. @returns the number of the EFI status that it gets instead of its answer, or 0 */
  bootService(service: number): number {
    const call = this.points.find("firmware", service);
    return call === undefined ? 0 : (this.strike(call, -1, 0, 0)?.answer ?? 0);
  }

  /** The VMM makes the TD. @returns what the call answers instead of going well, a status or a negative error number; 0 */
  creation(code: number, start: number, end: number): number {
    const call = this.points.find("creation", code);
    const rule = call === undefined ? undefined : this.strike(call, -1, start, end);
    return rule?.answer ?? 0;
  }

  /** The guest puts a virtio-mem request into the queue. @returns nanoseconds that its answer is late */
  request(device: number, type: number, addr: number, bytes: number): number {
    const { points, machine, waiting } = this;
    if (!points.on) return 0;
    const { injection } = machine.vmm.devices[device]!;
    injection.clear();
    const call = points.find("virtio-mem", type);
    if (call === undefined) return 0;
    const number = points.strike(call, device, addr, addr + bytes, machine.scheduler.steps);
    if (number < 0) return 0;
    const rule = points.plan.rules[number]!;
    waiting[device] = number;
    if (rule.answer !== OWN_ANSWER) injection.arrange(type, rule.answer, 1);
    return rule.lateNs;
  }

  /** The device answered: what was arranged came to pass, or the device had a reason of its own to refuse. */
  answered(device: number, addr: number, bytes: number): void {
    const number = this.waiting[device]!;
    if (number < 0) return;
    this.waiting[device] = -1;
    const { injection } = this.machine.vmm.devices[device]!;
    const rule = this.points.plan.rules[number]!;
    if (injection.isEmpty) this.row(rule, number, -1, addr, addr + bytes);
    else this.points.takeBack(number);
    injection.clear();
  }

  /** An ACPI control method of a slot, or the firmware's look at it, is about to do its work. @returns what it does instead, or OWN_ANSWER */
  acpi(method: number): number {
    if (!this.points.on) return OWN_ANSWER;
    const call = this.points.find("acpi", method);
    if (call === undefined) return OWN_ANSWER;
    return this.strike(call, -1, 0, 0)?.answer ?? OWN_ANSWER;
  }

  at(point: number): number {
    if (!this.points.on) return 0;
    const call = this.points.find("guest", point);
    const rule = call === undefined ? undefined : this.strike(call, -1, 0, 0);
    return rule === undefined || rule.answer === OWN_ANSWER ? 0 : rule.answer;
  }

  /** Counts a call; where it is struck, the delay is charged to whoever makes it, and the trace gets a row. */
  private strike(
    call: number,
    vcpu: number,
    start: number,
    end: number,
    counts?: (rule: FaultRule) => boolean,
  ): FaultRule | undefined {
    const { points, machine } = this;
    const number = points.strike(call, -1, start, end, machine.scheduler.steps, counts);
    if (number < 0) return undefined;
    const rule = points.plan.rules[number]!;
    machine.scheduler.charge(rule.lateNs);
    this.row(rule, number, vcpu, start, end);
    return rule;
  }

  private row(rule: FaultRule, number: number, vcpu: number, start: number, end: number): void {
    const { trace, scheduler } = this.machine;
    if (!trace.on) return;
    const clock = scheduler.clocks[scheduler.actors[scheduler.running]!.clock]!;
    const after = `call ${this.points.seen[number]}`;
    const what = callOf(rule).name;
    trace.emit(scheduler.steps, clock, "fault", vcpu, what, start, end, answerText(rule), after);
  }
}
