import { setMemoryDecrypted, setMemoryEncrypted } from "../../linux/coco/set-memory.ts";
import { ERRNO, errnoName } from "../../linux/errno.ts";
import { MMOP } from "../../linux/memory-block.ts";
import { GFP } from "../../linux/page-allocator/gfp.ts";
import { allocateInInterrupts } from "../../machine/interrupt-allocation.ts";
import type { Machine } from "../../machine/machine.ts";
import { remapKept, storeBlockState } from "../../machine/operator.ts";
import type { KernelTask } from "../../machine/tasks.ts";
import { allocatedRuns, allocateMemory, freeOwned, readAcross, touchMemory } from "../../machine/workload.ts";
import { plugDimm, requestUnplugDimm } from "../../vmm/dimm.ts";
import { VmmError } from "../../vmm/vmm-error.ts";
import type { Action, Target } from "../scenario.ts";
import { type Outcome, SUCCESS } from "../world.ts";

type Act<K extends Action["kind"]> = Action & { kind: K };

const PAGE = 4096;
const DONE: Outcome = { status: SUCCESS, detail: "" };
/** Owner numbers above this are the kernel's own. */
const MOST_NAMES = 0xf000;

/** Who has what a scenario's `allocate` steps named: owner numbers of pages. */
export class Names {
  private readonly numbers = new Map<string, number>();

  /** Owner number of a name, new if need be; 0 when all are in use. */
  claim(name: string): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const number = this.numbers.size + 1;
    if (number > MOST_NAMES) return 0;
    this.numbers.set(name, number);
    return number;
  }

  of(name: string): number {
    return this.numbers.get(name) ?? 0;
  }
}

/** What an operation on the operator's side of the VMM answers when the VMM refuses. */
const byVmm = (deed: () => void): Outcome => {
  try {
    deed();
    return DONE;
  } catch (error) {
    if (error instanceof VmmError) return { status: "GenericError", detail: error.message };
    throw error;
  }
};

/** How a machine that stands still answers what was asked of it. */
const halted = (machine: Machine): Outcome => ({
  status: machine.kernel.cpus.panicked ? "PANIC" : "TD_KILLED",
  detail: machine.whyHalted,
});

/** One thing that the user of a vCPU does, and what it answers once it is done. */
interface Deed {
  readonly task: KernelTask;
  readonly answer: (result: number) => Outcome;
}

const byErrno = (result: number): Outcome =>
  result === 0 ? DONE : { status: errnoName(result), detail: "" };

/** Performs the actions that are steps of users and operators. */
export class Actions {
  private readonly machine: Machine;
  private readonly names: Names;

  constructor(machine: Machine, names: Names) {
    this.machine = machine;
    this.names = names;
  }

  /** Does one action, or all of a `parallel` one at once, and runs the machine until it stands still. */
  perform(action: Action): Outcome {
    const { machine } = this;
    const all = action.kind === "parallel" ? action.actions : [action];
    const outcomes: Outcome[] = [];
    const deeds: Deed[] = [];
    for (const one of all) {
      const begun = this.begin(one, deeds);
      if ("task" in begun) deeds.push(begun);
      else outcomes.push(begun);
    }
    machine.interrupts.startWork();
    machine.settle();
    for (const { task, answer } of deeds)
      outcomes.push(task.idle ? answer(task.frame.result) : this.stuck(task));
    if (machine.halted) return halted(machine);
    return outcomes.find(({ status }) => status !== SUCCESS) ?? DONE;
  }

  private stuck(task: KernelTask): Outcome {
    if (this.machine.halted) return halted(this.machine);
    return { status: "HUNG", detail: `${task.name} waits in ${task.frame.backtrace().join(" > ")}` };
  }

  private begin(action: Action, running: readonly Deed[]): Outcome | Deed {
    const { machine } = this;
    switch (action.kind) {
      case "plug":
        return byVmm(() => this.plug(action));
      case "unplug":
        return byVmm(() => requestUnplugDimm(machine.vmm, this.slotOf(action.dimm)));
      case "resize":
        return byVmm(() => machine.vmm.setRequestedSize(this.deviceOf(action.device), action.to));
      case "remap":
        return remapKept(machine, action.at, action.at + action.size) > 0
          ? DONE
          : { status: "GenericError", detail: "nothing of it was set aside" };
      case "free":
        return freeOwned(machine.kernel, this.names.of(action.name)) > 0
          ? DONE
          : { status: errnoName(ERRNO.EINVAL), detail: `nothing is allocated as ${action.name}` };
      case "parallel":
        return this.perform(action);
      case "boot":
      case "reset":
      case "kexec":
      case "crash":
      case "host":
        throw new Error(`${action.kind} is the world's own`);
      default:
        return this.beginTask(action, running);
    }
  }

  private beginTask(
    action: Act<"allocate" | "share" | "unshare" | "touch" | "read" | "pressure" | "online" | "offline">,
    running: readonly Deed[],
  ): Outcome | Deed {
    const { machine } = this;
    const vcpu = "vcpu" in action ? action.vcpu : 0;
    const { threads, users } = machine.tasks;
    // What interrupts runs beside the user of its vCPU, not behind it.
    const beside = "interrupt" in action && action.interrupt;
    const task = (beside ? threads : users)[vcpu % users.length]!;
    // A user does one thing after another; the one before has to end first.
    if (running.some((deed) => deed.task === task)) machine.settle();
    if (!task.idle) return this.stuck(task);
    switch (action.kind) {
      case "allocate":
        return this.allocate(task, action.name, action.size, action);
      case "pressure": {
        const pages = Math.floor(this.freeBytes() / PAGE) - Math.floor(action.leave / PAGE);
        return this.allocate(task, "", pages * PAGE, {
          order: null,
          movable: true,
          trylock: false,
          interrupt: false,
          node: null,
        });
      }
      case "touch":
        return this.touch(task, action);
      case "share":
      case "unshare":
        return this.convert(task, action);
      case "read":
        machine.start(task, readAcross, action.across);
        return { task, answer: byErrno };
      case "online":
        machine.start(task, storeBlockState, action.blocks.first, action.blocks.last, ONLINE[action.as]);
        return { task, answer: byErrno };
      case "offline":
        machine.start(task, storeBlockState, action.blocks.first, action.blocks.last, MMOP.OFFLINE);
        return { task, answer: byErrno };
    }
  }

  private allocate(
    task: KernelTask,
    name: string,
    bytes: number,
    how: {
      readonly order: number | null;
      readonly movable: boolean;
      readonly trylock: boolean;
      readonly interrupt: boolean;
      readonly node: number | null;
    },
  ): Deed | Outcome {
    const pages = Math.ceil(bytes / PAGE);
    if (pages <= 0) return DONE;
    const owner = this.names.claim(name);
    const where = how.node === null ? 0 : GFP.THIS_NODE;
    const flags = (how.movable ? GFP.MOVABLE : 0) | (how.trylock ? GFP.NO_LOCK : 0) | where;
    if (how.interrupt) {
      this.machine.start(task, allocateInInterrupts, pages, flags, how.node ?? 0, owner);
      return { task, answer: byErrno };
    }
    const fixed = how.order === null ? 0 : how.order + 1;
    this.machine.start(task, allocateMemory, pages, flags, how.node ?? 0, owner + fixed * 2 ** 20);
    return { task, answer: byErrno };
  }

  private convert(task: KernelTask, { kind, name }: Act<"share" | "unshare">): Deed | Outcome {
    const { machine } = this;
    const runs = allocatedRuns(machine.kernel, this.names.of(name));
    if (runs.length !== 1)
      return { status: errnoName(ERRNO.EINVAL), detail: `${name} is not one piece of memory` };
    const { start, end } = runs[0]!;
    machine.start(task, kind === "share" ? setMemoryDecrypted : setMemoryEncrypted, start, end - start);
    return { task, answer: byErrno };
  }

  private touch(task: KernelTask, action: Act<"touch">): Deed | Outcome {
    const { machine } = this;
    const write = action.access === "write" ? 1 : 0;
    const runs = this.runsOf(action.target, action.size);
    if (runs.length === 0) return { status: errnoName(ERRNO.EINVAL), detail: "the target has no memory" };
    for (const { start, end } of runs.slice(0, -1)) {
      machine.start(task, touchMemory, start, end, write);
      machine.settle();
      if (!task.idle) return this.stuck(task);
    }
    const { start, end } = runs.at(-1)!;
    machine.start(task, touchMemory, start, end, write);
    return { task, answer: byErrno };
  }

  private runsOf(target: Target, size: number | null): { start: number; end: number }[] {
    if (target.kind === "gpa") return [{ start: target.gpa, end: target.gpa + (size ?? 1) }];
    let left = size ?? Number.POSITIVE_INFINITY;
    return allocatedRuns(this.machine.kernel, this.names.of(target.name)).flatMap(({ start, end }) => {
      const bytes = Math.min(left, end - start);
      left -= bytes;
      return bytes > 0 ? [{ start, end: start + bytes }] : [];
    });
  }

  private freeBytes(): number {
    return this.machine.kernel.zones.free.reduce((sum, pages) => sum + pages, 0) * PAGE;
  }

  private plug({ dimm, size, slot, node, addr }: Act<"plug">): void {
    const { vmm } = this.machine;
    const known = vmm.backend(dimm);
    // The memory of a DIMM that is gone makes way for one of another size; what is plugged is refused below.
    const makesWay =
      known !== undefined && !vmm.dimms.holds(known) && vmm.pieces[known]!.pages * PAGE !== size;
    if (makesWay) vmm.deleteBackend(dimm);
    if (makesWay || known === undefined) vmm.addBackend(dimm, size);
    plugDimm(
      vmm,
      { memdev: dimm, node, ...(slot === null ? {} : { slot }), ...(addr === null ? {} : { addr }) },
      true,
    );
  }

  private slotOf(id: string): number {
    const { vmm } = this.machine;
    for (let slot = 0; slot < vmm.dimms.count; slot++)
      if (vmm.dimms.isPlugged(slot) && vmm.pieces[vmm.dimms.piece(slot)]!.id === id) return slot;
    throw new VmmError("device", "the id of a plugged DIMM", id);
  }

  private deviceOf(id: string): number {
    return this.machine.vmm.devices.findIndex((device) => device.id === id);
  }
}

const ONLINE = {
  online: MMOP.ONLINE,
  online_kernel: MMOP.ONLINE_KERNEL,
  online_movable: MMOP.ONLINE_MOVABLE,
} as const;
