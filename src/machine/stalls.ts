import type { StallWatch } from "../linux/stall-watch.ts";

/** Longest stretches of a machine's vCPUs, virtual nanoseconds. */
export interface Waits {
  /** With interrupts off. */
  readonly irqsOffNs: number;
  /** Spinning for a lock, or for memory that another vCPU is accepting. */
  readonly spinNs: number;
}

/** Twice watchdog_thresh, whose default is 10 seconds. */
const SOFT_LOCKUP_NS = 20e9;
const NS_PER_S = 1e9;
const NOT = -1;
const IRQS_OFF = 0;
const SPIN = 1;
const COUNTING = 2;

/** What the stall watch needs of its machine. */
interface Clocked {
  readonly scheduler: { readonly clocks: Float64Array };
  printk(text: string): void;
}

/**
 * Measures how long vCPUs stand still, and speaks as the soft-lockup watchdog does of those that stood for long. Flat.
 *
 * The watchdog's timer needs interrupts: after a stretch without them it fires at once, and reports unless the stretch
 * ended with touch_softlockup_watchdog(). A vCPU that spins has interrupts between two tries.
 *
 * @source Linux kernel/watchdog.c, watchdog_timer_fn
 * @missing the watchdog speaks when the stretch ends, not every 4 seconds within it; task, pid and backtrace; the hard-lockup detector,
 *   which a TD has no performance counter for by default
 */
export class Stalls implements StallWatch {
  /** By vCPU: when the stretch began, or -1. */
  readonly offSince: Float64Array;
  readonly spinSince: Float64Array;
  /** Longest stretch of each kind, nanoseconds; then 1 while stretches count. */
  readonly words = new Float64Array(3);
  private readonly machine: Clocked;

  constructor(machine: Clocked, vcpus: number) {
    this.machine = machine;
    this.offSince = new Float64Array(vcpus).fill(NOT);
    this.spinSince = new Float64Array(vcpus).fill(NOT);
  }

  irqsOff(vcpu: number): void {
    if (this.offSince[vcpu] === NOT && this.words[COUNTING] !== 0)
      this.offSince[vcpu] = this.machine.scheduler.clocks[vcpu]!;
  }

  irqsOn(vcpu: number, touched: boolean): void {
    const ns = this.end(this.offSince, vcpu, IRQS_OFF);
    if (!touched) this.report(vcpu, ns);
  }

  spins(vcpu: number): void {
    if (this.spinSince[vcpu] === NOT && this.words[COUNTING] !== 0)
      this.spinSince[vcpu] = this.machine.scheduler.clocks[vcpu]!;
  }

  spun(vcpu: number): void {
    if (this.spinSince[vcpu] !== NOT) this.report(vcpu, this.end(this.spinSince, vcpu, SPIN));
  }

  /** @returns length of the stretch that ends now */
  private end(since: Float64Array, vcpu: number, kind: number): number {
    const began = since[vcpu]!;
    if (began === NOT) return 0;
    since[vcpu] = NOT;
    const ns = this.machine.scheduler.clocks[vcpu]! - began;
    if (ns > this.words[kind]!) this.words[kind] = ns;
    return ns;
  }

  private report(vcpu: number, ns: number): void {
    if (ns > SOFT_LOCKUP_NS)
      this.machine.printk(
        `watchdog: BUG: soft lockup - CPU#${vcpu} stuck for ${Math.floor(ns / NS_PER_S)}s!`,
      );
  }

  get waits(): Waits {
    return { irqsOffNs: this.words[IRQS_OFF]!, spinNs: this.words[SPIN]! };
  }

  /** The kernel lets interrupts in for the first time: until then it had them off all the time, and nobody minds. */
  begin(): void {
    this.words[COUNTING] = 1;
  }

  /** Another kernel starts: nobody stands still, and nothing counts before it begins. */
  restart(): void {
    this.words[COUNTING] = 0;
    this.offSince.fill(NOT);
    this.spinSince.fill(NOT);
  }

  views(): Float64Array[] {
    return [this.offSince, this.spinSince, this.words];
  }
}
