import {
  getNumber,
  lo,
  newRegs,
  R8,
  RAX,
  RCX,
  RDX,
  type Regs,
  setHalves,
  setNumber,
} from "../../abi/tdx/regs.ts";
import type { AcpiMemoryPort, Boundary, VirtioMemPort } from "../boundary.ts";

const LEAF = { VP_INFO: 1, PAGE_ACCEPT: 6, VM_RD: 7, VM_WR: 8, PAGE_RELEASE: 30 } as const;
const LEVEL_BYTES = [2 ** 12, 2 ** 21, 2 ** 30] as const;
const PAGE = 4096;

/** One TDCALL as the fake saw it. */
export interface FakeTdcall {
  readonly vcpu: number;
  readonly leaf: number;
  readonly rcx: number;
  /** Field code for VM.RD and VM.WR. */
  readonly field: number;
  readonly value: number;
}

/**
 * A boundary that says yes to everything: accepts at every size but 1 GiB, releases, answers metadata from
 * a table. It keeps, a bit a 4 KiB page, what was accepted, so that a test can ask what hardware would know.
 */
export class FakeBoundary implements Boundary {
  readonly calls: FakeTdcall[] = [];
  /** Accepted bytes, 4 KiB pages a bit; starts with none. */
  readonly accepted: Uint8Array;
  /** Pages accepted twice, which real hardware refuses. */
  readonly doubles: number[] = [];
  /** ACCEPT and RELEASE calls that succeeded. */
  accepts = 0;
  releases = 0;
  /** Whether single calls are kept in `calls`; off for long runs. */
  keepCalls = true;
  /** Answers a call instead of the fake: a status, or undefined to let the fake answer. */
  script: ((call: FakeTdcall) => number | undefined) | undefined;
  /** Metadata fields by code, low half. */
  readonly fields = new Map<number, number>([
    [0x16, 0x06],
    [0x17, 0x01],
    [0x19, 1],
  ]);
  attributes = 0x1000_0000;
  gpaWidth = 48;
  readonly virtioMem: VirtioMemPort[] = [];
  acpi: AcpiMemoryPort | undefined = undefined;
  private readonly sets: Regs[];
  private readonly bytes: Uint8Array;

  /** @param top end of guest-physical memory, bytes @param memoryBytes how much of it memory() can show */
  constructor(top: number, vcpus = 1, memoryBytes = 0) {
    this.accepted = new Uint8Array(Math.ceil(top / PAGE / 8));
    this.sets = Array.from({ length: vcpus }, newRegs);
    this.bytes = new Uint8Array(memoryBytes);
  }

  regs(vcpu: number): Regs {
    return this.sets[vcpu]!;
  }

  tdcall(vcpu: number): number {
    const regs = this.sets[vcpu]!;
    const call: FakeTdcall = {
      vcpu,
      leaf: lo(regs, RAX),
      rcx: getNumber(regs, RCX),
      field: lo(regs, RDX) & 0xff_ffff,
      value: lo(regs, R8),
    };
    if (this.keepCalls) this.calls.push(call);
    return this.script?.(call) ?? this.answer(regs, call);
  }

  access(_vcpu: number, _gpa: number, length: number): number {
    return length;
  }

  memory(gpa: number, length: number): Uint8Array {
    return this.bytes.subarray(gpa, gpa + length);
  }

  /** Whether all of [start, end) bytes was accepted and not released. */
  isAccepted(start: number, end: number): boolean {
    for (let page = Math.floor(start / PAGE); page * PAGE < end; page++) {
      if ((this.accepted[page >>> 3]! & (1 << (page & 7))) === 0) return false;
    }
    return true;
  }

  /** Makes [start, end) accepted from the start, as firmware leaves memory. */
  acceptAtBoot(start: number, end: number): void {
    for (let page = start / PAGE; page < end / PAGE; page++) this.accepted[page >>> 3]! |= 1 << (page & 7);
  }

  private answer(regs: Regs, call: FakeTdcall): number {
    if (call.leaf === LEAF.PAGE_ACCEPT || call.leaf === LEAF.PAGE_RELEASE) return this.page(call);
    if (call.leaf === LEAF.VP_INFO) {
      setNumber(regs, RCX, this.gpaWidth);
      setHalves(regs, RDX, this.attributes, 0);
    }
    if (call.leaf === LEAF.VM_RD) setHalves(regs, R8, this.fields.get(call.field) ?? 0, 0);
    if (call.leaf === LEAF.VM_WR) this.fields.set(call.field, call.value);
    return 0;
  }

  private page(call: FakeTdcall): number {
    const level = call.rcx % 8;
    const start = call.rcx - level;
    if (level > 1) return 0xc000_0100;
    const accept = call.leaf === LEAF.PAGE_ACCEPT;
    for (let page = start / PAGE; page < (start + LEVEL_BYTES[level]!) / PAGE; page++) {
      const mask = 1 << (page & 7);
      if (accept && (this.accepted[page >>> 3]! & mask) !== 0) this.doubles.push(page * PAGE);
      if (accept) this.accepted[page >>> 3]! |= mask;
      else this.accepted[page >>> 3]! &= ~mask;
    }
    if (accept) this.accepts++;
    else this.releases++;
    return 0;
  }
}
