/** One visible effect: who did what to which memory, what came of it, and what state the memory has now. */
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
  /** Equal effects on neighbouring ranges that this event stands for. */
  readonly count: number;
}

export type TraceSink = (event: TraceEvent) => void;

/**
 * Turns effects into events. Effects that differ only in their place, each starting where the last one
 * ended, become one event in the folded stream; the raw stream, where somebody listens, has every one.
 */
export class Trace {
  folded: TraceSink | undefined;
  raw: TraceSink | undefined;
  /** True while nothing is to be told, as before the story begins. */
  muted = false;
  private pending: TraceEvent | undefined;
  private end = 0;
  private count = 0;

  get on(): boolean {
    return !this.muted && (this.folded !== undefined || this.raw !== undefined);
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
    if (!this.on) return;
    const event = { step, ns, actor, vcpu, what, start, end, status, after, count: 1 };
    this.raw?.(event);
    if (this.folded !== undefined) this.fold(event);
  }

  private fold(event: TraceEvent): void {
    if (this.continues(event)) this.count++;
    else {
      this.flush();
      this.pending = event;
      this.count = 1;
    }
    this.end = event.end;
  }

  /** Hands out the event that is still growing. */
  flush(): void {
    const { pending } = this;
    if (pending === undefined) return;
    this.pending = undefined;
    this.folded?.(this.count === 1 ? pending : { ...pending, end: this.end, count: this.count });
  }

  private continues({ actor, what, start, end, status, after }: TraceEvent): boolean {
    const { pending } = this;
    return (
      pending !== undefined &&
      this.end === start &&
      end > start &&
      pending.what === what &&
      pending.status === status &&
      pending.after === after &&
      pending.actor === actor
    );
  }
}
