import { Prng } from "../prng.ts";
import { FAULT_CALLS, type FaultBoundary, type FaultCall } from "./fault-calls.ts";

/** One fault that was asked for or drawn: which calls it strikes and what they do instead. */
export interface FaultRule {
  /** Its place in FAULT_CALLS. */
  readonly call: number;
  /** Number of the virtio-mem device; -1: any. */
  readonly device: number;
  /** Guest-physical bytes, half open: only calls about this memory count. Infinite: every call. */
  readonly start: number;
  readonly end: number;
  /** First call that it strikes, from 1, and how many in a row. Of no meaning if `rate` is not 0. */
  readonly first: number;
  readonly times: number;
  /** Chance of each call to be struck, in 2^32ths; 0: by count. */
  readonly rate: number;
  /** What the call answers, or OWN_ANSWER. */
  readonly answer: number;
  /** Virtual nanoseconds that the answer is late. */
  readonly lateNs: number;
  /**
   * 4 KiB chunks that an interrupted accept of a 2 MiB page still zeroes, 0: drawn at each strike; pieces of 2 MiB that MapGPA still
   * converts.
   */
  readonly after: number;
}

/** What may go wrong on a machine. */
export interface FaultPlan {
  readonly rules: readonly FaultRule[];
  /** Decides the calls that rules with a rate strike. */
  readonly seed: number;
}

const ON = 0;

const callsByCode = (boundary: FaultBoundary): ReadonlyMap<number, number> =>
  new Map(
    FAULT_CALLS.flatMap((one, place) => (one.boundary === boundary ? [[one.code, place] as const] : [])),
  );

const BY_CODE: { readonly [boundary in FaultBoundary]: ReadonlyMap<number, number> } = {
  tdcall: callsByCode("tdcall"),
  mapgpa: callsByCode("mapgpa"),
  seamcall: callsByCode("seamcall"),
  "virtio-mem": callsByCode("virtio-mem"),
  acpi: callsByCode("acpi"),
  guest: callsByCode("guest"),
  snp: callsByCode("snp"),
  vmm: callsByCode("vmm"),
  cpu: callsByCode("cpu"),
  creation: callsByCode("creation"),
  firmware: callsByCode("firmware"),
  host: callsByCode("host"),
};

/**
 * Counts the calls that faults speak of and says which of them are struck. The mutable state is flat. But for those that make
 * the TD, none is counted before `begin`: what firmware does goes well.
 */
export class FaultPoints {
  readonly plan: FaultPlan;
  /** By rule: calls that counted, calls struck, machine step of the first and of the last strike. */
  readonly seen: Float64Array;
  readonly struck: Float64Array;
  readonly firstStep: Float64Array;
  readonly lastStep: Float64Array;
  /** Decides instead of count and chance whether a rule strikes the call at hand: for whoever tries both. */
  chooser: ((rule: number) => boolean) | undefined;
  private readonly words = new Uint8Array(1);
  private readonly prng: Prng;
  /** Rules by call. */
  private readonly byCall: readonly (readonly number[])[];

  constructor(plan: FaultPlan) {
    const { length } = plan.rules;
    this.plan = plan;
    this.seen = new Float64Array(length);
    this.struck = new Float64Array(length);
    this.firstStep = new Float64Array(length);
    this.lastStep = new Float64Array(length);
    this.prng = new Prng(plan.seed);
    this.byCall = FAULT_CALLS.map((_, call) =>
      plan.rules.flatMap((rule, number) => (rule.call === call ? [number] : [])),
    );
  }

  get on(): boolean {
    return this.words[ON] !== 0;
  }

  begin(): void {
    this.words[ON] = 1;
  }

  /** Whether a rule speaks of any call of this boundary. */
  concerns(boundary: FaultBoundary): boolean {
    return this.plan.rules.some((rule) => callOf(rule).boundary === boundary);
  }

  /** A call of this boundary and code, or undefined if no rule speaks of it. */
  find(boundary: FaultBoundary, code: number): number | undefined {
    const call = BY_CODE[boundary].get(code);
    return call === undefined || this.byCall[call]!.length === 0 ? undefined : call;
  }

  /**
   * A call is about to be made. Every rule about it counts it; the first that strikes wins.
   *
   * @param start guest-physical bytes it is about, half open; both 0 if none
   * @param counts whether a rule can strike this call at all
   * @returns the number of the rule, or -1
   */
  strike(
    call: number,
    device: number,
    start: number,
    end: number,
    step: number,
    counts: (rule: FaultRule) => boolean = () => true,
  ): number {
    let hit = -1;
    for (const number of this.byCall[call]!) {
      const rule = this.plan.rules[number]!;
      if (rule.device >= 0 && rule.device !== device) continue;
      if (rule.end !== Number.POSITIVE_INFINITY && !(start < rule.end && rule.start < end)) continue;
      if (!counts(rule)) continue;
      const seen = ++this.seen[number]!;
      if (this.isDue(number, seen) && hit < 0) hit = number;
    }
    if (hit >= 0) this.note(hit, step);
    return hit;
  }

  private isDue(number: number, seen: number): boolean {
    if (this.chooser !== undefined) return this.chooser(number);
    const { rate, first, times } = this.plan.rules[number]!;
    return rate > 0 ? this.prng.next() < rate : first <= seen && seen < first + times;
  }

  private note(number: number, step: number): void {
    if (this.struck[number] === 0) this.firstStep[number] = step;
    this.struck[number]!++;
    this.lastStep[number] = step;
  }

  /** The call was refused for a reason of its own, so the fault did not come to pass. */
  takeBack(number: number): void {
    this.struck[number]!--;
  }

  /** A number from 1 to `most`, for what a rule leaves open. */
  draw(most: number): number {
    return 1 + this.prng.below(most);
  }

  /** Goes on where a machine before a reset ended. */
  resume(before: FaultPoints): void {
    this.views().forEach((view, index) => {
      view.set(before.views()[index]!);
    });
    this.words[ON] = 0;
  }

  /** The arrays that a snapshot copies. */
  views(): (Float64Array | Uint32Array | Uint8Array)[] {
    return [this.seen, this.struck, this.firstStep, this.lastStep, this.prng.state, this.words];
  }
}

export const callOf = (rule: FaultRule): FaultCall => FAULT_CALLS[rule.call]!;
