import type { HoldPoint } from "../../check/story/hold-points.ts";
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

/** A thread that is to be held. */
interface Armed {
  readonly at: HeldAt;
  readonly held: HeldThread;
  /** Number of the call that is meant, of all there were. */
  readonly nth: number;
}

/** A call that is made, or comes back. */
interface Made {
  readonly name: string;
  readonly nth: number;
  /** Its first two arguments. */
  readonly start: number;
  readonly end: number;
}

/** Whether a call, of (start, end) in guest-physical bytes where memory counts, is the one that is meant. */
const isMeant = ({ at, nth }: Armed, when: HoldPoint["at"], made: Made): boolean => {
  const { point, address } = at;
  if (point.function !== made.name || point.at !== when) return false;
  return address === undefined ? nth === made.nth : made.start <= address && address < made.end;
};

/** Where threads of a real kernel are held: at functions that they are stopped at, until they are let go. */
export class Holds {
  private readonly points: readonly HoldPoint[];
  private readonly armed = new Set<Armed>();
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
    const held = new HeldThread();
    this.armed.add({ at, held, nth: (since[at.point.function] ?? 0) + at.nth });
    return held;
  }

  /** Everybody goes on, and nobody is held any more. */
  letAllGo(): void {
    for (const { held } of this.armed) held.letGo();
    this.armed.clear();
  }

  private async called(name: string, call: Call): Promise<RegisterValues> {
    const nth = (this.counts[name] ?? 0) + 1;
    this.counts[name] = nth;
    if (this.armed.size === 0) return {};
    const made = { name, nth, start: call.number(0), end: call.number(1) };
    // Who is held before the call may be held once more when it comes back.
    if (this.points.some((point) => point.function === name && point.at === "return"))
      await call.onReturn(async (cpu) => {
        const { registers } = cpu;
        return this.meet("return", made, cpu, { rip: registers.read("rip"), rax: registers.read("rax") });
      });
    return this.meet("entry", made, call.cpu);
  }

  /** Keeps a thread that is to be held here, and lets every other go on. */
  private async meet(
    when: HoldPoint["at"],
    made: Made,
    cpu: Stopped,
    then?: RegisterValues,
  ): Promise<RegisterValues> {
    const met = [...this.armed].find((one) => isMeant(one, when, made));
    if (met === undefined) return {};
    this.armed.delete(met);
    const { at, held } = met;
    held.arrives();
    const isOver = (): boolean => {
      held.looks++;
      return held.isFree;
    };
    return this.sleep!.until(cpu, isOver, at.point.sleeps, then);
  }
}
