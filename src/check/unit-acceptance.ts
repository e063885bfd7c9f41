import { assert } from "../assert.ts";
import { type System, TAKEN } from "./system.ts";

/** What a vCPU does next, by its pc. */
const PC = { IDLE: 0, ACCEPT: 1, CLEAR: 2, DROP: 3, SET: 4 } as const;
const PCS = 5;
const STEP_NAMES = ["", "accept", "clear", "drop", "set"];

/** Numbers of what can go wrong. */
export const ACCEPTED_TWICE = 1;
export const DROPPED_UNACCEPTED = 2;
export const STUCK = 3;

/** Mutations of the model, for tests of what finds and tells them. */
export type Bug =
  /** claim and release do not look whether somebody holds the unit. */
  | "guard dropped"
  /** drop leaves the page where it is. */
  | "page kept";

export interface UnitAcceptanceOptions {
  readonly units: number;
  readonly vcpus: number;
  /** Keys are the same for states that differ in the names of units and vCPUs only. */
  readonly symmetry?: boolean;
  readonly bug?: Bug;
}

const setTo = (bitmap: Uint8Array, at: number, unit: number, value: number): void => {
  const byte = at + (unit >>> 3);
  const bit = 1 << (unit & 7);
  bitmap[byte] = value === 0 ? bitmap[byte]! & ~bit : bitmap[byte]! | bit;
};

/**
 * The yardstick UA(N,C): N units with a bitmap bit and a page each, C vCPUs that accept and release them.
 *
 * Every unit begins with its bit set and no page. An idle vCPU claims a unit that nobody holds: one whose bit is
 * set, to accept its page and clear the bit; or one whose bit is clear, to drop its page and set the bit. Each of
 * these is one step. The number of states, transitions and classes under symmetry are closed forms.
 *
 * The state is one range of bytes: the bitmap, the pages as a bitmap, and each vCPU's pc and unit.
 */
export class UnitAcceptance implements System {
  readonly stateBytes: number;
  readonly keyBytes: number;
  /** One goal a step of a vCPU: bit pc - 1. */
  readonly goals = new Uint32Array(1);

  private readonly units: number;
  private readonly vcpus: number;
  private readonly symmetry: boolean;
  private readonly bug: Bug | undefined;
  private readonly state: Uint8Array;
  private readonly pages: number;
  private readonly cpus: number;
  /** By choice: vCPU, and unit that an idle one takes. */
  private readonly choosers: Uint8Array;
  private readonly chosen: Uint8Array;
  /** By unit: pc of the vCPU that holds it. */
  private readonly holders: Uint8Array;

  constructor({ units, vcpus, symmetry = false, bug }: UnitAcceptanceOptions) {
    assert(1 <= units && units <= 64 && 1 <= vcpus && vcpus <= 8, "the yardstick is small");
    this.units = units;
    this.vcpus = vcpus;
    this.symmetry = symmetry;
    this.bug = bug;
    this.pages = Math.ceil(units / 8);
    this.cpus = 2 * this.pages;
    this.stateBytes = this.cpus + 2 * vcpus;
    this.keyBytes = symmetry ? 4 * PCS : this.stateBytes;
    this.state = new Uint8Array(this.stateBytes);
    this.choosers = new Uint8Array(units * vcpus + vcpus);
    this.chosen = new Uint8Array(units * vcpus + vcpus);
    this.holders = new Uint8Array(units);
  }

  reset(): void {
    this.state.fill(0);
    for (let unit = 0; unit < this.units; unit++) setTo(this.state, 0, unit, 1);
  }

  save(into: Uint8Array, at: number): number {
    const { state } = this;
    for (let byte = 0; byte < state.length; byte++) into[at + byte] = state[byte]!;
    return state.length;
  }

  restore(from: Uint8Array, at: number): void {
    const { state } = this;
    for (let byte = 0; byte < state.length; byte++) state[byte] = from[at + byte]!;
  }

  key(into: Uint8Array, at: number): number {
    return this.symmetry ? this.canonicalKey(into, at) : this.save(into, at);
  }

  /** How many units there are of each kind: bit, page, and what its holder does. A sorted list, written short. */
  private canonicalKey(into: Uint8Array, at: number): number {
    this.findHolders();
    for (let kind = 0; kind < 4 * PCS; kind++) into[at + kind] = 0;
    for (let unit = 0; unit < this.units; unit++) {
      const kind = (this.holders[unit]! << 2) | (this.page(unit) << 1) | this.bit(unit);
      into[at + kind]!++;
    }
    return 4 * PCS;
  }

  private bit(unit: number): number {
    return (this.state[unit >>> 3]! >>> (unit & 7)) & 1;
  }

  private page(unit: number): number {
    return (this.state[this.pages + (unit >>> 3)]! >>> (unit & 7)) & 1;
  }

  private findHolders(): void {
    const { holders, state, vcpus, cpus, units } = this;
    for (let unit = 0; unit < units; unit++) holders[unit] = 0;
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      const pc = state[cpus + 2 * vcpu]!;
      if (pc !== PC.IDLE) holders[state[cpus + 2 * vcpu + 1]!] = pc;
    }
  }

  choices(): number {
    const { choosers, chosen, holders, state, vcpus, cpus, units } = this;
    this.findHolders();
    const guarded = this.bug !== "guard dropped";
    let count = 0;
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      if (state[cpus + 2 * vcpu] !== PC.IDLE) {
        choosers[count++] = vcpu;
        continue;
      }
      for (let unit = 0; unit < units; unit++) {
        if (guarded && holders[unit] !== 0) continue;
        choosers[count] = vcpu;
        chosen[count++] = unit;
      }
    }
    return count;
  }

  choose(index: number): number {
    const { state } = this;
    const at = this.cpus + 2 * this.choosers[index]!;
    const pc = state[at]!;
    if (pc !== PC.IDLE) return this.step(at, pc, state[at + 1]!);
    const unit = this.chosen[index]!;
    state[at] = this.bit(unit) === 1 ? PC.ACCEPT : PC.DROP;
    state[at + 1] = unit;
    return TAKEN;
  }

  private step(at: number, pc: number, unit: number): number {
    const { state, pages } = this;
    this.goals[0]! |= 1 << (pc - 1);
    if (pc === PC.ACCEPT || pc === PC.DROP) {
      const accepts = pc === PC.ACCEPT ? 1 : 0;
      const wrong = this.page(unit) === accepts;
      if (accepts === 1 || this.bug !== "page kept") setTo(state, pages, unit, accepts);
      state[at] = pc + 1;
      if (!wrong) return TAKEN;
      return accepts === 1 ? ACCEPTED_TWICE : DROPPED_UNACCEPTED;
    }
    setTo(state, 0, unit, pc === PC.SET ? 1 : 0);
    state[at] = PC.IDLE;
    state[at + 1] = 0;
    return TAKEN;
  }

  atRest(): number {
    return STUCK;
  }

  actor(index: number): number {
    return this.choosers[index]!;
  }

  /** vCPU, and the unit plus 1 that it takes or 0 where it goes on with what it has. */
  token(index: number): number {
    const vcpu = this.choosers[index]!;
    const idle = this.state[this.cpus + 2 * vcpu] === PC.IDLE;
    return (vcpu << 8) | (idle ? this.chosen[index]! + 1 : 0);
  }

  label(index: number): string {
    const vcpu = this.choosers[index]!;
    const at = this.cpus + 2 * vcpu;
    const pc = this.state[at]!;
    const unit = pc === PC.IDLE ? this.chosen[index]! : this.state[at + 1]!;
    const name = pc === PC.IDLE ? ["release", "claim"][this.bit(unit)] : STEP_NAMES[pc];
    return `vcpu ${vcpu}: ${name} unit ${unit}`;
  }

  violationText(violation: number): string {
    return ["", "1 a page is accepted twice", "2 a page is dropped that is not there", "3 nothing goes on"][
      violation
    ]!;
  }

  /** A vCPU that holds a unit is alone with it: what it does next commutes with all that others can do. */
  ample(marks: Uint8Array): boolean {
    for (let index = 0; index < marks.length; index++) {
      const vcpu = this.choosers[index]!;
      if (this.state[this.cpus + 2 * vcpu] === PC.IDLE) continue;
      marks[index] = 1;
      return true;
    }
    return false;
  }
}

/** C(n, k), and how many ways there are to give k of n units to k vCPUs. */
const over = (n: number, k: number): number => (k === 0 ? 1 : (over(n, k - 1) * (n - k + 1)) / k);
const arrangements = (n: number, k: number): number => (k === 0 ? 1 : arrangements(n, k - 1) * (n - k + 1));

/** The closed forms: states, transitions and, under symmetry of units and vCPUs, classes of states. */
export const closedForms = (
  units: number,
  vcpus: number,
): { readonly states: number; readonly transitions: number; readonly classes: number } => {
  let [states, transitions, classes] = [0, 0, 0];
  for (let busy = 0; busy <= Math.min(units, vcpus); busy++) {
    const count = over(vcpus, busy) * arrangements(units, busy) * 4 ** busy * 2 ** (units - busy);
    states += count;
    transitions += count * (busy + (vcpus - busy) * (units - busy));
    classes += over(busy + 3, 3) * (units - busy + 1);
  }
  return { states, transitions, classes };
};
