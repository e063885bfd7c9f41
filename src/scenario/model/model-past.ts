import type { Machine } from "../../machine/machine.ts";
import type { Waits } from "../../machine/stalls.ts";
import type { TraceEvent as Effect } from "../../machine/trace.ts";
import type { Cost, LogLine, Tally, TraceEvent, Violation } from "../world.ts";

const added = (a: { readonly [leaf: string]: number }, b: { readonly [leaf: string]: number }) => {
  const total: { [leaf: string]: number } = { ...a };
  for (const [leaf, count] of Object.entries(b)) total[leaf] = (total[leaf] ?? 0) + count;
  return total;
};

/** Counts of two machines, one after the other. */
export const plusCost = (a: Cost, b: Cost): Cost => ({
  tdcalls: added(a.tdcalls, b.tdcalls),
  seamcalls: added(a.seamcalls, b.seamcalls),
  exits: a.exits + b.exits,
});

/** An effect in a machine as an event of the world, placed behind those of machines before a reset. One object for all. */
export class PlacedEvent implements TraceEvent {
  step = 0;
  // No small integer: V8 then keeps times in place, and none is allocated.
  ns = 0.5;
  actor = "";
  vcpu: number | null = null;
  what = "";
  start: number | null = null;
  end: number | null = null;
  status = "";
  stateAfter: string | null = null;

  of(effect: Effect, past: Past): this {
    const hasPlace = effect.start !== effect.end;
    this.step = effect.step + past.steps;
    this.ns = effect.ns + past.ns;
    this.actor = effect.actor;
    this.vcpu = effect.vcpu < 0 ? null : effect.vcpu;
    this.what = effect.what;
    this.start = hasPlace ? effect.start : null;
    this.end = hasPlace ? effect.end : null;
    this.status = effect.status;
    this.stateAfter = effect.after === "" ? null : effect.after;
    return this;
  }
}

/** What is left of machines before a reset, so that steps, time and counts go on. */
export class Past {
  steps = 0;
  ns = 0;
  readonly log: LogLine[] = [];
  readonly violations: Violation[] = [];
  private cost: Cost = { tdcalls: {}, seamcalls: {}, exits: 0 };
  private tally: Tally = { exits: {}, unpluggedAccepted: 0, acceptedForNothing: 0, peakHostMemory: 0 };

  private waits: Waits = { irqsOffNs: 0, spinNs: 0 };

  keep(machine: Machine): void {
    this.log.push(...this.lines(machine));
    this.violations.push(...this.violationsOf(machine));
    const { counts } = machine;
    this.cost = this.plus({
      tdcalls: counts.tdcallsByName(),
      seamcalls: counts.seamcallsByName(),
      exits: counts.exits,
    });
    this.tally = this.plusTally(tallyOf(machine));
    this.waits = this.longer(machine.stalls.waits);
    this.steps += machine.scheduler.steps;
    this.ns += machine.scheduler.now;
  }

  lines(machine: Machine): LogLine[] {
    return machine.log.map(({ ns, text }) => ({ ns: ns + this.ns, text }));
  }

  violationsOf(machine: Machine): Violation[] {
    machine.checkAtRest();
    const all = machine.watch?.violations.all ?? [];
    return all.map(({ invariant, step, start, end, why }) => ({
      invariant,
      step: step + this.steps,
      range: start === end ? null : { start, end },
      why,
    }));
  }

  plus(cost: Cost): Cost {
    return plusCost(this.cost, cost);
  }

  plusTally(tally: Tally): Tally {
    const { exits, unpluggedAccepted, acceptedForNothing, peakHostMemory } = this.tally;
    return {
      exits: added(exits, tally.exits),
      unpluggedAccepted: unpluggedAccepted + tally.unpluggedAccepted,
      acceptedForNothing: acceptedForNothing + tally.acceptedForNothing,
      peakHostMemory: Math.max(peakHostMemory, tally.peakHostMemory),
    };
  }

  longer({ irqsOffNs, spinNs }: Waits): Waits {
    return {
      irqsOffNs: Math.max(this.waits.irqsOffNs, irqsOffNs),
      spinNs: Math.max(this.waits.spinNs, spinNs),
    };
  }
}

export const tallyOf = ({ tally, vmm }: Machine): Tally => ({
  exits: tally.exits,
  unpluggedAccepted: tally.unpluggedBytes,
  acceptedForNothing: tally.untouchedBytes,
  peakHostMemory: vmm.use.peakBytes,
});
