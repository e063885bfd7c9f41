import { SNP_HOST_CALL } from "../abi/snp/call-numbers.ts";
import { psmashResultName, rmpUpdateResultName } from "../abi/snp/rmp-entry.ts";
import { TDH, tdhName } from "../abi/tdx/leaves.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { virtioMemRequestName } from "../abi/virtio-mem/request.ts";
import { virtioMemResponseName } from "../abi/virtio-mem/response.ts";
import { REMOVAL } from "../tdx-module/remove-run.ts";
import {
  CONFIG_INTERRUPT_EVENT,
  DEVICE_DELETED_EVENT,
  DIMM_PLUGGED_EVENT,
  DISCARD_EVENT,
  GPE_EVENT,
  KILLED_EVENT,
  OST_EVENT,
  PAGE_STATE_CHANGE_EVENT,
  PSMASH_EVENT,
  RMPUPDATE_EVENT,
  SEAMCALL_EVENT,
  UNPLUG_GUEST_ERROR_EVENT,
  UNRESOLVED_EVENT,
  VIRTIO_MEM_EVENT,
  type VmmSink,
  vmEndName,
} from "../vmm/events.ts";
import { COST } from "./cost.ts";
import { septStateName } from "./facts.ts";
import type { Machine } from "./machine.ts";
import { rmpStateName } from "./rmp-states.ts";

const LEVEL_BYTES = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48];
const LEVEL_NAMES = ["4K", "2M", "1G", "512G", "256T"];
/** Calls about the TD or about host memory: they name no guest-physical address. */
const PLACELESS: ReadonlySet<number> = new Set([
  TDH["TDH.MEM.TRACK"],
  TDH["TDH.PHYMEM.PAGE.WBINVD"],
  TDH["TDH.PHYMEM.PAMT.ADD"],
  TDH["TDH.PHYMEM.PAMT.REMOVE"],
]);

/** Steps that the VMM takes to remove a page: block; track, kick; blocked, remove, write back. */
const STEPS_OF_REMOVAL = 6;

const names: (string | undefined)[] = [];

/** Name of a SEAMCALL on a page of a level, made once: equal names are then one string, which compares at once. */
const nameAtLevel = (leaf: number, level: number): string => {
  const known = names[leaf * 8 + level];
  if (known !== undefined) return known;
  const name = `${tdhName(leaf)} ${LEVEL_NAMES[level] ?? ""}`.trimEnd();
  names[leaf * 8 + level] = name;
  return name;
};

/** Turns what the VMM did into counts, costs, trace rows and interrupts of the guest. */
export class VmmEvents implements VmmSink {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  emit(event: number, a: number, b: number, c: number, d: number, e: number): void {
    if (event === SEAMCALL_EVENT) this.seamcall(a, b, c, d);
    else if (event === RMPUPDATE_EVENT || event === PSMASH_EVENT) this.rmp(event === PSMASH_EVENT);
    else if (event === VIRTIO_MEM_EVENT)
      this.machine.injector?.answered(a, c, d * this.machine.vmm.devices[a]!.blockSize);
    else if (event === CONFIG_INTERRUPT_EVENT) this.machine.interrupts.configChanged(a);
    else if (event === GPE_EVENT) this.machine.interrupts.gpe();
    if (event !== SEAMCALL_EVENT && this.machine.trace.on) this.row(event, a, b, c, d, e);
  }

  get isUnseen(): boolean {
    const { trace, scheduler, booted } = this.machine;
    return !trace.on && !booted && scheduler.activeCount[0] === 1;
  }

  removed(pages: number): void {
    const { counts, scheduler } = this.machine;
    for (const leaf of REMOVAL) counts.seamcall(leaf, pages);
    if (!this.machine.inFault) scheduler.charge(REMOVAL.length * pages * COST.seamcall.ns);
    scheduler.skippedSteps(pages * STEPS_OF_REMOVAL);
  }

  private seamcall(leaf: number, gpa: number, level: number, result: number): void {
    const { counts, scheduler, trace, platform } = this.machine;
    counts.seamcall(leaf);
    // A fault's own calls are inside the cost of the exit that caused it.
    if (!this.machine.inFault) scheduler.charge(COST.seamcall.ns);
    if (!trace.on) return;
    if (PLACELESS.has(leaf)) {
      this.add(tdhName(leaf), 0, 0, statusText(result as Status), "");
      return;
    }
    const size = LEVEL_BYTES[level] ?? 0;
    const start = gpa - (gpa % size);
    this.add(
      nameAtLevel(leaf, level),
      start,
      start + size,
      statusText(result as Status),
      septStateName(platform.pages, start),
    );
  }

  /** RMPUPDATE or PSMASH. */
  private rmp(smash: boolean): void {
    this.machine.counts.seamcall(smash ? SNP_HOST_CALL.PSMASH : SNP_HOST_CALL.RMPUPDATE);
    if (!this.machine.inFault) this.machine.scheduler.charge(COST.rmpUpdate.ns);
  }

  private row(event: number, a: number, b: number, c: number, d: number, e: number): void {
    const { devices } = this.machine.vmm;
    if (event === VIRTIO_MEM_EVENT) {
      const { blockSize, id } = devices[a]!;
      const answer = e < 0 ? "none" : virtioMemResponseName(e & 0xff);
      this.add(`${id} ${virtioMemRequestName(b)}`, c, c + d * blockSize, answer, "");
    } else if (event === DISCARD_EVENT) this.add("discard", a, a + b, "SUCCESS", `${c + d} bytes given back`);
    else if (event === DIMM_PLUGGED_EVENT) this.add("DIMM plugged", b, b + c, "SUCCESS", `slot ${a}`);
    else if (event === DEVICE_DELETED_EVENT) this.add("DEVICE_DELETED", 0, 0, "SUCCESS", `slot ${a}`);
    else if (event === UNPLUG_GUEST_ERROR_EVENT)
      this.add("DEVICE_UNPLUG_GUEST_ERROR", 0, 0, "FAILED", `slot ${a}`);
    else if (event === OST_EVENT) this.add("ACPI_DEVICE_OST", 0, 0, `source ${b} status ${c}`, `slot ${a}`);
    else if (event === UNRESOLVED_EVENT) this.add("unresolved exit", b, b + 4096, `${c} in a row`, "");
    else if (event === RMPUPDATE_EVENT) this.rmpRow(a, b, c, d);
    else if (event === PSMASH_EVENT) this.add("PSMASH", a, a + LEVEL_BYTES[1]!, psmashResultName(b), "");
    else if (event === PAGE_STATE_CHANGE_EVENT)
      this.add(`page state change to ${d === 1 ? "private" : "shared"}`, b, b + c, "SUCCESS", "");
    else if (event === KILLED_EVENT) this.add("VM ended", c, c + 4096, vmEndName(b), "");
  }

  private rmpRow(gpa: number, size: number, assigned: number, result: number): void {
    const name = `RMPUPDATE ${assigned === 1 ? "assigned" : "shared"} ${LEVEL_NAMES[size]}`;
    const after = rmpStateName(septStateName(this.machine.platform.pages, gpa));
    this.add(name, gpa, gpa + LEVEL_BYTES[size]!, rmpUpdateResultName(result), after);
  }

  private add(what: string, start: number, end: number, text: string, after: string): void {
    const { scheduler, trace } = this.machine;
    const actor = scheduler.actors[scheduler.running]!;
    const name = actor.name.startsWith("vmm") ? actor.name : "vmm";
    trace.emit(scheduler.steps, scheduler.clocks[actor.clock]!, name, -1, what, start, end, text, after);
  }
}
