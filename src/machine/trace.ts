/**
 * One visible effect: who did what to which memory, what came of it, and what state the memory has now. A trace
 * uses one object for all of them; who keeps something copies it.
 */
export interface TraceEvent {
  /** Number of the machine step it belongs to. */
  readonly step: number;
  /** Virtual time of the actor, nanoseconds. */
  readonly ns: number;
  readonly actor: string;
  /** vCPU that executed it, or -1. */
  readonly vcpu: number;
  /** Leaf, request or verb, in the field's own words. */
  readonly what: string;
  /** Guest-physical bytes, half open; equal where the effect has no place. */
  readonly start: number;
  readonly end: number;
  readonly status: string;
  /** State of the memory afterwards; empty where nothing changed. */
  readonly after: string;
}

export type TraceSink = (event: TraceEvent) => void;

/** Tells every effect to whoever listens. */
export class Trace {
  raw: TraceSink | undefined;
  /** True while nothing is to be told, as before the story begins. */
  muted = false;
  private readonly event: { -readonly [field in keyof TraceEvent]: TraceEvent[field] } = {
    step: 0,
    // Times and addresses are no small integers: V8 then keeps them in place, and none is allocated.
    ns: 0.5,
    actor: "",
    vcpu: -1,
    what: "",
    start: 0.5,
    end: 0.5,
    status: "",
    after: "",
  };

  get on(): boolean {
    return !this.muted && this.raw !== undefined;
  }

  emit(
    step: number,
    ns: number,
    actor: string,
    vcpu: number,
    what: string,
    start: number,
    end: number,
    status: string,
    after = "",
  ): void {
    if (this.muted || this.raw === undefined) return;
    const { event } = this;
    event.step = step;
    event.ns = ns;
    event.actor = actor;
    event.vcpu = vcpu;
    event.what = what;
    event.start = start;
    event.end = end;
    event.status = status;
    event.after = after;
    this.raw(event);
  }
}
