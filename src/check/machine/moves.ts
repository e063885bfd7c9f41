import { assert } from "../../assert.ts";
import { boot } from "../../machine/boot.ts";
import type { Violation } from "../../machine/invariants/violations.ts";
import { Machine } from "../../machine/machine.ts";
import { NotModelled } from "../../not-modelled.ts";
import { DISABLED, TAKEN } from "../system.ts";
import { type MachineConfiguration, machineConfigOf } from "./configurations/configuration.ts";
import { Programs } from "./configurations/programs.ts";
import { listTimers } from "./due-timers.ts";
import type { Arena } from "./memory/arena.ts";
import { type Growth, grow, reserveSections } from "./memory/fields.ts";
import { gather } from "./memory/gather.ts";
import { textOf, tokensOf } from "./reductions/actor-tokens.ts";
import { LocalSteps } from "./reductions/local-steps.ts";
import { MergedSteps } from "./reductions/merged-steps.ts";
import { NormalForm } from "./reductions/normal-form.ts";
import { waitOf } from "./rest-look.ts";
import { judged, verdictOf } from "./verdict.ts";
import { VIOLATION } from "./violations.ts";

const NO_FAULT = -1;
/** More than the steps of all procedures of the kernel, or of the VMM. */
const MOST_PLACES = 2 ** 16;
/** More than there are programs and timers. */
const MOST_BEGINNINGS = 64;
/** Kinds of moves: steps of the kernel's procedures, of the VMM's, and what begins from outside. */
export const MOVE_KINDS = 2 * MOST_PLACES + MOST_BEGINNINGS;

/** A machine and what may happen to it next: any actor that is ready may go, whatever the clocks say. */
export class MachineMoves {
  readonly machine: Machine;
  readonly programs: Programs;
  readonly configuration: MachineConfiguration;
  /** All memory of the machine, and how far the programs are. */
  readonly arena: Arena;
  /** Whether steps that nobody else can tell of are taken at once, as part of the choice before them. */
  mergesLocalSteps = false;
  /** Whether a step that leaves nobody anything to do is judged by all that has to hold then. */
  looksAtRest = true;
  /** Is told each actor that takes a step of its own accord, before it does. */
  moves: (actor: number) => void = () => undefined;
  readonly localSteps: LocalSteps;
  /** Which steps are part of the choice before them. */
  readonly merged: MergedSteps;
  private readonly normalForm: NormalForm;
  private readonly rules: ReadonlySet<string>;
  /** Pairs of actor and fault of the current state's choices; numbers behind the machine's actors are programs, then timers. */
  readonly list = new Int32Array(256);
  private count = -1;
  /** How many of the list are choices of the state that was restored last; -1: the list is not of that state. */
  private countThere = -1;
  /** Something happened since a state was restored. */
  left = false;
  /** The list of actors that have work may be of another state. */
  private acted = false;
  private armed = NO_FAULT;
  private struckBefore = 0;
  /** How often the fault may strike. */
  private readonly faultTimes: number;
  private readonly logLines: number;
  private readonly actors: number;
  private readonly faults: number;
  /** What is wrong with the boot or with another kernel's start, before the search begins, or TAKEN; and what the rules said of it. */
  private readonly early: number;
  private readonly earlyWhy: readonly Violation[];
  /** By actor, program and timer: its name as a number below 2^31. */
  private readonly tokens: Uint32Array;

  /** @param growth what is known to grow @throws NotModelled for a machine that the model cannot be */
  constructor(configuration: MachineConfiguration, growth: Growth) {
    this.configuration = configuration;
    this.rules = new Set(configuration.rules);
    this.machine = new Machine(machineConfigOf(configuration));
    const points = this.machine.injector?.points;
    this.faultTimes = configuration.fault?.times ?? 1;
    // From the start: a fault that may strike once is not used up by the boot. One strike a step: the first of two calls.
    if (points !== undefined)
      points.chooser = (rule) => this.armed === rule && points.struck[rule] === this.struckBefore;
    const { booted } = boot(this.machine);
    if (booted) reserveSections(this.machine);
    this.programs = new Programs(this.machine, configuration);
    this.early = booted ? this.doAllBefore() : verdictOf(this.machine, this.rules);
    this.earlyWhy = [...this.machine.watch!.violations.all];
    this.actors = this.machine.tasks.actors.length;
    this.faults = configuration.fault === null ? 0 : 1;
    this.normalForm = new NormalForm(this.machine);
    this.forgetPast();
    this.logLines = this.machine.log.length;
    grow(this.machine, growth);
    this.tokens = tokensOf(this.machine, this.programs);
    this.arena = gather(this.machine, [this.programs]);
    this.localSteps = new LocalSteps(this.machine);
    this.merged = new MergedSteps(this.localSteps, {
      moves: (actor) => this.moves(actor),
      take: (choice) => this.takeIndependent(choice),
      changed: () => {
        this.count = -1;
      },
    });
  }

  /** A jump into another kernel is judged with what the rules say of it; what the last one's drivers do is searched. */
  private doAllBefore(): number {
    for (const deed of this.configuration.before) {
      const jumps = deed.do === "kexec";
      if (jumps) this.forgetPast();
      this.programs.perform(deed, undefined);
      if (jumps) reserveSections(this.machine);
      else this.machine.settle();
      const result = jumps ? verdictOf(this.machine, this.rules) : TAKEN;
      if (result !== TAKEN) return result;
    }
    return TAKEN;
  }

  /** The state that was restored last is there again. */
  back(): void {
    this.isThere(this.countThere);
  }

  /** Memory was written from outside, and holds another state. */
  moved(): void {
    this.acted = true;
    this.isThere(-1);
  }

  /** A move that is not taken here was written into memory. */
  leaps(): void {
    this.count = -1;
    this.left = true;
    this.forgetCaches();
  }

  /** Caches are stale, and what was seen since is not the past of this state. */
  private isThere(choices: number): void {
    const { kernel, vmm, log } = this.machine;
    this.count = choices;
    this.countThere = choices;
    this.left = false;
    if (this.acted) this.machine.scheduler.relist();
    this.acted = false;
    this.forgetCaches();
    log.length = this.logLines;
    this.forgetPast();
    // A move that came to nothing left its changes here.
    kernel.mm.dirty.clear();
    kernel.table?.dirty.clear();
    vmm.changedUnits.clear();
  }

  private forgetCaches(): void {
    const { kernel, platform } = this.machine;
    kernel.mm.version++;
    platform.pages.sept.forgetWalk?.();
  }

  private forgetPast(): void {
    const { watch } = this.machine;
    if (watch !== undefined && watch.violations.all.length > 0) watch.violations.clear();
  }

  choices(): number {
    if (this.count >= 0) return this.count;
    const { machine, programs, list, actors, faults } = this;
    let count = 0;
    if (!machine.halted && this.early === TAKEN) {
      const { active, activeCount } = machine.scheduler;
      const mayFail = faults > 0 && machine.injector!.points.struck[0]! < this.faultTimes;
      for (let actor = 0; actor < actors; actor++) {
        if (machine.tasks.actors[actor]!.idle || !machine.tasks.actors[actor]!.ready()) continue;
        list[count++] = actor * 2;
        if (mayFail) list[count++] = actor * 2 + 1;
      }
      for (let program = 0; program < programs.all.length; program++)
        if (programs.isReady(program)) list[count++] = (actors + program) * 2;
      if (activeCount[0] === 0) count = listTimers(machine, list, count, actors + programs.all.length);
      assert(active.length === actors, "every actor may be active");
    }
    this.count = count;
    this.countThere = this.left ? -1 : count;
    return count;
  }

  /** Takes a choice of the current state. @returns as System.choose @throws what a mistake of the machine throws */
  take(index: number): number {
    try {
      assert(0 <= index && index < this.choices(), "a choice is one of those there are");
      const choice = this.list[index]!;
      const actor = choice >> 1;
      this.merged.independent?.attempt(choice);
      this.count = -1;
      this.left = true;
      this.acted = true;
      if (actor < this.actors) {
        if (!this.step(actor, (choice & 1) - 1)) return DISABLED;
      } else this.begin(actor - this.actors);
    } catch (error) {
      if (error instanceof NotModelled) return VIOLATION.NOT_MODELLED;
      throw error;
    } finally {
      this.armed = NO_FAULT;
    }
    this.normalForm.take();
    const result = judged(this.machine, this.rules, this.looksAtRest);
    if (result === TAKEN && this.mergesLocalSteps) this.merged.takeAll();
    return result;
  }

  private takeIndependent(choice: number): void {
    const happened = this.step(choice >> 1, (choice & 1) - 1);
    this.normalForm.take();
    assert(
      happened && judged(this.machine, this.rules, this.looksAtRest) === TAKEN,
      "an independent step does what it did when it was tried",
    );
  }

  /** A choice of the current state that would have been part of the one before it; -1 if there is none. */
  localChoice(): number {
    const count = this.choices();
    for (let index = 0; index < count; index++) {
      const choice = this.list[index]!;
      const actor = choice >> 1;
      if ((choice & 1) === 0 && actor < this.actors && this.localSteps.isLocal(actor)) return index;
    }
    return -1;
  }

  /** One step of an actor. @returns false if it is blocked, or if the fault that was to strike had no occasion to */
  private step(actor: number, fault: number): boolean {
    const { machine } = this;
    const { frame, words } = machine.tasks.actors[actor]!;
    const end = frame.end;
    this.armed = fault;
    if (fault !== NO_FAULT) this.struckBefore = machine.injector!.points.struck[fault]!;
    machine.step(actor);
    // A panic ends its step as a wait does, and is none.
    if (machine.scheduler.blockedAt[actor] !== -1 && !machine.halted) return false;
    if (fault !== NO_FAULT && machine.injector!.points.struck[fault] === this.struckBefore) return false;
    words.fill(0, frame.end, end);
    return true;
  }

  /** What a deed changed is looked at before anybody goes on, so that no later step, local or not, makes the look for it. */
  private begin(number: number): void {
    const { machine, programs } = this;
    const device = number - programs.all.length;
    if (device < 0) programs.begin(number);
    else {
      machine.scheduler.timers[machine.timerOf(device)] = 0;
      machine.interrupts.expire(0);
    }
    this.normalForm.take();
    if (machine.watchesUnits) machine.watch?.afterStep();
  }

  atRest(): number {
    for (const { invariant, start, end, why } of this.earlyWhy)
      if (this.early !== TAKEN) this.machine.watch!.report(invariant, start, end, why);
    if (this.early !== TAKEN) return this.early;
    if (this.machine.halted) return TAKEN;
    return this.machine.scheduler.activeCount[0] === 0
      ? judged(this.machine, this.rules, this.looksAtRest)
      : waitOf(this.machine);
  }

  /** What a choice does, whoever does it: a number below MOVE_KINDS. */
  kind(index: number): number {
    const actor = this.actor(index);
    if (actor >= this.actors) return 2 * MOST_PLACES + ((actor - this.actors) % MOST_BEGINNINGS);
    const { actors, firstVmm } = this.machine.tasks;
    return (actor < firstVmm ? 0 : MOST_PLACES) + ((actors[actor]!.frame.place + 1) % MOST_PLACES);
  }

  actor(index: number): number {
    return this.choices() > index ? this.list[index]! >> 1 : 0;
  }

  /** Who acts, by name, so that it means the same where there are fewer vCPUs or people; and whether the fault strikes. */
  token(index: number): number {
    return this.choices() <= index ? 0 : this.tokenOf(this.list[index]!);
  }

  /** The same of a choice by its number among all there ever are. */
  tokenOf(choice: number): number {
    return this.tokens[choice >> 1]! * 2 + (choice & 1);
  }

  label(index: number): string {
    assert(index < this.choices(), "a choice is one of those there are");
    const choice = this.list[index]!;
    const { fault } = this.configuration;
    const failure = (choice & 1) === 1 && fault !== null ? `, and ${fault.call} answers ${fault.answer}` : "";
    return `${textOf(this.machine, this.programs, choice >> 1)}${failure}`;
  }
}
