import type { Machine } from "../../machine/machine.ts";
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

/** What is left of machines before a reset, so that steps, time and counts go on. */
export class Past {
  steps = 0;
  ns = 0;
  readonly log: LogLine[] = [];
  readonly violations: Violation[] = [];
  private cost: Cost = { tdcalls: {}, seamcalls: {}, exits: 0 };
  private tally: Tally = { exits: {}, unpluggedAccepted: 0, acceptedForNothing: 0, peakHostMemory: 0 };

  keep(machine: Machine): void {
    machine.trace.flush();
    this.log.push(...this.lines(machine));
    this.violations.push(...this.violationsOf(machine));
    const { counts } = machine;
    this.cost = this.plus({
      tdcalls: counts.tdcallsByName(),
      seamcalls: counts.seamcallsByName(),
      exits: counts.exits,
    });
    this.tally = this.plusTally(tallyOf(machine));
    this.steps += machine.scheduler.steps;
    this.ns += machine.scheduler.now;
  }

  placed(event: TraceEvent): TraceEvent {
    return this.steps === 0 ? event : { ...event, step: event.step + this.steps, ns: event.ns + this.ns };
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
}

export const tallyOf = ({ tally, vmm }: Machine): Tally => ({
  exits: tally.exits,
  unpluggedAccepted: tally.unpluggedBytes,
  acceptedForNothing: tally.untouchedBytes,
  peakHostMemory: vmm.use.peakBytes,
});
