import { terminateReasonText } from "../abi/snp/ghcb.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { VM_END, vmEndName } from "../vmm/events.ts";
import { DIMM_AREA, RAM_AREA, VIRTIO_MEM_AREA } from "../vmm/memory-map.ts";
import type { Vmm } from "../vmm/vmm.ts";
import type { UnitRange, Watched } from "./invariants/watch.ts";
import type { Machine } from "./machine.ts";

const UNIT_FRAMES = 512;

/** Boot RAM, virtio-mem regions and present DIMMs, in units of 2 MiB counted from address 0. */
export const memoryOf = (vmm: Vmm): UnitRange[] =>
  vmm.map.areas.flatMap(({ kind }, area) => {
    const start = vmm.map.start(area);
    const end = vmm.map.end(area);
    if (end <= start || ![RAM_AREA, VIRTIO_MEM_AREA, DIMM_AREA].includes(kind)) return [];
    return [{ start: Math.floor(start / UNIT_FRAMES), end: Math.ceil(end / UNIT_FRAMES) }];
  });

/** Whether a unit is whole boot memory. */
export const isBootMemory = (vmm: Vmm, unit: number): boolean => {
  const area = vmm.map.find(unit * UNIT_FRAMES);
  return area >= 0 && vmm.map.areas[area]!.kind === RAM_AREA && (unit + 1) * UNIT_FRAMES <= vmm.map.end(area);
};

/** What ended the VM, as one line. */
export const describeEnd = (vmm: Vmm): string => {
  const { reason, gpa, vcpu, status } = vmm.life.end;
  if (reason === VM_END.GUEST_TERMINATED)
    return `the guest asked to be ended: ${terminateReasonText(status >>> 8, status & 255)}, vCPU ${vcpu}`;
  const answer = reason === VM_END.MODULE_REFUSED ? `, ${statusText(status as Status)}` : "";
  const guest = vmm.snp === undefined ? "TD" : "VM";
  return `the VMM ended the ${guest}: ${vmEndName(reason)} at 0x${gpa.toString(16)}, vCPU ${vcpu}${answer}`;
};

/**
 * The machine as the invariants see it. A class, because every object that is written down with a getter has a shape of
 * its own, and V8 looks up by name what it finds on many shapes.
 */
class MachineSight implements Watched {
  readonly td: Watched["td"];
  readonly kernel: Watched["kernel"];
  readonly uses: Watched["uses"];
  readonly memory: Watched["memory"];
  readonly pluggedChanged: Watched["pluggedChanged"];
  private readonly vmm: Vmm;
  private readonly scheduler: Machine["scheduler"];

  constructor({ platform, kernel, uses, vmm, scheduler }: Machine) {
    this.td = platform.pages;
    this.kernel = kernel;
    this.uses = uses;
    this.memory = memoryOf(vmm);
    this.pluggedChanged = vmm.changedUnits;
    this.vmm = vmm;
    this.scheduler = scheduler;
  }

  get step(): number {
    return this.scheduler.steps;
  }

  pluggedAt(unit: number): boolean {
    return this.vmm.pluggedAt(unit);
  }

  isStatic(unit: number): boolean {
    return isBootMemory(this.vmm, unit);
  }
}

export const watchedOf = (machine: Machine): Watched => new MachineSight(machine);
