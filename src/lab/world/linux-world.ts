import type { ScheduledStep } from "../../check/story/schedule.ts";
import type { MachineConfig } from "../../machine/config.ts";
import type { FaultPoints } from "../../machine/faults/fault-points.ts";
import { faultRecordsOf } from "../../scenario/model/model-faults.ts";
import { plusCost } from "../../scenario/model/model-past.ts";
import { configAfterReset } from "../../scenario/model/reset-config.ts";
import type { Action, Scenario } from "../../scenario/scenario.ts";
import type {
  Bitmaps,
  Cost,
  Counter,
  DeviceState,
  Fate,
  FaultRecord,
  LogLine,
  MapRun,
  MemoryBlocks,
  Oops,
  Outcome,
  TraceEvent,
  Untold,
  Violation,
  World,
} from "../../scenario/world.ts";
import type { GuestSnapshot } from "../agent/readings/snapshot.ts";
import type { OnViolation } from "../enforce/enforcer.ts";
import { Holds } from "../faults/holds.ts";
import type { KernelWish } from "../kernel-package/find-kernel.ts";
import { LabSession } from "../session/lab-session.ts";
import { findLabTools, type LabTools } from "../session/lab-tools.ts";
import type { GuestTable } from "../td/guest-table.ts";
import { asked, asUnavailable } from "./asked.ts";
import { Chronicle } from "./chronicle.ts";
import { consoleLog } from "./console-log.ts";
import { fateOf } from "./guest-fate.ts";
import { HeldDeeds } from "./held-deeds.ts";
import { oopsesOf } from "./kernel-oopses.ts";
import { bootGuest, performAction } from "./linux-actions.ts";
import { bitmapsOf, blocksOf, bootBits, countersOf, devicesOf, mapOf } from "./linux-facts.ts";
import { commandLineOf, linuxConfigOf, needsOf } from "./linux-setup.ts";

const NS_PER_MS = 1e6;
/** Longest that one call waits for something to happen in the guest. */
const PATIENCE_MS = 250;

export interface LinuxWorldOptions {
  readonly kernel?: KernelWish;
  readonly enforcement?: "exact" | "audit";
  readonly onViolation?: OnViolation;
  readonly trap?: "mailbox" | "breakpoints";
  /** More of the kernel's command line; it comes last, so it overrules what the scenario says there. */
  readonly append?: string;
  /** Who is held where in which step, for a scenario whose order within a step counts. Is asked when the world starts. */
  readonly schedule?: () => readonly ScheduledStep[];
}

/** An unmodified kernel in QEMU as a world. Time is the host's: two runs are alike, not equal. */
export class LinuxWorld implements World {
  readonly name = "linux";
  readonly breathes = true;
  readonly wavers = true;
  /** Those of accesses and of page calls; what Linux does with its pages is not seen from outside. */
  readonly invariants: ReadonlySet<string> = new Set(["I1", "I2", "I3"]);
  /** The kernel lies where it likes, and the stub marks no memory that is in use when it runs. */
  readonly untold: Untold = {
    driverBlocks: true,
    pageUse: true,
    // A kernel is never known to have nothing left to do.
    idle: true,
    pluggedBits: () => bootBits(this.table, this.config?.layout.ram ?? []),
  };
  private readonly options: LinuxWorldOptions;
  private readonly chronicle = new Chronicle(() => this.now());
  private scenario: Scenario | undefined;
  private tools: LabTools | undefined;
  private session: LabSession | undefined;
  private get table(): GuestTable | undefined {
    return this.session?.table;
  }
  private snapshot: GuestSnapshot | undefined;
  private fresh = false;
  private startedMs = 0;
  private log: readonly LogLine[] = [];
  private config: MachineConfig | undefined;
  /** What guests before a reset left. */
  private pastLog: readonly LogLine[] = [];
  private pastOopses: readonly Oops[] = [];
  private faultPoints: FaultPoints | undefined;
  private held: HeldDeeds | undefined;
  /** Steps that were performed. */
  private performed = 0;
  private pastCost: Cost = { tdcalls: {}, seamcalls: {}, exits: 0 };

  constructor(options: LinuxWorldOptions = {}) {
    this.options = options;
  }

  onEvent(listener: (event: TraceEvent) => void): void {
    this.chronicle.listener = listener;
  }

  /** @throws WorldUnavailable if something is missing on this machine; NotModelled for what this world cannot be */
  async start(scenario: Scenario): Promise<void> {
    this.scenario = scenario;
    this.config = linuxConfigOf(scenario, this.options.kernel?.image !== undefined);
    this.tools = await asUnavailable(() =>
      findLabTools({ line: scenario.guest.kernel, ...this.options.kernel }, needsOf(scenario)),
    );
    this.startedMs = performance.now();
  }

  async perform(action: Action): Promise<Outcome> {
    this.fresh = false;
    const outcome = await this.act(action, this.performed++);
    this.tellViolations();
    return outcome;
  }

  private async act(action: Action, step: number): Promise<Outcome> {
    const { session } = this;
    if (action.kind === "boot" && session === undefined) return this.boot();
    if (action.kind === "boot") return { status: "-EBUSY", detail: "the machine runs already" };
    if (action.kind === "reset") return this.reset();
    if (session === undefined)
      return { status: "OFF", detail: "the machine has not booted: begin with a boot step" };
    return this.held === undefined ? performAction(session, action) : this.held.perform(step, action);
  }

  private async boot(): Promise<Outcome> {
    const { guest } = this.scenario!;
    const config = this.config!;
    const schedule = this.options.schedule?.() ?? [];
    const holds = Holds.of(schedule);
    const plan = {
      config,
      design: config.design,
      ...this.tools!,
      append: [commandLineOf(this.scenario!), ...holds.commandLine, this.options.append ?? ""]
        .join(" ")
        .trimEnd(),
      enforcement: this.options.enforcement ?? "exact",
      onViolation: this.options.onViolation ?? "stop",
      trap: this.options.trap ?? "mailbox",
      ...{ signal: this.options.kernel?.signal, holds },
    };
    this.session = await asUnavailable(() => LabSession.prepare(plan));
    if (schedule.length > 0) this.held = new HeldDeeds(this.session, holds, schedule);
    const { machine } = this.session.td.td;
    machine.trace.raw = (event) => this.chronicle.hear(event);
    const points = machine.injector?.points;
    if (this.faultPoints !== undefined) points?.resume(this.faultPoints);
    points?.begin();
    this.faultPoints = points;
    return asUnavailable(() => bootGuest(this.session!, guest.autoOnline));
  }

  /** QEMU ends and starts again, as it has to for a TD; see `configAfterReset`. */
  private async reset(): Promise<Outcome> {
    const { session } = this;
    if (session !== undefined) {
      await this.violations();
      this.pastLog = await this.dmesg();
      this.pastOopses = this.oopses();
      this.pastCost = this.cost();
      this.config = configAfterReset(session.plan.config, session.td.td.machine);
      this.session = undefined;
      this.snapshot = undefined;
      this.log = [];
      await session.close();
    }
    return this.boot();
  }

  private tellViolations(): void {
    const { session } = this;
    if (session !== undefined) this.chronicle.tell([...session.enforcer.violations, ...session.deeds]);
  }

  async elapse(untilNs: number): Promise<"timer" | "until"> {
    this.fresh = false;
    const ms = Math.max(0, Math.min(PATIENCE_MS, (untilNs - this.now()) / NS_PER_MS));
    await new Promise((resolve) => setTimeout(resolve, ms));
    await this.session?.devices.sync();
    this.tellViolations();
    return this.now() >= untilNs ? "until" : "timer";
  }

  /** A kernel is never known to have nothing left to do. */
  idle(): boolean {
    return this.session?.over ?? true;
  }

  now(): number {
    return Math.round((performance.now() - this.startedMs) * NS_PER_MS);
  }

  fate(): Fate {
    return fateOf(this.session);
  }

  async counters(): Promise<Counter[]> {
    return countersOf(await this.look());
  }

  async snapshotMap(): Promise<MapRun[]> {
    const snapshot = await this.look();
    if (this.session === undefined) return [];
    await this.session.devices.sync();
    this.table?.takeIn();
    return mapOf(this.session.td.td.machine, this.table, snapshot);
  }

  async dmesg(): Promise<readonly LogLine[]> {
    const { session } = this;
    const messages = await asked(session, ({ guest }) => guest.dmesg());
    if (messages !== undefined)
      this.log = messages.map(({ seconds, text }) => ({ ns: Math.round(seconds * 1e9), text }));
    else if (session !== undefined) this.log = consoleLog(session.qemu.consoleText());
    return [...this.pastLog, ...this.log, ...this.remarks()];
  }

  /** What the lab itself has to say: what a design printed, what the guest did not do, where QEMU and our VMM differ. */
  private remarks(): LogLine[] {
    const ns = this.now();
    const { designLog = [], remarks = [], mirror } = this.session ?? {};
    return [
      ...designLog.map((text) => ({ ns, text: `tidemark: design: ${text}` })),
      ...[...remarks, ...(mirror?.disagreements ?? [])].map((text) => ({ ns, text: `tidemark: ${text}` })),
    ];
  }

  /** A kernel prints them while it is in them, so the console has them as soon as anything can follow from them. */
  oopses(): Oops[] {
    const console = this.session?.qemu.consoleText() ?? "";
    return [...this.pastOopses, ...oopsesOf(consoleLog(console))];
  }

  async iomem(): Promise<string[]> {
    const bytes = await asked(this.session, ({ guest }) => guest.agent.readFile("/proc/iomem"));
    return new TextDecoder()
      .decode(bytes)
      .split("\n")
      .filter((line) => line !== "");
  }

  async blocks(): Promise<MemoryBlocks> {
    return blocksOf(await this.look());
  }

  async devices(): Promise<DeviceState[]> {
    if (this.session === undefined) return [];
    await this.session.devices.sync();
    return devicesOf(this.session.td.td.machine);
  }

  bitmaps(): Bitmaps | null {
    this.table?.takeIn();
    return bitmapsOf(this.table);
  }

  cost(): Cost {
    const counts = this.session?.td.td.machine.counts;
    if (counts === undefined) return this.pastCost;
    return plusCost(this.pastCost, {
      tdcalls: counts.tdcallsByName(),
      seamcalls: counts.seamcallsByName(),
      exits: counts.exits,
    });
  }

  /** What was seen so far; the pages that exist are looked at now. */
  async violations(): Promise<Violation[]> {
    await this.session?.enforcer.audit();
    this.tellViolations();
    return this.chronicle.violations;
  }

  faults(): FaultRecord[] {
    if (this.faultPoints === undefined) return [];
    return faultRecordsOf(this.scenario!, this.faultPoints).map((record) => ({
      ...record,
      firstStep: this.chronicle.stepOf(record.firstStep),
      lastStep: this.chronicle.stepOf(record.lastStep),
    }));
  }

  async stop(): Promise<void> {
    await this.session?.close();
  }

  /** The guest's own view, read anew after each thing that was done to it. */
  private async look(): Promise<GuestSnapshot | undefined> {
    // The agent may be among those who are held.
    if (this.fresh || this.held?.areHeld === true) return this.snapshot;
    this.snapshot = (await asked(this.session, ({ guest }) => guest.snapshot())) ?? this.snapshot;
    this.fresh = true;
    return this.snapshot;
  }
}
