import { type BootOutcome, boot } from "../../machine/boot.ts";
import type { MachineConfig } from "../../machine/config.ts";
import type { HostFacts } from "../../machine/host-actor.ts";
import { Machine } from "../../machine/machine.ts";
import type { Waits } from "../../machine/stalls.ts";
import { leaveHost } from "../../machine/td-host.ts";
import type { HostFaults } from "../../tdx-host/host-kernel.ts";
import type { Action, AddressRange, Scenario } from "../scenario.ts";
import {
  type Bitmaps,
  type Cost,
  type Counter,
  type DeviceState,
  type Fate,
  type FaultRecord,
  type LogLine,
  type MapRun,
  type MemoryBlocks,
  type Outcome,
  SUCCESS,
  type Tally,
  type TraceEvent,
  type Violation,
  type World,
} from "../world.ts";
import type { CommonBoots } from "./common-boots.ts";
import { HostWorld } from "./host-world.ts";
import { mapRunsOf } from "./map-runs.ts";
import { Actions, Names } from "./model-actions.ts";
import { machineConfigOf } from "./model-config.ts";
import { bitmapsOf, blocksOf, countersOf, devicesOf } from "./model-facts.ts";
import { faultRecordsOf } from "./model-faults.ts";
import { startAnother } from "./model-kexec.ts";
import { Past, PlacedEvent, tallyOf } from "./model-past.ts";
import { configAfterReset } from "./reset-config.ts";
import { asStartable } from "./startable.ts";
import { tdNotMade } from "./unmade-td.ts";

/** Our own machine as a world: deterministic, instant, and only as real as its parts. */
export class ModelWorld implements World {
  readonly name = "model";
  readonly breathes = false;
  private machine: Machine | undefined;
  private config: MachineConfig | undefined;
  private names = new Names();
  private booted = false;
  private listener: (event: TraceEvent) => void = () => {};
  private scenario: Scenario | undefined;
  /** What machines before a reset left: log, violations, counts. */
  private readonly past = new Past();
  private hostWorld: HostWorld | undefined;
  private readonly boots: CommonBoots | undefined;
  /** The machine is another world's too. */
  private isShared = false;

  /**
   * @param boots what worlds that are played one after the other have in common; each is good until the next boots. A boot
   *   that was another's is told of when it is over: its listener may not ask the world about it
   */
  constructor(boots?: CommonBoots) {
    this.boots = boots;
  }

  onEvent(listener: (event: TraceEvent) => void): void {
    this.listener = listener;
  }

  /** @throws ScenarioError for a machine that no VMM would start */
  start(scenario: Scenario): void {
    this.scenario = scenario;
    asStartable(scenario, () => {
      this.config = machineConfigOf(scenario);
      this.build();
    });
    const { host } = scenario.machine;
    if (host === null) return;
    const moment = () => ({ step: this.steps(), ns: this.now() });
    const tell = (event: TraceEvent) => this.listener(event);
    this.hostWorld = new HostWorld(host, scenario.platform, moment, tell, this.hostFaults());
  }

  /** Faults of the host's SEAMCALLs count on, whichever machine they are for. */
  private hostFaults(): HostFaults | undefined {
    const points = this.machine?.injector?.points;
    if (points === undefined) return undefined;
    return {
      concerns: (leaf) => points.find("seamcall", leaf) !== undefined,
      strike: (leaf) => this.machine!.injector!.hostSeamcall(leaf),
      allocationFails: (what) => this.machine!.injector!.hostKernelAllocationFails(what),
    };
  }

  host(): HostFacts | null {
    return this.hostWorld?.facts() ?? null;
  }

  steps(): number {
    return this.past.steps + this.machine!.scheduler.steps;
  }

  private build(): void {
    this.isShared = false;
    const before = this.machine?.injector;
    this.machine = new Machine(this.config!);
    if (before !== undefined) this.machine.injector?.points.resume(before.points);
    this.names = new Names();
    this.booted = false;
    const event = new PlacedEvent();
    this.machine.trace.raw = (effect) => this.listener(event.of(effect, this.past));
  }

  perform(action: Action): Outcome {
    const machine = this.machine!;
    if (action.kind === "host") return this.hostWorld!.perform(action.deed);
    if (action.kind === "boot" && !this.booted) return this.boot();
    if (action.kind === "boot") return { status: "-EBUSY", detail: "the machine runs already" };
    if (action.kind === "reset") return this.reset();
    if (!this.booted) return { status: "OFF", detail: "the machine has not booted: begin with a boot step" };
    if (action.kind === "kexec" || action.kind === "crash") return this.startAnother(action);
    return new Actions(machine, this.names).perform(action);
  }

  private boot(): Outcome {
    const refused = this.takeHost() ?? this.makeTd();
    if (refused !== undefined) return refused;
    const { booted, why } = asStartable(this.scenario!, () => this.bootMachine());
    const machine = this.machine!;
    this.booted = true;
    if (booted) return { status: SUCCESS, detail: "" };
    return { status: machine.booted && machine.kernel.cpus.panicked ? "PANIC" : "BOOT_FAILED", detail: why };
  }

  /** @returns why the VMM gives up before anything runs. Its host has all memory back then, and a reset starts it again */
  private makeTd(): Outcome | undefined {
    const machine = this.machine!;
    const failed = tdNotMade(machine);
    if (failed === undefined || machine.config.host === undefined) return failed;
    leaveHost(machine);
    const { host: _, ...config } = this.config!;
    this.config = config;
    this.build();
    return failed;
  }

  /** The first boot may be one that another world's machine did. */
  private bootMachine(): BootOutcome {
    const machine = this.machine!;
    const isFirst = this.past.steps === 0 && machine.scheduler.steps === 0 && machine.scheduler.now === 0;
    const common = isFirst ? this.boots?.of(this.scenario!) : undefined;
    if (common === undefined) return boot(machine);
    const booted = common.boot(machine);
    this.machine = booted.machine;
    this.isShared = booted.isShared;
    return booted.outcome;
  }

  /** On a scenario's own host the TD is built when it starts, and not before. @returns why there can be none */
  private takeHost(): Outcome | undefined {
    const { config, scenario } = this;
    const host = this.hostWorld?.lend(config!.vcpus);
    if (host === undefined) return undefined;
    if ("status" in host) return host;
    asStartable(scenario!, () => {
      this.config = { ...config!, host };
      this.build();
    });
    return undefined;
  }

  /** The kernel starts another; what users had is gone with it. */
  private startAnother(action: Action & { kind: "kexec" | "crash" }): Outcome {
    this.names = new Names();
    return startAnother(this.machine!, this.scenario!, action);
  }

  /** The same machine starts again: sizes asked for stay, and DIMMs that are plugged stay plugged. */
  private reset(): Outcome {
    const machine = this.machine!;
    this.past.keep(machine);
    if (machine.config.host !== undefined) leaveHost(machine);
    const { host: _, ...config } = configAfterReset(this.config!, machine);
    this.config = config;
    this.build();
    return this.boot();
  }

  settle(): void {
    this.machine!.settle();
  }

  elapse(untilNs: number): "timer" | "until" {
    const machine = this.machine!;
    const until = untilNs - this.past.ns;
    const timer = machine.scheduler.nextTimer();
    if (timer > until) {
      if (until > machine.scheduler.now) machine.scheduler.sleepUntil(until);
      return "until";
    }
    machine.scheduler.sleepUntil(timer);
    machine.interrupts.expire(timer);
    machine.settle();
    return "timer";
  }

  idle(): boolean {
    const machine = this.machine!;
    return machine.scheduler.nextTimer() === Number.POSITIVE_INFINITY && machine.scheduler.pick() < 0;
  }

  now(): number {
    return this.past.ns + this.machine!.scheduler.now;
  }

  fate(): Fate {
    const machine = this.machine!;
    if (!this.booted) return { state: "off", why: "" };
    if (machine.vmm.life.ended !== 0) return { state: "killed", why: machine.whyHalted };
    if (machine.haltedBy !== "") return { state: "hung", why: machine.whyHalted };
    if (machine.halted) return { state: "panicked", why: machine.whyHalted };
    return machine.runsAtAll
      ? { state: "running", why: "" }
      : { state: "hung", why: machine.tasks.whoWaits() };
  }

  counters(): readonly Counter[] {
    const { machine } = this;
    this.lastCounters = countersOf(machine!.booted ? machine!.kernel : undefined, this.lastCounters);
    return this.lastCounters;
  }
  private lastCounters: readonly Counter[] = [];

  peekCounters(): readonly Counter[] {
    return this.counters();
  }

  snapshotMap(range?: AddressRange): MapRun[] {
    return mapRunsOf(this.machine!, range);
  }

  dmesg(): LogLine[] {
    return [...this.past.log, ...this.past.lines(this.machine!)];
  }

  iomem(): string[] {
    if (!this.machine!.booted) return [];
    return this.machine!.kernel.iomem.iomemText()
      .split("\n")
      .filter((line) => line !== "");
  }

  blocks(): MemoryBlocks {
    return blocksOf(this.machine!.booted ? this.machine!.kernel : undefined);
  }

  devices(): DeviceState[] {
    return devicesOf(this.machine!);
  }

  bitmaps(): Bitmaps | null {
    return bitmapsOf(this.machine!.booted ? this.machine!.kernel : undefined);
  }

  cost(): Cost {
    const { counts } = this.machine!;
    return this.past.plus({
      tdcalls: counts.tdcallsByName(),
      seamcalls: counts.seamcallsByName(),
      exits: counts.exits,
    });
  }

  faults(): FaultRecord[] {
    const { injector } = this.machine!;
    return injector === undefined ? [] : faultRecordsOf(this.scenario!, injector.points);
  }

  tally(): Tally {
    return this.past.plusTally(tallyOf(this.machine!));
  }

  waits(): Waits {
    return this.past.longer(this.machine!.stalls.waits);
  }

  violations(): Violation[] {
    return [...this.past.violations, ...this.past.violationsOf(this.machine!)];
  }

  /** The machine is gone: only its counts can be asked for. */
  stop(): void {
    if (this.machine?.booted === true && !this.isShared) this.machine.kernel.mm.release();
  }
}
