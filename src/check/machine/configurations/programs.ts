import { assert } from "../../../assert.ts";
import { setMemoryDecrypted, setMemoryEncrypted } from "../../../linux/coco/set-memory.ts";
import { USE } from "../../../linux/mem-map.ts";
import { MMOP } from "../../../linux/memory-block.ts";
import { GFP } from "../../../linux/page-allocator/gfp.ts";
import { kexec } from "../../../machine/kexec.ts";
import type { Machine } from "../../../machine/machine.ts";
import type { KexecSyscall } from "../../../machine/next-kernel.ts";
import { storeBlockState } from "../../../machine/operator.ts";
import type { KernelTask } from "../../../machine/tasks.ts";
import { allocatedRuns, allocateMemory, freeOwned, readAcross } from "../../../machine/workload.ts";
import { plugDimm, requestUnplugDimm } from "../../../vmm/dimm.ts";
import type { Deed, MachineConfiguration, Program } from "./configuration.ts";
import { dimmUnits, HIGH_BASE, UNIT } from "./placement.ts";

const dimmIn = (slot: number): string => `dimm${slot}`;
const PAGE = 4096;
/** Bits of an allocation's owner below its order. */
const OWNER_BITS = 2 ** 20;

/** Names of allocations that somebody asks for later, as owner numbers from 1. All others are nobody's in particular. */
const ownersOf = (programs: readonly Program[], before: readonly Deed[]): readonly string[] => {
  const deeds = [...before, ...programs.flatMap((program) => program.deeds)];
  return [...new Set(deeds.flatMap((deed) => (deed.do !== "allocate" && "as" in deed ? [deed.as] : [])))];
};

/** What people do to a machine, each at their own place in their program. The places are the only state. */
export class Programs {
  readonly all: readonly Program[];
  /** By program: deeds that were begun. */
  readonly places: Int32Array;
  private readonly machine: Machine;
  private readonly owners: readonly string[];
  private readonly firstBlock: number;
  private readonly blockBytes: number;

  constructor(machine: Machine, configuration: MachineConfiguration) {
    const { programs, before, staticUnits, blockUnits } = configuration;
    this.machine = machine;
    this.all = programs;
    this.places = new Int32Array(programs.length);
    this.owners = ownersOf(programs, before);
    this.blockBytes = blockUnits * UNIT;
    this.firstBlock = (HIGH_BASE + staticUnits * UNIT) / this.blockBytes;
    const size = dimmUnits(configuration) * UNIT;
    for (let slot = 0; size > 0 && slot < machine.vmm.dimms.count; slot++)
      machine.vmm.addBackend(dimmIn(slot), size);
  }

  private taskOf({ by }: Program): KernelTask | undefined {
    return by === "operator"
      ? undefined
      : this.machine.tasks.users[by.user % this.machine.tasks.users.length]!;
  }

  /** Numbers of the programs of the user on a vCPU. */
  numbersOf(vcpu: number): number[] {
    const { users } = this.machine.tasks;
    return [...this.all.keys()].filter((program) => this.taskOf(this.all[program]!) === users[vcpu]);
  }

  /** All that the user on a vCPU does, as a text; empty if that is nothing. Memory has a name only if somebody asks for it. */
  deedsOf(vcpu: number): string {
    const isTold = (name: unknown): boolean => this.owners.some((owner) => owner === name);
    const programs = this.numbersOf(vcpu).map((program) => ({ ...this.all[program]!, by: "user" }));
    if (programs.length === 0) return "";
    return JSON.stringify(programs, (key, value) => (key === "as" && !isTold(value) ? "" : value));
  }

  /** Whether the next deed of a program may begin now. */
  isReady(program: number): boolean {
    const { deeds, when } = this.all[program]!;
    if (this.places[program]! >= deeds.length) return false;
    if (when === "at rest" && this.machine.scheduler.activeCount[0] !== 0) return false;
    const task = this.taskOf(this.all[program]!);
    return task === undefined || (task.idle && this.machine.runsGuest(task.frame.vcpu));
  }

  /** Whether a program is done by a task of this number. */
  isOf(program: number, actor: number): boolean {
    return this.taskOf(this.all[program]!)?.index === actor;
  }

  get done(): boolean {
    return this.all.every(({ deeds }, program) => this.places[program]! >= deeds.length);
  }

  /** Begins the next deed of a program. */
  begin(program: number): void {
    const { deeds } = this.all[program]!;
    const deed = deeds[this.places[program]!++];
    assert(deed !== undefined, "a program that is done begins nothing");
    this.perform(deed, this.taskOf(this.all[program]!));
  }

  /** Does a deed, or has it begun by a task of the guest. */
  perform(deed: Deed, user: KernelTask | undefined): void {
    const { machine } = this;
    const task = user ?? machine.tasks.users[0]!;
    if (deed.do === "resize") machine.vmm.setRequestedSize(0, deed.to * UNIT);
    else if (deed.do === "plug" || deed.do === "unplug") this.dimm(deed.do === "plug", deed.slot ?? 0);
    else if (deed.do === "free") this.free(deed.as);
    else if (deed.do === "read") this.read(task, HIGH_BASE + deed.across * UNIT);
    else if (deed.do === "allocate") this.allocate(task, deed);
    else if (deed.do === "share" || deed.do === "unshare") this.convert(task, deed);
    else if (deed.do === "kexec") this.kexec(deed.syscall ?? "kexec_file_load");
    else if (deed.do === "online") this.store(task, deed.block, MMOP.ONLINE_MOVABLE);
    else if (deed.do === "offline") this.store(task, deed.block, MMOP.OFFLINE);
    machine.interrupts.startWork();
  }

  /** What is there is not plugged again, and what is not there not asked back: the operator sees that. */
  private dimm(plug: boolean, slot: number): void {
    const { vmm } = this.machine;
    if (plug && !vmm.dimms.isPlugged(slot)) plugDimm(vmm, { memdev: dimmIn(slot), slot }, true);
    else if (!plug && vmm.dimms.isPlugged(slot)) requestUnplugDimm(vmm, slot);
  }

  private ownerOf(name: string): number {
    return this.owners.indexOf(name) + 1;
  }

  /** Blocks of a unit each, wherever they are to be had: movable memory is taken from the device first. */
  private allocate(task: KernelTask, { units, as, pinned }: Deed & { readonly do: "allocate" }): void {
    const order = Math.log2(UNIT / PAGE) + 1;
    const owner = this.ownerOf(as) + order * OWNER_BITS;
    const flags = pinned === true ? 0 : GFP.MOVABLE;
    this.machine.start(task, allocateMemory, units * (UNIT / PAGE), flags, 0, owner);
  }

  /** What is mapped shared is leaked: a conversion of it failed, or nobody took it back. */
  private free(name: string): void {
    const { kernel } = this.machine;
    const owner = this.ownerOf(name);
    if (allocatedRuns(kernel, owner).some(({ start }) => kernel.shared.has(start))) return;
    freeOwned(kernel, owner);
  }

  /** What is shared is not shared again. What could not be shared was leaked, and the VMM has it private still: nobody takes it back. */
  private convert(task: KernelTask, deed: Deed & { readonly do: "share" | "unshare" }): void {
    const runs = allocatedRuns(this.machine.kernel, this.ownerOf(deed.as));
    if (runs.length !== 1) return;
    const { start, end } = runs[0]!;
    const isPrivate = this.isPrivate(start);
    if (deed.do === "share" ? !isPrivate || this.machine.kernel.shared.has(start) : isPrivate) return;
    const procedure = deed.do === "share" ? setMemoryDecrypted : setMemoryEncrypted;
    this.machine.start(task, procedure, start, end - start);
  }

  private isPrivate(address: number): boolean {
    const { vmm } = this.machine;
    const area = vmm.map.find(address / PAGE);
    const page = address / PAGE - vmm.map.start(area);
    return vmm.pieceOf(area).isPrivate.next(page, page + 1) === page;
  }

  /** What becomes of it once it is loaded is for the rules to say. What its drivers do is for the search. */
  private kexec(syscall: KexecSyscall): void {
    // The kernel before died of what it had plugged.
    if (this.machine.halted) return;
    const { variant, design } = this.machine.config;
    const { error } = kexec(this.machine, {
      ...{ variant, design, syscall },
      ...{ image: "bzImage", stopsAtDrivers: true },
    });
    assert(error === 0, () => `the machine has room to load another kernel, and answers ${error}`);
  }

  /** Only memory that nobody can move is read by its address. */
  private read(task: KernelTask, boundary: number): void {
    if (this.machine.kernel.mm.useAt(boundary / PAGE - 1) === USE.ALLOCATED)
      this.machine.start(task, readAcross, boundary);
  }

  private store(task: KernelTask, block: number, type: number): void {
    const number = this.firstBlock + block;
    this.machine.start(task, storeBlockState, number, number, type);
  }

  /** Name of who begins the next deed of a program, and what that is. */
  text(program: number, place = this.places[program]!): readonly [who: string, what: string] {
    const { by, deeds } = this.all[program]!;
    const deed = deeds[place];
    return [
      by === "operator" ? "operator" : `user@vcpu${by.user}`,
      deed === undefined ? "nothing" : deedText(deed),
    ];
  }
}

/** A deed in words. */
export const deedText = (deed: Deed): string => {
  switch (deed.do) {
    case "resize":
      return `resize vm0 to ${deed.to * 2}M`;
    case "plug":
    case "unplug":
      return `${deed.do} ${dimmIn(deed.slot ?? 0)}`;
    case "allocate":
      return `allocate ${deed.units * 2}M as ${deed.as}`;
    case "free":
    case "share":
    case "unshare":
      return `${deed.do} ${deed.as}`;
    case "kexec":
      return "kexec";
    case "read":
      return `read a word across 0x${(HIGH_BASE + deed.across * UNIT).toString(16)}`;
    default:
      return `${deed.do} block ${deed.block}`;
  }
};
