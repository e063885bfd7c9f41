import type { Design } from "../linux/design.ts";
import { type BootOutcome, boot } from "./boot.ts";
import type { MachineConfig } from "./config.ts";
import { DesignReads } from "./design-reads.ts";
import type { Machine } from "./machine.ts";
import { bytesOfState, MachineSnapshot, type MachineState, stateOf } from "./snapshot.ts";
import type { TraceEvent, TraceSink } from "./trace.ts";

/** A longer boot, or one of a larger machine, is done anew: what is kept of it would weigh more than it saves. */
const MOST_EFFECTS = 2 ** 16;
const MOST_BYTES = 2 ** 26;

/** A machine that has booted. */
export interface Booted {
  readonly machine: Machine;
  readonly outcome: BootOutcome;
  /** Other designs may begin on this machine too. */
  readonly isShared: boolean;
}

/** The effects of a boot, copied, while they are few. */
class EffectTape {
  readonly effects: TraceEvent[] = [];
  isWhole = true;

  add(effect: TraceEvent): void {
    if (this.effects.length === MOST_EFFECTS) this.isWhole = false;
    else this.effects.push({ ...effect });
  }
}

/** The machine as it was when a boot ended, and how it got there. */
class KeptBoot {
  readonly reads: DesignReads;
  private readonly booted: Booted;
  private readonly effects: readonly TraceEvent[];
  private readonly snapshot: MachineSnapshot;

  constructor(booted: Booted, state: MachineState, reads: DesignReads, effects: readonly TraceEvent[]) {
    this.booted = booted;
    this.reads = reads;
    this.effects = effects;
    this.snapshot = new MachineSnapshot(booted.machine, state);
  }

  /** The machine as it was, now with another design; `sink` hears of the boot as if it happened now. */
  again(config: MachineConfig, sink: TraceSink | undefined): Booted {
    const { booted, effects } = this;
    const { machine } = booted;
    this.snapshot.restore();
    takeConfig(machine, config);
    machine.trace.raw = sink;
    if (sink !== undefined) for (const effect of effects) sink(effect);
    return booted;
  }
}

const takeConfig = (machine: Machine, config: MachineConfig): void => {
  machine.config = config;
  if (machine.booted) machine.kernel.design = config.design;
};

/**
 * Boots machines whose configurations differ in nothing but the design. One that would boot as another did is not booted
 * at all: the other one is, as it stood when its boot ended. That is known from what the boot read of its design.
 *
 * The machine of a design is good until the next design boots. Memory that firmware and stub wrote is no part of a
 * snapshot: none of the designs may start another kernel.
 */
export class SharedBoots {
  private readonly kept: KeptBoot[] = [];
  /** Designs that have not booted yet. */
  private readonly waiting: Set<Design>;

  /** @param designs that will boot, each once */
  constructor(designs: readonly Design[]) {
    this.waiting = new Set(designs);
  }

  /** @param machine fresh; it may not be the one that has booted */
  boot(machine: Machine): Booted {
    const { config, trace } = machine;
    this.waiting.delete(config.design);
    const alike = this.kept.find(({ reads }) => reads.holdFor(config.design));
    return alike === undefined ? this.bootAndKeep(machine) : alike.again(config, trace.raw);
  }

  private bootAndKeep(machine: Machine): Booted {
    const { config, trace } = machine;
    const { raw: sink } = trace;
    const reads = new DesignReads(config.design);
    const tape = new EffectTape();
    machine.config = { ...config, design: reads.design };
    trace.raw = (effect) => {
      tape.add(effect);
      sink?.(effect);
    };
    const outcome = boot(machine);
    takeConfig(machine, config);
    trace.raw = sink;
    const isWanted = [...this.waiting].some((design) => reads.holdFor(design));
    if (!isWanted || !outcome.booted || !tape.isWhole) return { machine, outcome, isShared: false };
    const state = stateOf(machine);
    const isShared = bytesOfState(state) <= MOST_BYTES;
    const booted = { machine, outcome, isShared };
    if (isShared) this.kept.push(new KeptBoot(booted, state, reads, tape.effects));
    return booted;
  }
}
