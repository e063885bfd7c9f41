import { GIB, MIB } from "../../units.ts";
import { formatRange } from "../quantity.ts";
import type { Action, Scenario } from "../scenario.ts";
import {
  type Bitmaps,
  type Cost,
  type Counter,
  type DeviceState,
  type Fate,
  type LogLine,
  type MemoryBlocks,
  type Outcome,
  SUCCESS,
  type TraceEvent,
  type Violation,
  type World,
} from "../world.ts";
import { FakeMemory, isFree, UNIT, type Unit } from "./fake-memory.ts";

type Act<K extends Action["kind"]> = Action & { kind: K };

/**
 * A stand-in for a machine, so that the player and the renderers can be tested without one. It is no model of
 * anything: memory in units of 2 MiB, accepted in order, with made-up times.
 */
export class FakeWorld implements World {
  readonly name = "model";
  readonly breathes = true;
  private listener: (event: TraceEvent) => void = () => {};
  private scenario!: Scenario;
  private memory!: FakeMemory;
  private ns = 0;
  private step = 0;
  private fateNow: Fate = { state: "off", why: "" };
  private readonly log: LogLine[] = [];
  private readonly broken: Violation[] = [];
  private readonly calls = new Map<string, number>();
  private readonly requested = new Map<string, number>();
  private readonly named = new Map<string, Unit[]>();
  private retryAt: number | undefined;

  onEvent(listener: (event: TraceEvent) => void): void {
    this.listener = listener;
  }

  start(scenario: Scenario): void {
    this.scenario = scenario;
    this.memory = new FakeMemory(scenario.machine);
  }

  perform(action: Action): Outcome {
    const fault = this.scenario.faults.find(
      ({ call }) => action.kind === "resize" && call === "virtio-mem PLUG",
    );
    if (fault !== undefined) return { status: String(fault.answer), detail: "as the scenario asks" };
    switch (action.kind) {
      case "boot":
      case "reset":
        return this.boot();
      case "plug":
        return this.plug(action);
      case "unplug":
        this.memory.remove(action.dimm);
        return this.done("operator", "device_del", null, SUCCESS);
      case "resize":
        return this.resize(action);
      case "allocate":
        return this.allocate(action.name, action.size);
      case "free":
        for (const unit of this.named.get(action.name) ?? []) unit.use = "free";
        return this.done("guest", "free", null, SUCCESS);
      case "touch":
        return this.touch(action);
      case "pressure":
        return this.allocate("", Math.max(0, this.memory.bytes(isFree) - action.leave));
      case "parallel":
        return action.actions.map((one) => this.perform(one)).find(({ status }) => status !== SUCCESS) ?? OK;
      default:
        return this.done("guest", action.kind, null, SUCCESS);
    }
  }

  private boot(): Outcome {
    this.fateNow = { state: "running", why: "" };
    this.emit("firmware", "hand over", null, SUCCESS, 1e6);
    this.say(`efi: Unaccepted=0x${(0x7f00_0018).toString(16)}`);
    const kernel = 64 * MIB;
    for (const [at, unit] of this.memory.all()) {
      if (!unit.plugged) continue;
      unit.use = at < kernel ? "reserved" : "unaccepted";
      if (at < 4 * GIB) this.accept(at, unit);
    }
    let target = this.scenario.guest.accept === "eager" ? Number.POSITIVE_INFINITY : 24 * MIB;
    for (const [at, unit] of this.memory.all()) {
      if (!unit.plugged || unit.accepted || target <= 0) continue;
      this.accept(at, unit);
      target -= UNIT;
    }
    for (const { id, requestedSize } of this.scenario.machine.virtioMem) this.setRequested(id, requestedSize);
    return OK;
  }

  private accept(at: number, unit: Unit): void {
    unit.accepted = true;
    if (unit.use === "unaccepted") unit.use = "free";
    if (at < 4 * GIB) return;
    this.emit("guest", "TDG.MEM.PAGE.ACCEPT 2M", [at, at + UNIT], SUCCESS, 180_000, "MAPPED");
    this.calls.set("TDG.MEM.PAGE.ACCEPT", (this.calls.get("TDG.MEM.PAGE.ACCEPT") ?? 0) + 1);
  }

  private plug({ dimm, size }: Act<"plug">): Outcome {
    const { start } = this.memory.add(dimm, size, true);
    for (const unit of this.memory.of(dimm).units) unit.use = "unaccepted";
    return this.done("operator", "device_add", [start, start + size], SUCCESS);
  }

  private resize({ device, to }: Act<"resize">): Outcome {
    this.emit("operator", "qom-set requested-size", null, SUCCESS, 1e6);
    this.setRequested(device, to);
    return OK;
  }

  /** Plugs upward, unplugs downward; what is allocated stays until a retry 50 s later. */
  private setRequested(device: string, to: number): void {
    this.requested.set(device, to);
    const { start, units } = this.memory.of(device);
    let diff = to / UNIT - units.filter(({ plugged }) => plugged).length;
    for (const [i, unit] of units.entries()) {
      if (diff <= 0 || unit.plugged) continue;
      Object.assign(unit, { plugged: true, online: true, use: "unaccepted" });
      this.emit(
        "driver",
        "virtio-mem PLUG",
        [start + i * UNIT, start + (i + 1) * UNIT],
        "ACK",
        2e6,
        "KERNEL_PARTIAL",
      );
      diff--;
    }
    for (let i = units.length - 1; i >= 0 && diff < 0; i--) {
      const unit = units[i]!;
      if (!unit.plugged || unit.use === "allocated") continue;
      Object.assign(unit, { plugged: false, accepted: false, online: false, use: "none" });
      const range = [start + i * UNIT, start + (i + 1) * UNIT] as const;
      this.emit("driver", "virtio-mem UNPLUG", range, "ACK", 2e6, "OFFLINE_PARTIAL");
      diff++;
    }
    this.retryAt = diff < 0 ? this.ns + 50e9 : undefined;
  }

  private allocate(name: string, size: number): Outcome {
    const mine: Unit[] = [];
    let left = size;
    for (const [at, unit] of this.memory.all()) {
      if (left <= 0) break;
      if (!unit.plugged || !isFree(unit)) continue;
      if (!unit.accepted) this.accept(at, unit);
      unit.use = "allocated";
      mine.push(unit);
      left -= UNIT;
    }
    this.named.set(name, mine);
    return this.done("guest", "alloc_pages", null, left > 0 ? "-ENOMEM" : SUCCESS);
  }

  private touch({ target, vcpu }: Act<"touch">): Outcome {
    if (target.kind === "name") return this.done("guest", "write", null, SUCCESS);
    const unit = this.memory.at(target.gpa);
    if (unit?.plugged === true && unit.accepted) return this.done("guest", "write", null, SUCCESS);
    const range = { start: target.gpa, end: target.gpa + 4096 };
    this.emit("guest", "write", [range.start, range.end], "EPT_VIOLATION", 4000, "PENDING", vcpu);
    const why = `private access to ${formatRange(range.start, range.end)} that is not accepted`;
    this.broken.push({ invariant: "I1", step: this.step, range, why });
    this.fateNow = { state: "killed", why: "EPT violation on a pending page" };
    return { status: "TD_KILLED", detail: this.fateNow.why };
  }

  private done(
    actor: string,
    what: string,
    range: readonly [number, number] | null,
    status: string,
  ): Outcome {
    this.emit(actor, what, range, status, 50_000);
    return { status, detail: "" };
  }

  private say(text: string): void {
    this.log.push({ ns: this.ns, text });
  }

  private emit(
    actor: string,
    what: string,
    range: readonly [number, number] | null,
    status: string,
    ns: number,
    stateAfter: string | null = null,
    vcpu = 0,
  ): void {
    this.ns += ns;
    this.step++;
    const [start, end] = range ?? [null, null];
    const onVcpu = ["guest", "driver"].includes(actor) ? vcpu : null;
    const event = { step: this.step, ns: this.ns, actor, vcpu: onVcpu, what, start, end, status, stateAfter };
    this.listener(event);
  }

  elapse(untilNs: number): "timer" | "until" {
    if (this.retryAt === undefined || this.retryAt > untilNs) {
      this.ns = untilNs;
      return "until";
    }
    this.ns = this.retryAt;
    for (const { id } of this.scenario.machine.virtioMem) this.setRequested(id, this.requested.get(id) ?? 0);
    return "timer";
  }

  idle(): boolean {
    return this.retryAt === undefined;
  }

  now(): number {
    return this.ns;
  }

  fate(): Fate {
    return this.fateNow;
  }

  counters(): Counter[] {
    const kb = (test: (unit: Unit) => boolean): number => this.memory.bytes(test) / 1024;
    const running = this.fateNow.state !== "off";
    return [
      { name: "MemTotal", value: running ? kb(({ plugged, use }) => plugged && use !== "reserved") : 0 },
      { name: "MemFree", value: running ? kb(isFree) : 0 },
      { name: "Unaccepted", value: kb(({ use }) => use === "unaccepted") },
      { name: "nr_unaccepted", value: kb(({ use }) => use === "unaccepted") / 4 },
    ];
  }

  peekCounters(): Counter[] {
    return this.counters();
  }

  snapshotMap() {
    return this.memory.map();
  }

  dmesg(): LogLine[] {
    return this.log;
  }

  iomem(): string[] {
    return this.memory.iomem();
  }

  blocks(): MemoryBlocks {
    return this.memory.blocks();
  }

  devices(): DeviceState[] {
    return this.scenario.machine.virtioMem.map(({ id, size }) => ({
      id,
      kind: "virtio-mem",
      start: this.memory.of(id).start,
      size,
      plugged: this.memory.of(id).units.filter(({ plugged }) => plugged).length * UNIT,
      requested: this.requested.get(id) ?? 0,
      blockStates: { 48: "KERNEL_PARTIAL" },
    }));
  }

  bitmaps(): Bitmaps | null {
    const unaccepted = this.memory.bits(({ accepted }) => !accepted);
    const plugged = this.memory.bits((unit) => unit.plugged);
    const geometry = { version: 2, physBase: 4 * GIB, unitSize: UNIT, sizeBytes: 640, tableBytes: 1304 };
    return { ...geometry, unaccepted, plugged };
  }

  cost(): Cost {
    return { tdcalls: Object.fromEntries(this.calls), seamcalls: {}, exits: this.step };
  }

  violations(): Violation[] {
    return this.broken;
  }

  stop(): void {}
}

const OK: Outcome = { status: SUCCESS, detail: "" };
