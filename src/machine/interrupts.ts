import { VIRTIO_MEM_REQUEST } from "../abi/virtio-mem/request.ts";
import { VM } from "../linux/virtio-mem/driver.ts";
import { virtioMemConfigChanged, virtioMemRunWork, virtioMemTimerExpired } from "../linux/virtio-mem/work.ts";
import { startAcpiWork } from "./acpi-work.ts";
import { COST } from "./cost.ts";
import { ACCEPTED, acceptedOf } from "./facts.ts";
import type { Machine } from "./machine.ts";

const UNIT = 2 ** 21;
const PAGE = 4096;
const NS_PER_MS = 1e6;
const NEVER = Number.POSITIVE_INFINITY;

/** What devices tell the guest, and the kernel's work items that follow from it. */
export class Interrupts {
  /** By device: how often its retry timer was armed, as last seen. */
  readonly armings: Float64Array;
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
    this.armings = new Float64Array(machine.config.virtioMem.length);
  }

  /** Configuration interrupt of a virtio-mem device. */
  configChanged(device: number): void {
    if (this.machine.booted) virtioMemConfigChanged(this.machine.kernel, device);
  }

  /** The memory hotplug event of ACPI. */
  gpe(): void {
    if (this.machine.booted) this.machine.kernel.acpiMemory?.setGpe(true);
  }

  portAccess(): void {
    this.machine.scheduler.charge(COST.acpiAccess.ns);
  }

  /** The driver sends a request. I32, I35 and I36 speak of that moment. */
  sending(device: number, type: number, addr: number, blocks: number): void {
    const { scheduler, watch, kernel } = this.machine;
    scheduler.charge(COST.virtioRequest.ns);
    if (watch === undefined) return;
    const driver = kernel.virtioMem[device]!;
    const end = addr + blocks * driver.port.blockSize;
    if (kernel.boot.inKdump && type !== VIRTIO_MEM_REQUEST.STATE)
      watch.report("I37", addr, end, "a kdump kernel asks to plug or unplug");
    if (driver.has(VM.BROKEN)) watch.report("I35", addr, end, "a request of a device that is marked broken");
    if (type === VIRTIO_MEM_REQUEST.PLUG && driver.has(VM.UNPLUG_ALL_REQUIRED))
      watch.report("I36", addr, end, "plugged while memory of an earlier kernel may still be plugged");
    if (type === VIRTIO_MEM_REQUEST.UNPLUG_ALL) {
      const { addr: start, regionSize } = driver.port;
      this.leaving(
        start,
        start + regionSize,
        "all of its device is asked to be unplugged, and it is not released",
      );
    }
    if (type !== VIRTIO_MEM_REQUEST.UNPLUG) return;
    this.machine.givesBack(addr, end);
    this.leaving(addr, end, "its unplug is asked for, and it is not released");
  }

  /** The guest ejects the DIMM of a slot. I32 speaks of that moment. */
  ejecting(slot: number): void {
    const { map } = this.machine.vmm;
    const area = this.machine.vmm.areaOfSlot(slot);
    const why = "the DIMM that it lies on is ejected, and it is not released";
    this.leaving(map.start(area) * PAGE, map.end(area) * PAGE, why);
  }

  /** I32: who can release memory has done so before the VMM is asked to take it. */
  private leaving(start: number, end: number, why: string): void {
    const { watch, config, platform } = this.machine;
    // A guest of SEV-SNP can always rescind.
    if (platform.name === "tdx" && !config.pageRelease) return;
    for (let unit = Math.floor(start / UNIT); unit * UNIT < end; unit++)
      if (acceptedOf(platform.pages, unit) !== ACCEPTED.NONE)
        watch?.report("I32", unit * UNIT, (unit + 1) * UNIT, why);
  }

  /** Another kernel's drivers start from nothing. */
  restart(): void {
    this.armings.fill(0);
    for (let device = 0; device < this.armings.length; device++)
      this.machine.scheduler.timers[this.machine.timerOf(device)] = NEVER;
  }

  /** Starts work that became due, and arms and disarms retry timers. Called after each step. */
  startWork(): void {
    const { machine } = this;
    if (!machine.booted) return;
    const { virtioMem } = machine.kernel;
    for (let device = 0; device < virtioMem.length; device++) {
      const { words } = virtioMem[device]!;
      const worker = machine.tasks.workers[device]!;
      if (words[VM.WORK_PENDING] !== 0 && worker.idle) machine.start(worker, virtioMemRunWork, device);
      if (words[VM.TIMER_MS] === 0) machine.scheduler.timers[machine.timerOf(device)] = NEVER;
      else if (words[VM.TIMER_ARMINGS] !== this.armings[device]) {
        this.armings[device] = words[VM.TIMER_ARMINGS]!;
        machine.scheduler.timers[machine.timerOf(device)] =
          machine.scheduler.now + words[VM.TIMER_MS]! * NS_PER_MS;
      }
    }
    startAcpiWork(machine);
  }

  /** Lets every timer expire that is due at `now`. */
  expire(now: number): void {
    const { machine } = this;
    for (let device = 0; device < this.armings.length; device++) {
      const timer = machine.timerOf(device);
      if (machine.scheduler.timers[timer]! > now) continue;
      machine.scheduler.timers[timer] = NEVER;
      virtioMemTimerExpired(machine.kernel, device);
    }
    this.startWork();
  }
}
