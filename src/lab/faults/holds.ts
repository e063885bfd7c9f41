import { type HoldPoint, isByMemory } from "../../check/story/hold-points.ts";
import type { HeldAt, ScheduledStep } from "../../check/story/schedule.ts";
import { Call } from "../design/kernel-hooks.ts";
import { LabError } from "../lab-error.ts";
import type { RegisterValues } from "../wire/gdb-client.ts";
import type { HookChain } from "./hook-chain.ts";
import { KernelSleep } from "./kernel-sleep.ts";

/** A thread that is to be held, or is. */
export class HeldThread {
  /** Fulfilled once it is where it is to be held. */
  readonly reached: Promise<void>;
  isReached = false;
  /** It may go on. */
  isFree = false;
  /** How often it was looked whether it may go on: each is some time of the guest. */
  looks = 0;
  private tell: () => void = () => {};

  constructor() {
    this.reached = new Promise((resolve) => {
      this.tell = resolve;
    });
  }

  arrives(): void {
    this.isReached = true;
    this.tell();
  }

  letGo(): void {
    this.isFree = true;
  }
}

/** Calls of the functions that somebody may be held at, since a deed began. */
export interface Calls {
  readonly [name: string]: number;
}

type Stopped = Call["cpu"];

/** Where threads of a real kernel are held: at functions that they are stopped at, until they are let go. */
export class Holds {
  private readonly points: readonly HoldPoint[];
  private readonly armed = new Set<{ readonly at: HeldAt; readonly held: HeldThread; left: number }>();
  private counts: Record<string, number> = {};
  private sleep: KernelSleep | undefined;

  /** @param points that some thread will be held at */
  constructor(points: readonly HoldPoint[]) {
    this.points = points;
  }

  /** Holds for all that a schedule has held. */
  static of(schedule: readonly ScheduledStep[]): Holds {
    const untils = schedule.flatMap((step) => [step, ...step.next]).map(({ until }) => until);
    return new Holds(untils.flatMap((until) => (until === undefined ? [] : [until.point])));
  }

  /** Whether somebody is to be held in the virtio-mem driver. */
  get needsDriver(): boolean {
    return this.points.some((point) => point.in === "virtio_mem driver");
  }

  /** Whether somebody who is held keeps a vCPU. */
  get keepsVcpu(): boolean {
    return this.points.some(({ sleeps }) => !sleeps);
  }

  /**
   * What the kernel is told so that somebody may be held. An idle CPU leaves its timers to one that is not: to a vCPU that
   * takes no interrupts, where those who sleep would never wake.
   *
   * @source Linux kernel/time/timer_migration.c
   */
  get commandLine(): readonly string[] {
    return this.keepsVcpu ? ["nohz=off"] : [];
  }

  /**
   * Hooks the functions of the kernel itself, or of the virtio-mem driver once it is loaded. The guest must stand still.
   *
   * @throws LabError if it lacks one
   */
  async install(
    control: HookChain,
    where: HoldPoint["in"],
    symbol: (name: string) => bigint | undefined,
  ): Promise<void> {
    if (where === "kernel" && this.points.length > 0) this.sleep = KernelSleep.of(control, symbol);
    const names = this.points.filter((point) => point.in === where).map((point) => point.function);
    for (const name of new Set(names)) {
      const address = symbol(name);
      if (address === undefined)
        throw new LabError(
          `a thread to be held: expected a function ${name} in the ${where} to stop at, found none; use another kernel`,
        );
      await control.hook(address, (cpu) => this.called(name, new Call(cpu, control)));
    }
  }

  /** Calls so far. */
  get calls(): Calls {
    return { ...this.counts };
  }

  /** Has a thread held. @param since calls that were made before its deed began */
  hold(at: HeldAt, since: Calls): HeldThread {
    const name = at.point.function;
    const made = isByMemory(at.point) ? 0 : (this.counts[name] ?? 0) - (since[name] ?? 0);
    const held = new HeldThread();
    this.armed.add({ at, held, left: at.nth - made });
    return held;
  }

  /** Everybody goes on, and nobody is held any more. */
  letAllGo(): void {
    for (const { held } of this.armed) held.letGo();
    this.armed.clear();
  }

  private async called(name: string, call: Call): Promise<RegisterValues> {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    for (const one of this.armed) {
      const { at, held } = one;
      if (at.point.function !== name || !isAbout(at, call) || --one.left > 0) continue;
      this.armed.delete(one);
      if (at.point.at === "entry") return this.keep(at.point, held, call.cpu);
      await call.onReturn(async (cpu) =>
        this.keep(at.point, held, cpu, { rip: cpu.registers.read("rip"), rax: cpu.registers.read("rax") }),
      );
      return {};
    }
    return {};
  }

  private keep(
    { sleeps }: HoldPoint,
    held: HeldThread,
    cpu: Stopped,
    then?: RegisterValues,
  ): Promise<RegisterValues> {
    held.arrives();
    const isOver = (): boolean => {
      held.looks++;
      return held.isFree;
    };
    return this.sleep!.until(cpu, isOver, sleeps, then);
  }
}

/** Whether a call of (start, end) in guest-physical bytes is about what is meant. */
const isAbout = ({ address }: HeldAt, call: Call): boolean =>
  address === undefined || (call.number(0) <= address && address < call.number(1));
