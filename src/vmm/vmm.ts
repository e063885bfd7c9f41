import type { Regs } from "../abi/tdx/regs.ts";
import { assert } from "../assert.ts";
import { DirtyRanges } from "../flat/dirty-ranges.ts";
import { PAGE_SIZE } from "../units.ts";
import { ATTRIBUTE_EVENT, KILLED_EVENT, VM_END, type VmmSink } from "./events.ts";
import { GuestMemfd } from "./guest-memfd.ts";
import { HostMemory, type HostRange } from "./host-memory.ts";
import { Injection } from "./injection.ts";
import type { GuestLayout } from "./layout.ts";
import {
  type AreaDefinition,
  DIMM_AREA,
  MemoryMap,
  NO_AREA,
  RAM_AREA,
  VIRTIO_MEM_AREA,
} from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import { DEFAULT_POLICY, type VmmPolicy } from "./policy.ts";
import { Seam, type SeamcallPort } from "./seam.ts";
import { VirtioMemDevice, type VirtioMemProperties } from "./virtio-mem-device.ts";
import { VirtioMemMailbox } from "./virtio-mem-mailbox.ts";
import { demand, hex } from "./vmm-error.ts";
import { placeInWindow, type Taken } from "./window.ts";

/** A virtio-mem device as the operator describes it; `memaddr` is chosen when it is left out. */
export type VirtioMemConfig = Omit<VirtioMemProperties, "memaddr"> & { readonly memaddr?: number };

export interface VmmConfig {
  readonly layout: GuestLayout;
  readonly virtioMem?: readonly VirtioMemConfig[];
  readonly policy?: Partial<VmmPolicy>;
  /** Host memory for private pages and tables; the TDX module must cover it. */
  readonly host: HostRange;
  /** Bytes of host memory that the guest may use in both planes together. Default: no limit. */
  readonly hostLimit?: number;
  readonly vcpus: number;
  /** Executes a SEAMCALL on the host's registers. */
  readonly seamcall: SeamcallPort;
  /** What TDH.VP.ENTER gave the host at a vCPU's last TD exit. A TDVMCALL's results are written back there. */
  readonly exitRegs: (vcpu: number) => Regs;
  /** Whether a vCPU runs guest code right now, so that a kick has to wait for it. */
  readonly inGuest?: (vcpu: number) => boolean;
  /** Whether an interrupt waits for a vCPU, for which a long MapGPA breaks off. */
  readonly hasEvent?: (vcpu: number) => boolean;
  /** Width of a guest-physical address; its top bit means shared. */
  readonly gpaw?: 48 | 52;
  readonly sink?: VmmSink;
}

/** Places in the VMM's own numbers. */
const END_REASON = 0;
const END_GPA = 1;
const END_VCPU = 2;
const END_STATUS = 3;
const PRIVATE_PAGES = 4;
const SHARED_PAGES = 5;
const PEAK_PAGES = 6;
const ZAP_OWNER = 7;
const ZAP_FROM = 8;
const ZAP_TO = 9;

const NOT_OWNED = 0;

/**
 * QEMU and KVM as far as a confidential guest's memory can see them.
 *
 * Mutable state is flat and in the members; the procedures of this folder work on it one step at a time.
 * Guest frames are 4 KiB; a unit is 2 MiB.
 */
export class Vmm {
  readonly layout: GuestLayout;
  readonly policy: VmmPolicy;
  readonly host: HostMemory;
  readonly map: MemoryMap;
  /** Backing of all memory that was ever declared: RAM ranges, devices, then DIMM backends. */
  readonly pieces: GuestMemfd[] = [];
  readonly devices: readonly VirtioMemDevice[];
  readonly mailboxes: readonly VirtioMemMailbox[];
  readonly seam: Seam;
  /** Arranged answers to MapGPA, by type MAP_GPA_INJECTION. */
  readonly injection = new Injection();
  readonly sink: VmmSink | undefined;
  readonly exitRegs: (vcpu: number) => Regs;
  readonly inGuest: (vcpu: number) => boolean;
  readonly hasEvent: (vcpu: number) => boolean;
  /** First frame with the shared bit set. */
  readonly sharedBit: number;
  /** Units, counted from address 0, whose plugged truth changed since somebody cleared the list. */
  readonly changedUnits = new DirtyRanges();
  /** By vCPU: 1 while it must leave the guest once; whoever runs it clears the flag. */
  readonly kicks: Uint8Array;
  /** By vCPU: exits in a row that the VMM did not resolve. */
  readonly unresolved: Uint32Array;
  readonly words = new Float64Array(10);
  private readonly hostLimitPages: number;

  /** @throws VmmError for devices that do not fit the layout */
  constructor(config: VmmConfig) {
    const { layout, virtioMem = [] } = config;
    this.layout = layout;
    this.policy = { ...DEFAULT_POLICY, ...config.policy };
    this.host = new HostMemory(config.host);
    this.sink = config.sink;
    this.seam = new Seam(config.seamcall, config.sink);
    this.exitRegs = config.exitRegs;
    this.inGuest = config.inGuest ?? (() => false);
    this.hasEvent = config.hasEvent ?? (() => false);
    this.sharedBit = 2 ** ((config.gpaw ?? 52) - 1);
    this.hostLimitPages = (config.hostLimit ?? Number.POSITIVE_INFINITY) / PAGE_SIZE;
    this.kicks = new Uint8Array(config.vcpus);
    this.unresolved = new Uint32Array(config.vcpus);
    this.devices = realize(layout, virtioMem);
    this.mailboxes = this.devices.map((device) => new VirtioMemMailbox(device));
    this.map = new MemoryMap(areasOf(layout, this.devices.length));
    for (const [index, range] of layout.ram.entries()) {
      this.addPiece(index, `ram${index}`, range.start, range.size, true);
    }
    for (const [index, device] of this.devices.entries()) {
      const area = layout.ram.length + index;
      this.addPiece(area, device.id, device.addr, device.regionSize, this.policy.start === "private");
    }
  }

  private addPiece(area: number, id: string, start: number, size: number, isPrivate: boolean): void {
    const pages = size / PAGE_SIZE;
    this.map.place(area, start / PAGE_SIZE, pages, this.pieces.length);
    this.pieces.push(new GuestMemfd(id, pages, this.host, isPrivate));
  }

  /** The TD that this VMM runs: its TDR frame, and its key id as a number of frames above the address. */
  attach(tdrFrame: number, keyFrames: number): void {
    this.seam.tdrFrame = tdrFrame;
    this.seam.keyFrames = keyFrames;
  }

  /** VM_END number of the reason the VM ended for; 0 while it runs. */
  get ended(): number {
    return this.words[END_REASON]!;
  }

  /** Where and why it ended. */
  get end(): { reason: number; gpa: number; vcpu: number; status: number } {
    const [reason, gpa, vcpu, status] = this.words.subarray(END_REASON, END_STATUS + 1);
    return { reason: reason!, gpa: gpa!, vcpu: vcpu!, status: status! };
  }

  /** Bytes of guest_memfd in use. */
  get privateBytes(): number {
    return this.words[PRIVATE_PAGES]! * PAGE_SIZE;
  }

  /** Bytes of shared memory in use. */
  get sharedBytes(): number {
    return this.words[SHARED_PAGES]! * PAGE_SIZE;
  }

  /** Most bytes that both planes ever used together. */
  get peakBytes(): number {
    return this.words[PEAK_PAGES]! * PAGE_SIZE;
  }

  /** Whether every byte of a 2 MiB unit is memory that the VMM has given to the guest. */
  pluggedAt(unit: number): boolean {
    const frame = unit * UNIT_PAGES;
    const area = this.map.find(frame);
    if (area === NO_AREA || frame + UNIT_PAGES > this.map.end(area)) return false;
    if (this.map.areas[area]!.kind !== VIRTIO_MEM_AREA) return true;
    const device = this.devices[this.map.areas[area]!.index]!;
    for (let at = frame; at < frame + UNIT_PAGES; at += device.blockSize / PAGE_SIZE) {
      if (!device.isPlugged(at * PAGE_SIZE)) return false;
    }
    return true;
  }

  /** Whether a frame is memory that the VMM has given to the guest. */
  pluggedFrame(frame: number): boolean {
    const area = this.map.find(frame);
    if (area === NO_AREA) return false;
    if (this.map.areas[area]!.kind !== VIRTIO_MEM_AREA) return true;
    return this.devices[this.map.areas[area]!.index]!.isPlugged(frame * PAGE_SIZE);
  }

  /** Whether KVM has a memslot for a frame of an area. */
  hasSlot(area: number, frame: number): boolean {
    const { kind, index } = this.map.areas[area]!;
    return kind !== VIRTIO_MEM_AREA || this.devices[index]!.hasSlot(frame * PAGE_SIZE);
  }

  /** Ends the VM. The first reason stays. */
  kill(reason: number, vcpu: number, frame: number, status: number): void {
    if (this.ended !== VM_END.NONE) return;
    this.words[END_REASON] = reason;
    this.words[END_GPA] = frame * PAGE_SIZE;
    this.words[END_VCPU] = vcpu;
    this.words[END_STATUS] = status;
    this.sink?.emit(KILLED_EVENT, vcpu, reason, frame * PAGE_SIZE, status, 0);
  }

  /** Whether the host can give this many pages more. */
  hasRoom(pages: number): boolean {
    return this.words[PRIVATE_PAGES]! + this.words[SHARED_PAGES]! + pages <= this.hostLimitPages;
  }

  /** Keeps the counters: pages that came into use or, negative, went out of use. */
  account(privatePages: number, sharedPages: number): void {
    const words = this.words;
    const used = (words[PRIVATE_PAGES]! += privatePages) + (words[SHARED_PAGES]! += sharedPages);
    if (used > words[PEAK_PAGES]!) words[PEAK_PAGES] = used;
  }

  /** Backing of an area that is there. */
  pieceOf(area: number): GuestMemfd {
    return this.pieces[this.map.piece(area)]!;
  }

  /** Pages [from, to) of an area's piece become private, and their shared memory is given back. */
  makePrivate(area: number, from: number, to: number): void {
    this.setAttribute(area, from, to, true);
    this.account(0, -this.pieceOf(area).shared.removeRange(from, to));
  }

  /** Sets the KVM attribute of pages [from, to) of an area's piece. */
  setAttribute(area: number, from: number, to: number, isPrivate: boolean): void {
    const set = this.pieceOf(area).isPrivate;
    const changed = isPrivate ? set.addRange(from, to) : set.removeRange(from, to);
    if (changed === 0) return;
    const start = this.map.start(area) + from;
    this.sink?.emit(ATTRIBUTE_EVENT, start * PAGE_SIZE, (to - from) * PAGE_SIZE, isPrivate ? 1 : 0, 0, 0);
  }

  /** Takes the lock under which KVM removes or splits mappings. Faults in [from, to) wait meanwhile. */
  lockZap(task: number, from: number, to: number): boolean {
    if (this.words[ZAP_OWNER] !== NOT_OWNED) return false;
    this.words[ZAP_OWNER] = task + 1;
    this.words[ZAP_FROM] = from;
    this.words[ZAP_TO] = to;
    return true;
  }

  unlockZap(): void {
    assert(this.words[ZAP_OWNER] !== NOT_OWNED, "only a lock that is held is given back");
    this.words.fill(0, ZAP_OWNER, ZAP_TO + 1);
  }

  /** Whether mappings of a guest frame are being removed. */
  isZapping(frame: number): boolean {
    return this.words[ZAP_FROM]! <= frame && frame < this.words[ZAP_TO]!;
  }

  /** Asks every vCPU that runs guest code to leave it once. */
  kickAll(): void {
    for (let vcpu = 0; vcpu < this.kicks.length; vcpu++) this.kicks[vcpu] = this.inGuest(vcpu) ? 1 : 0;
  }

  get kicking(): boolean {
    return this.kicks.includes(1);
  }
}

const areasOf = (layout: GuestLayout, devices: number): AreaDefinition[] => [
  ...layout.ram.map((_range, index) => ({ kind: RAM_AREA, index })),
  ...Array.from({ length: devices }, (_, index) => ({ kind: VIRTIO_MEM_AREA, index })),
  ...Array.from({ length: layout.slots }, (_, index) => ({ kind: DIMM_AREA, index })),
];

/** Gives every device its place in the window, in the order in which the operator named them. */
const realize = (layout: GuestLayout, configs: readonly VirtioMemConfig[]): VirtioMemDevice[] => {
  const taken: Taken[] = [];
  return configs.map((config) => {
    const { memaddr = 0, blockSize } = config;
    demand(
      taken.every((other) => other.id !== config.id),
      "virtio-mem id",
      () => "an id of its own",
      () => config.id,
    );
    const used = taken.reduce((sum, other) => sum + other.size, 0);
    demand(
      used + config.size <= layout.maxmem - layout.memory,
      `${config.id} memory backend size`,
      () => `at most ${hex(layout.maxmem - layout.memory - used)}, which maxmem leaves`,
      () => hex(config.size),
    );
    const start = placeInWindow(layout.deviceMemory, taken, {
      id: config.id,
      size: config.size,
      align: Math.max(blockSize ?? 0, UNIT_PAGES * PAGE_SIZE),
      hint: memaddr,
    });
    const device = new VirtioMemDevice({ ...config, memaddr: start });
    taken.push({ id: config.id, start, size: config.size });
    return device;
  });
};
