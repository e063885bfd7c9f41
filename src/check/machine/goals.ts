import { MEMORY_SLOT_FLAG } from "../../abi/acpi/memory-hotplug-registers.ts";
import { LEAF_STATUSES, type LeafWithStatuses } from "../../abi/tdx/leaf-statuses.ts";
import { TDH } from "../../abi/tdx/leaves.ts";
import { SEPT_STATES } from "../../abi/tdx/sept-entry.ts";
import { type Status, statusName } from "../../abi/tdx/status.ts";
import { VIRTIO_MEM_REQUEST } from "../../abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESPONSE } from "../../abi/virtio-mem/response.ts";
import { ACPI_OST } from "../../linux/acpi-memory/acpi-memory.ts";
import { BLOCK_STATES } from "../../linux/memory-block.ts";
import { BBM_STATES, SBM_STATES } from "../../linux/virtio-mem/states.ts";
import { isLeaving, pluggedBit, unacceptedBit } from "../../machine/facts.ts";
import type { Machine } from "../../machine/machine.ts";
import { OST_EVENT, SEAMCALL_EVENT, VIRTIO_MEM_EVENT } from "../../vmm/events.ts";

/** SEAMCALLs that the VMM makes while the guest runs. */
const SEAMCALLS = [
  "TDH.MEM.SEPT.ADD",
  "TDH.MEM.PAGE.AUG",
  "TDH.MEM.RANGE.BLOCK",
  "TDH.MEM.PAGE.DEMOTE",
  "TDH.MEM.PAGE.REMOVE",
  "TDH.MEM.TRACK",
] as const satisfies readonly LeafWithStatuses[];
const TDCALLS = [
  "TDG.MEM.PAGE.ACCEPT",
  "TDG.MEM.PAGE.RELEASE",
] as const satisfies readonly LeafWithStatuses[];

const refusalsOf = (leaves: readonly LeafWithStatuses[]): string[] =>
  leaves.flatMap((leaf) => Object.keys(LEAF_STATUSES[leaf]).map((name) => `${leaf} ${name}`));

const SLOT_STATES = ["empty", "plugged", "insert event", "remove event", "ejecting"] as const;
const REQUESTS = ["PLUG", "UNPLUG", "UNPLUG_ALL"] as const;

/** What a search may see some time, table by table: states of the parts, and what was refused. */
export const GOAL_TABLES = {
  "secure EPT": SEPT_STATES,
  "memory block": BLOCK_STATES,
  "virtio-mem block": SBM_STATES,
  "virtio-mem big block": BBM_STATES,
  "DIMM slot": SLOT_STATES,
  "unit of the table": [
    "accepted",
    "accepted, not plugged",
    "unaccepted",
    "unaccepted, not plugged",
    "leaving",
  ],
  "virtio-mem answer": REQUESTS.flatMap((type) =>
    Object.keys(VIRTIO_MEM_RESPONSE).map((answer) => `${type} ${answer}`),
  ),
  _OST: Object.keys(ACPI_OST),
  refusal: refusalsOf([...TDCALLS, ...SEAMCALLS]),
} as const;
export type GoalTable = keyof typeof GOAL_TABLES;

/** Every goal as its table and its name, by number. */
export const GOALS: readonly (readonly [table: string, name: string])[] = Object.entries(GOAL_TABLES).flatMap(
  ([table, names]) => names.map((name) => [table, name] as const),
);

const firstOf = (table: GoalTable): number => GOALS.findIndex(([name]) => name === table);
const SEPT = firstOf("secure EPT");
const BLOCKS = firstOf("memory block");
const SBM = firstOf("virtio-mem block");
const BBM = firstOf("virtio-mem big block");
const SLOT = firstOf("DIMM slot");
const UNITS = firstOf("unit of the table");
const ANSWERS = firstOf("virtio-mem answer");
const OST = firstOf("_OST");

const OST_GOALS = new Map<number, number>(Object.values(ACPI_OST).map((code, place) => [code, OST + place]));
const ANSWER_GOALS = new Map<number, number>(
  REQUESTS.map((type, place) => [VIRTIO_MEM_REQUEST[type], ANSWERS + 4 * place]),
);
const LEAF_NAMES = new Map<number, LeafWithStatuses>(SEAMCALLS.map((leaf) => [TDH[leaf], leaf]));
const REFUSALS = new Map(GOALS.flatMap(([table, name], goal) => (table === "refusal" ? [[name, goal]] : [])));

const UNIT = 2 ** 21;
/** Units that are looked at, from the first above 4 GiB on. */
const MOST_UNITS = 8;

/** Notes which goals a machine meets. It looks on, and changes nothing. */
export class Goals {
  private readonly machine: Machine;
  private readonly bits: Uint32Array;
  private readonly firstUnit: number;
  private readonly endUnit: number;

  /** @param bits one a goal, 32 a word */
  constructor(machine: Machine, bits: Uint32Array, from: number, units: number) {
    this.machine = machine;
    this.bits = bits;
    this.firstUnit = from / UNIT;
    this.endUnit = this.firstUnit + Math.min(units, MOST_UNITS);
    this.listen();
  }

  private meet(goal: number | undefined): void {
    if (goal !== undefined) this.bits[goal >>> 5]! |= 1 << (goal & 31);
  }

  private refused(leaf: LeafWithStatuses | undefined, outcome: number): void {
    if (leaf !== undefined && outcome > 0)
      this.meet(REFUSALS.get(`${leaf} ${statusName(outcome as Status)}`));
  }

  /** What is answered passes by; it is no part of a state. */
  private listen(): void {
    const { observer } = this.machine.cpus;
    const { sink } = this.machine.vmm;
    const { accepts, releases } = observer;
    observer.accepts = (vcpu, start, end, outcome) => {
      this.refused("TDG.MEM.PAGE.ACCEPT", outcome);
      accepts.call(observer, vcpu, start, end, outcome);
    };
    observer.releases = (vcpu, start, end, outcome) => {
      this.refused("TDG.MEM.PAGE.RELEASE", outcome);
      releases.call(observer, vcpu, start, end, outcome);
    };
    if (sink === undefined) return;
    const { emit } = sink;
    sink.emit = (event, a, b, c, d, e) => {
      if (event === SEAMCALL_EVENT) this.refused(LEAF_NAMES.get(a), d);
      else if (event === OST_EVENT) this.meet(OST_GOALS.get(c));
      else if (event === VIRTIO_MEM_EVENT && e >= 0 && ANSWER_GOALS.has(b))
        this.meet(ANSWER_GOALS.get(b)! + (e & 3));
      emit.call(sink, event, a, b, c, d, e);
    };
  }

  /** Looks at the state that the machine is in. */
  look(): void {
    const { kernel, vmm, platform } = this.machine;
    const { sept } = platform.pages;
    for (let unit = this.firstUnit; unit < this.endUnit; unit++) {
      sept.walk((unit << 21) >>> 0, Math.floor(unit / 2048), 1);
      this.meet(SEPT + sept.stateHere);
      this.meet(BLOCKS + kernel.blocks.stateOf(kernel.blocks.blockOf(unit * UNIT)));
      this.unit(unit);
    }
    for (const { states, layout } of kernel.virtioMem)
      for (let block = 0; block < states.length; block++)
        this.meet((layout.sbm ? SBM : BBM) + states[block]!);
    for (let slot = 0; slot < vmm.dimms.count; slot++) this.slot(slot);
  }

  private unit(unit: number): void {
    const { kernel } = this.machine;
    const bit = unacceptedBit(kernel, unit);
    if (bit < 0) return;
    this.meet(UNITS + 2 * bit + (pluggedBit(kernel, unit) === 0 ? 1 : 0));
    if (isLeaving(kernel, unit)) this.meet(UNITS + 4);
  }

  private slot(slot: number): void {
    const { dimms } = this.machine.vmm;
    const flags = dimms.flags(slot);
    this.meet(dimms.isPlugged(slot) ? SLOT + 1 : SLOT);
    if ((flags & MEMORY_SLOT_FLAG.INSERT_EVENT) !== 0) this.meet(SLOT + 2);
    if ((flags & MEMORY_SLOT_FLAG.REMOVE_EVENT) !== 0) this.meet(SLOT + 3);
    if (dimms.ejecting >= 0) this.meet(SLOT + 4);
  }
}

/** Names of goals that were met, table first. */
export const goalsMet = (bits: Uint32Array): string[] =>
  GOALS.flatMap(([table, name], goal) =>
    ((bits[goal >>> 5]! >>> (goal & 31)) & 1) === 1 ? [`${table}: ${name}`] : [],
  );
