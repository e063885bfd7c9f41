import type { Machine } from "../../machine/machine.ts";
import { type System, TAKEN, UNFORESEEN } from "../system.ts";
import type { MachineConfiguration } from "./configurations/configuration.ts";
import { deviceUnits, HIGH_BASE } from "./configurations/placement.ts";
import type { Programs } from "./configurations/programs.ts";
import { Foresight } from "./foresight/foresight.ts";
import { RuleCalls } from "./foresight/rule-calls.ts";
import { asideOf, StepKeys } from "./foresight/step-keys.ts";
import { Goals } from "./goals.ts";
import { learnFootprint } from "./learn.ts";
import type { Arena } from "./memory/arena.ts";
import { Cells } from "./memory/cells.ts";
import type { Knowledge } from "./memory/footprint.ts";
import { groupOfActor } from "./memory/gates.ts";
import { placesOf } from "./memory/key.ts";
import { MachineMoves, MOVE_KINDS } from "./moves.ts";
import { IndependentSteps } from "./reductions/independent-steps.ts";
import { LikeUsers } from "./reductions/like-users.ts";
import type { Reductions } from "./reductions/reductions.ts";
import { FootprintError, Untouched } from "./reductions/untouched.ts";
import { asksForSigns, signsOf, VIOLATION, violationText } from "./violations.ts";

/** So many times each kind of move is looked at before it is trusted; then whenever its count has doubled. */
const CLOSELY = 32;
/** Moves between two looks at all memory, whatever the moves were. */
const SELDOM = 4096;
/** Moves between two looks at what has grown, which stays as it is, and takes long to look at. */
const RARELY = 2 ** 17;
/** Of the memory that a search may take, what may be remembered of its steps. */
const REMEMBERED = 1 / 4;

/** A machine as something to explore. */
export class MachineSystem implements System {
  readonly stateBytes: number;
  readonly keyBytes: number;
  readonly goals = new Uint32Array(64);
  readonly machine: Machine;
  readonly programs: Programs;
  readonly configuration: MachineConfiguration;
  readonly cells: Cells;
  /** What is known of the memory that this machine changes: another one of the same configuration need not look for it. */
  readonly knowledge: Knowledge;
  /** All memory of the machine. */
  readonly arena: Arena;
  private readonly likeUsers: LikeUsers;
  private readonly moves: MachineMoves;
  private readonly untouched: Untouched;
  private readonly met: Goals;
  /** Which sign shows that the configuration's rules ask for: its number, or TAKEN. */
  private readonly signOf: () => number;
  private readonly rules: RuleCalls;
  /** Absent where steps are not foreseeable; and with disjoint steps, which are tried anyhow. */
  private foresight: Foresight | undefined;
  private mostBytes = Number.POSITIVE_INFINITY;
  /** Lines that steps change. */
  private readonly lines: readonly number[];
  private independent: IndependentSteps | undefined;
  /** By kind of move: how often it was taken. */
  private readonly taken = new Uint32Array(MOVE_KINDS);
  private allTaken = 0;

  /** @param knowledge left out: it is found out @throws NotModelled for a machine that the model cannot be */
  constructor(configuration: MachineConfiguration, knowledge = learnFootprint(configuration)) {
    this.configuration = configuration;
    this.knowledge = knowledge;
    this.moves = new MachineMoves(configuration, knowledge);
    const { machine, programs, arena } = this.moves;
    this.machine = machine;
    this.programs = programs;
    this.arena = arena;
    this.likeUsers = new LikeUsers(machine, programs, arena);
    this.rules = new RuleCalls(machine);
    const aside = asideOf(programs.places, this.rules);
    const places = placesOf(machine, arena, knowledge, this.likeUsers.lines, aside);
    const units = configuration.staticUnits + deviceUnits(configuration);
    this.met = new Goals(machine, this.goals, HIGH_BASE, units);
    this.signOf = signsOf(machine, configuration.rules);
    this.lines = places.lines;
    this.untouched = new Untouched(machine, arena, knowledge, places.untouched);
    this.cells = new Cells(arena, places, this.likeUsers.parts);
    this.moves.moves = (actor) => this.cells.moves(groupOfActor(actor));
    this.foresight = this.newForesight();
    this.stateBytes = this.cells.stateBytes;
    this.keyBytes = this.cells.keyBytes + this.likeUsers.keyBytes;
  }

  reset(): void {
    this.cells.reset();
    this.moved();
  }

  save(into: Uint8Array, at: number): number {
    return this.cells.save(into, at);
  }

  restore(from: Uint8Array, at: number, length: number): void {
    this.cells.restore(from, at, length);
    this.moved();
  }

  saveNext(into: Uint8Array, at: number, first: boolean): number {
    return this.cells.saveNext(into, at, first);
  }

  restoreNext(from: Uint8Array, at: number, length: number): void {
    this.cells.restoreNext(from, at, length);
    this.moved();
  }

  private moved(): void {
    this.moves.moved();
    this.foresight?.moved();
  }

  back(): void {
    this.cells.goBack();
    this.moves.back();
  }

  key(into: Uint8Array, at: number): number {
    const length = this.cells.key(into, at);
    return length + this.likeUsers.write(into, at + length);
  }

  fingerprint(halves: Uint32Array): void {
    this.cells.fingerprint(halves);
    this.likeUsers.addTo(halves, this.cells);
    this.foresight?.came();
  }

  choices(): number {
    return this.moves.choices();
  }

  foresee(count: number, results: Int8Array, firsts: Uint32Array, seconds: Uint32Array): void {
    if (this.foresight === undefined) results.fill(UNFORESEEN, 0, count);
    else this.foresight.foresee(this.moves.list, count, results, firsts, seconds);
  }

  takeForeseen(index: number): boolean {
    if (!this.foresight!.take(index)) return false;
    this.moves.leaps();
    return true;
  }

  choose(index: number): number {
    const { moves, cells } = this;
    const foresight = moves.left ? undefined : this.foresight;
    const kind = moves.kind(index);
    const actor = moves.actor(index);
    const count = ++this.taken[kind]!;
    cells.moves(groupOfActor(actor));
    foresight?.takes();
    try {
      const result = moves.take(index) || this.signOf();
      foresight?.took(index, actor, result, kind);
      if (result === VIOLATION.NOT_MODELLED || ++this.allTaken % RARELY === 0) this.verify();
      else if (count <= CLOSELY || (count & (count - 1)) === 0 || this.allTaken % SELDOM === 0)
        this.verifyMemory();
      return result;
    } catch (error) {
      // What looks like a mistake of the machine may be one of ours.
      this.verify();
      throw error;
    }
  }

  meet(): void {
    this.met.look();
  }

  /** @throws FootprintError when steps changed what the search does not save */
  verify(): void {
    this.untouched.verify();
    this.verifyCells();
    const { independent } = this;
    if (independent === undefined || independent.stands) return;
    const what = "a step touched what nothing that was taken before it was known to touch";
    throw new FootprintError({ ...this.knowledge, futures: independent.known() ?? false }, what);
  }

  private verifyMemory(): void {
    this.untouched.verifyMemory();
    this.verifyCells();
  }

  private verifyCells(): void {
    this.cells.verify();
    this.likeUsers.verify(this.cells);
  }

  /** Goes on with these reductions; at first there are none. States that were saved with others are not restored then. */
  reduce({ symmetry, partialOrder, disjoint }: Reductions): void {
    if (symmetry !== this.likeUsers.nameless) {
      this.likeUsers.nameless = symmetry;
      this.cells.leaveOut(symmetry);
    }
    this.moves.mergesLocalSteps = partialOrder;
    this.moves.merged.independent = partialOrder && disjoint ? this.independentSteps() : undefined;
    this.foresight = this.moves.merged.independent === undefined ? this.newForesight() : undefined;
  }

  /** What is remembered of steps: what foresight knows, which steps are local, and which are disjoint. */
  get memoryBytes(): number {
    const { foresight, moves, independent } = this;
    return (foresight?.bytes ?? 0) + moves.localSteps.bytes + (independent?.bytes ?? 0);
  }

  boundMemory(bytes: number): void {
    if (bytes === this.mostBytes) return;
    this.mostBytes = bytes;
    this.foresight &&= this.newForesight();
  }

  /** None where signs are looked for: they show in states between steps, on any memory at once, and are no part of a step. */
  private independentSteps(): IndependentSteps | undefined {
    const { moves, knowledge, lines, configuration } = this;
    if (knowledge.futures !== false && !asksForSigns(configuration.rules))
      this.independent ??= new IndependentSteps(moves, knowledge, lines);
    return this.independent;
  }

  private newForesight(): Foresight | undefined {
    const { machine, cells, moves, knowledge, rules, configuration } = this;
    // A sign may be looked for in the stacks of all.
    if (knowledge.unforeseeable || asksForSigns(configuration.rules)) return undefined;
    const goesAlong = moves.mergesLocalSteps ? (actor: number) => moves.localSteps.isLocal(actor) : undefined;
    const keys = new StepKeys(machine, cells, rules, goesAlong);
    return new Foresight(cells, keys, rules, this.likeUsers, MOVE_KINDS, this.mostBytes * REMEMBERED, () => {
      const what = "a step did something else than before, with the same memory of its own and of all";
      throw new FootprintError({ ...knowledge, unforeseeable: true }, what);
    });
  }

  /** Choices of a path that was found with partial order, each step one of its own. It is of a machine without. */
  unfolded(path: readonly number[]): number[] {
    const { moves } = this;
    const steps: number[] = [];
    this.reset();
    for (const choice of path) {
      steps.push(choice);
      this.choices();
      let result = this.choose(choice);
      for (let local = moves.localChoice(); result === TAKEN && local >= 0; local = moves.localChoice()) {
        steps.push(local);
        result = this.choose(local);
      }
    }
    return steps;
  }

  atRest(): number {
    this.cells.moves();
    return this.moves.atRest();
  }

  actor(index: number): number {
    return this.moves.actor(index);
  }

  token(index: number): number {
    return this.moves.token(index);
  }

  /** Token of a choice by its number among all there ever are. */
  tokenOf(choice: number): number {
    return this.moves.tokenOf(choice);
  }

  label(index: number): string {
    return this.moves.label(index);
  }

  violationText(violation: number): string {
    return violationText(violation);
  }
}

export const openMachine = (configuration: MachineConfiguration): System => new MachineSystem(configuration);
