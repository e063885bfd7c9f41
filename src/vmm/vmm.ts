import type { Regs } from "../abi/tdx/regs.ts";
import { AssertionError } from "../assert.ts";
import { setRuns } from "../flat/bitmap.ts";
import { DirtyRanges } from "../flat/dirty-ranges.ts";
import { PAGE_SIZE } from "../units.ts";
import { AcpiRegisters } from "./acpi-registers.ts";
import { DimmSlots, plugDimm } from "./dimm.ts";
import { ATTRIBUTE_EVENT, CONFIG_INTERRUPT_EVENT, GPE_EVENT, type VmmSink } from "./events.ts";
import { GuestMemfd } from "./guest-memfd.ts";
import { HostMemory } from "./host-memory.ts";
import { HostUse } from "./host-use.ts";
import { Injection } from "./injection.ts";
import type { GuestLayout } from "./layout.ts";
import { MemoryMap, NO_AREA, VIRTIO_MEM_AREA } from "./memory-map.ts";
import { UNIT_PAGES } from "./page-set.ts";
import type { PamtPairs } from "./pamt-pairs.ts";
import { DEFAULT_POLICY, type VmmPolicy } from "./policy.ts";
import { Seam } from "./seam.ts";
import { SetAside } from "./snp/set-aside.ts";
import { SnpHost } from "./snp/snp-host.ts";
import type { VirtioMemDevice } from "./virtio-mem-device.ts";
import { VirtioMemMailbox } from "./virtio-mem-mailbox.ts";
import { VmLife } from "./vm-life.ts";
import { areasOf, realizeDevices, type VmmConfig } from "./vmm-config.ts";
import { demand, hex } from "./vmm-error.ts";
import { ZapLock } from "./zap-lock.ts";

export type { VirtioMemConfig, VmmConfig } from "./vmm-config.ts";

const KVM_MEMSLOTS = 509;
const noTdx = (): never => {
  throw new AssertionError("only the VMM of a TD makes SEAMCALLs");
};
/** General-purpose event of memory hotplug. */
export const MEMORY_GPE = 3;

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
  readonly use: HostUse;
  readonly life: VmLife;
  readonly zaps = new ZapLock();
  readonly map: MemoryMap;
  /** Backing of all memory that was ever declared: RAM ranges, devices, then DIMM backends. */
  readonly pieces: GuestMemfd[] = [];
  readonly devices: readonly VirtioMemDevice[];
  readonly mailboxes: readonly VirtioMemMailbox[];
  readonly dimms: DimmSlots;
  readonly registers: AcpiRegisters;
  readonly seam: Seam;
  /** Absent where the guest is a TD. */
  readonly snp: SnpHost | undefined;
  /** On a host with dynamic PAMT. */
  readonly pairs: PamtPairs | undefined;
  /** What a hostile host took from under the guest and kept. */
  readonly aside = new SetAside();
  /** Arranged answers to MapGPA. */
  readonly injection = new Injection();
  readonly sink: VmmSink | undefined;
  readonly nodes: number;
  readonly maxMemslots: number;
  /** The lowest shared address. */
  readonly sharedBit: number;
  readonly removePages: (frame: number, count: number) => number;
  readonly exitRegs: (vcpu: number) => Regs;
  readonly inGuest: (vcpu: number) => boolean;
  readonly hasEvent: (vcpu: number) => boolean;
  /** Units, counted from address 0, whose plugged truth changed since somebody cleared the list. */
  readonly changedUnits = new DirtyRanges();
  /** By vCPU: 1 while it must leave the guest once; whoever runs it clears the flag. */
  readonly kicks: Uint8Array;
  /** By vCPU: exits in a row that the VMM did not resolve. */
  readonly unresolved: Uint32Array;
  /** 1 while the memory-hotplug event waits for the guest. */
  readonly gpe = new Uint8Array(1);
  private readonly backends = new Map<string, number>();

  /** @throws VmmError for devices or DIMMs that do not fit the layout */
  constructor(config: VmmConfig) {
    const { layout, virtioMem = [] } = config;
    this.layout = layout;
    this.policy = { ...DEFAULT_POLICY, ...config.policy };
    this.host = new HostMemory(config.host);
    this.use = new HostUse(
      config.hostLimit ?? Number.POSITIVE_INFINITY,
      config.allocationFails,
      config.host.lender,
    );
    this.sink = config.sink;
    this.life = new VmLife(config.sink);
    this.snp = config.snp === undefined ? undefined : new SnpHost(config.snp, config.sink, config.rmpFaults);
    this.pairs = config.pairs;
    this.seam = new Seam(config.seamcall ?? noTdx, config.sink);
    this.removePages = config.removePages ?? (() => 0);
    this.exitRegs = config.exitRegs ?? noTdx;
    this.inGuest = config.inGuest ?? (() => false);
    this.hasEvent = config.hasEvent ?? (() => false);
    this.sharedBit = 2 ** ((config.gpaw ?? 52) - 1);
    this.kicks = new Uint8Array(config.vcpus);
    this.unresolved = new Uint32Array(config.vcpus);
    this.nodes = config.nodes ?? 1;
    this.maxMemslots = config.maxMemslots ?? KVM_MEMSLOTS;
    this.devices = realizeDevices(layout, virtioMem, this.nodes);
    this.mailboxes = this.devices.map((device) => new VirtioMemMailbox(device));
    this.dimms = new DimmSlots(layout.slots);
    this.map = new MemoryMap(areasOf(layout, this.devices.length));
    this.registers = new AcpiRegisters(this);
    this.placeBootMemory();
    for (const { id, size } of config.backends ?? []) this.addBackend(id, size);
    for (const dimm of config.dimms ?? []) plugDimm(this, dimm, false);
  }

  private placeBootMemory(): void {
    const { ram } = this.layout;
    for (const [index, { start, size }] of ram.entries()) this.place(index, `ram${index}`, start, size, true);
    for (const [index, device] of this.devices.entries()) {
      this.place(ram.length + index, device.id, device.addr, device.regionSize, this.startsPrivate);
    }
  }

  private place(area: number, id: string, start: number, size: number, isPrivate: boolean): void {
    this.map.place(area, start / PAGE_SIZE, size / PAGE_SIZE, this.pieces.length);
    this.pieces.push(new GuestMemfd(id, size / PAGE_SIZE, this.host, isPrivate));
  }

  /** KVM attribute of new memory of a memory device. */
  get startsPrivate(): boolean {
    return this.policy.start === "private";
  }

  /** The TD that this VMM runs: its TDR frame, and its key id as a number of frames above the address. */
  attach(tdrFrame: number, keyFrames: number): void {
    this.seam.tdrFrame = tdrFrame;
    this.seam.keyFrames = keyFrames;
  }

  /** Whether every byte of a 2 MiB unit is memory that the VMM has given to the guest. */
  pluggedAt(unit: number): boolean {
    const frame = unit * UNIT_PAGES;
    const area = this.map.find(frame);
    if (area === NO_AREA || frame + UNIT_PAGES > this.map.end(area)) return false;
    const { kind, index } = this.map.areas[area]!;
    if (kind !== VIRTIO_MEM_AREA) return true;
    const device = this.devices[index]!;
    for (let at = frame; at < frame + UNIT_PAGES; at += device.blockSize / PAGE_SIZE) {
      if (!device.isPlugged(at * PAGE_SIZE)) return false;
    }
    return true;
  }

  /** Whether a frame is memory that the VMM has given to the guest. */
  pluggedFrame(frame: number): boolean {
    const area = this.map.find(frame);
    if (area === NO_AREA) return false;
    const { kind, index } = this.map.areas[area]!;
    return kind !== VIRTIO_MEM_AREA || this.devices[index]!.isPlugged(frame * PAGE_SIZE);
  }

  /** Whether KVM has a memslot for a frame of an area. */
  hasSlot(area: number, frame: number): boolean {
    if (this.map.kinds[area] !== VIRTIO_MEM_AREA) return true;
    return this.devices[this.map.areas[area]!.index]!.hasSlot(frame * PAGE_SIZE);
  }

  /** Memslots that KVM has now. */
  get memslots(): number {
    const live = this.devices.reduce((sum, device) => sum + device.liveSlots, this.layout.ram.length);
    return live + this.dimms.used;
  }

  areaOfDevice(device: number): number {
    return this.layout.ram.length + device;
  }

  areaOfSlot(slot: number): number {
    return this.layout.ram.length + this.devices.length + slot;
  }

  /** Backing of an area that is there. */
  pieceOf(area: number): GuestMemfd {
    return this.pieces[this.map.piece(area)]!;
  }

  /** Sets the KVM attribute of pages [from, to) of an area's piece. */
  setAttribute(area: number, from: number, to: number, isPrivate: boolean): void {
    const set = this.pieceOf(area).isPrivate;
    const changed = isPrivate ? set.addRange(from, to) : set.removeRange(from, to);
    if (changed === 0) return;
    const start = this.map.start(area) + from;
    this.sink?.emit(ATTRIBUTE_EVENT, start * PAGE_SIZE, (to - from) * PAGE_SIZE, isPrivate ? 1 : 0, 0, 0);
  }

  /** Pages [from, to) of an area's piece become private, and their shared memory is given back. */
  makePrivate(area: number, from: number, to: number): void {
    this.setAttribute(area, from, to, true);
    this.freeShared(area, from, to);
  }

  /** Gives the shared memory of pages [from, to) of an area's piece back. @returns how many pages there were */
  freeShared(area: number, from: number, to: number): number {
    const freed = this.pieceOf(area).shared.removeRange(from, to);
    this.use.account(0, -freed);
    return freed;
  }

  /** Bytes of private memory that lie in a virtio-mem device's unplugged blocks: what the guest was never given. */
  strayBytes(index: number): number {
    const device = this.devices[index]!;
    const { backed } = this.pieceOf(this.areaOfDevice(index));
    let pages = backed.count;
    for (const { start, end } of setRuns(device.plugged, device.blocks)) {
      pages -= backed.countIn((start * device.blockSize) / PAGE_SIZE, (end * device.blockSize) / PAGE_SIZE);
    }
    return pages * PAGE_SIZE;
  }

  /** Asks every vCPU that runs guest code to leave it once. */
  kickAll(): void {
    for (let vcpu = 0; vcpu < this.kicks.length; vcpu++) this.kicks[vcpu] = this.inGuest(vcpu) ? 1 : 0;
  }

  get kicking(): boolean {
    return this.kicks.includes(1);
  }

  /** Sets the memory-hotplug event, which interrupts the guest. */
  raiseGpe(): void {
    this.gpe[0] = 1;
    this.sink?.emit(GPE_EVENT, MEMORY_GPE, 0, 0, 0, 0);
  }

  /** Whether the memory-hotplug event waited; it does not any more. The guest's handler does this. */
  takeGpe(): boolean {
    const pending = this.gpe[0] !== 0;
    this.gpe[0] = 0;
    return pending;
  }

  /** Tells who looks at invariants that guest frames [from, to) were plugged or unplugged. */
  noteChanged(from: number, to: number): void {
    this.changedUnits.add(Math.floor(from / UNIT_PAGES), Math.ceil(to / UNIT_PAGES));
  }

  /** The operator's target for a virtio-mem device. @throws VmmError as VirtioMemDevice.setRequestedSize */
  setRequestedSize(index: number, bytes: number): void {
    const device = this.devices[index];
    demand(device !== undefined, "device", "a virtio-mem device", String(index));
    device.setRequestedSize(bytes);
    this.sink?.emit(CONFIG_INTERRUPT_EVENT, index, device.generation, 0, 0, 0);
  }

  /**
   * Declares a memory backend for a DIMM, as object-add does.
   *
   * @throws VmmError for a name that is taken or a size that is not whole pages
   */
  addBackend(id: string, size: number): void {
    demand(this.backend(id) === undefined, "id", "a name of its own", id);
    const whole = Number.isSafeInteger(size) && size > 0 && size % PAGE_SIZE === 0;
    demand(whole, `${id} size`, "a positive multiple of 0x1000", hex(size));
    this.backends.set(id, this.pieces.length);
    this.pieces.push(new GuestMemfd(id, size / PAGE_SIZE, this.host, this.startsPrivate));
  }

  /** Number of the piece behind a backend's name. */
  backend(id: string): number | undefined {
    return this.backends.get(id);
  }

  /**
   * Forgets a memory backend, as object-del does.
   *
   * @throws VmmError for a name that is unknown or in use
   */
  deleteBackend(id: string): void {
    const piece = this.backend(id);
    demand(piece !== undefined, "id", "the name of a memory backend", id);
    demand(!this.dimms.holds(piece), "id", "a backend that nothing uses", id);
    this.backends.delete(id);
  }
}
