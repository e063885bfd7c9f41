import type { Vmm } from "../../vmm/vmm.ts";
import { DISABLED, TAKEN } from "../system.ts";
import type { Deed } from "./configurations/configuration.ts";
import { waitsRightly } from "./rightful-waits.ts";
import type { MachineSystem } from "./system.ts";
import { VIOLATION } from "./violations.ts";

/** A run in which everybody who can go on takes one step in turn, and no fault strikes. */
export interface FairRun {
  readonly path: readonly number[];
  /** The violation at its end, or TAKEN. */
  readonly violation: number;
  /** Nothing happens after it, or only what has happened before, for ever. */
  readonly atRest: boolean;
  /** Steps after which it goes round for ever; absent: it does not. */
  readonly roundFrom?: number;
}

/** A run that is longer says nothing. */
const MOST_STEPS = 20_000;

const isAbout = (deed: Deed, slot: number): boolean =>
  (deed.do === "plug" || deed.do === "unplug") && (deed.slot ?? 0) === slot;

/** _OST: a DIMM that cannot leave is told so, and that is an answer. */
const isRefused = ({ dimms }: Vmm, slot: number): boolean =>
  dimms.isPlugged(slot) && dimms.ostStatus(slot) !== 0;

/** Slots whose DIMM is there or not there, other than the operator asked for last, with no answer why. */
export const unmetSlots = ({ configuration, machine: { vmm } }: MachineSystem): number[] => {
  const { before, programs } = configuration;
  const deeds = [...before, ...programs.flatMap((program) => program.deeds)];
  return Array.from({ length: vmm.dimms.count }, (_, slot) => slot).filter((slot) => {
    const last = deeds.findLast((deed) => isAbout(deed, slot));
    if (last === undefined || vmm.dimms.isPlugged(slot) === (last.do === "plug")) return false;
    return !isRefused(vmm, slot);
  });
};

/** Whether all devices have what the operator asked for last, or said why not. */
export const isMet = (system: MachineSystem): boolean => {
  const { devices } = system.machine.vmm;
  if (devices.some(({ requestedSize, pluggedSize }) => requestedSize !== pluggedSize)) return false;
  return unmetSlots(system).length === 0;
};

/** In place of invariants: what is looked at is whether all that is begun ends, and how the machine does. */
export const PROGRESS = "progress";

export const looksAtEnds = ({ configuration: { rules } }: MachineSystem): boolean =>
  rules.length === 0 || rules.includes(PROGRESS);

/**
 * What is wrong where nobody has anything left to do. What the operator asked for has to be done unless something failed.
 *
 * @param result what the system itself says of it
 */
export const endOf = (system: MachineSystem, result = system.atRest()): number => {
  const { configuration, programs, machine } = system;
  if (result !== TAKEN || !looksAtEnds(system) || configuration.fault !== null || !programs.done)
    return result;
  return machine.halted || isMet(system) ? TAKEN : VIOLATION.UNMET;
};

/** Choices of the current state, those of the actor behind the last one first; of an actor's, the one without a fault. */
const inTurn = (system: MachineSystem, last: number): number[] => {
  const all = Array.from({ length: system.choices() }, (_, choice) => choice);
  const firsts = all.filter((choice) => choice === 0 || system.actor(choice) !== system.actor(choice - 1));
  const later = firsts.filter((choice) => system.actor(choice) > last);
  return [...later, ...firsts.filter((choice) => system.actor(choice) <= last)];
};

/** Gives the first who can take a step, from whoever comes behind the last on, their turn. @returns what came of it; DISABLED: nobody can */
const takeTurn = (
  system: MachineSystem,
  last: number,
  here: Uint8Array,
  mayAct: (actor: number) => boolean = () => true,
): { readonly result: number; readonly turn: number; readonly choice: number } => {
  const length = system.save(here, 0);
  for (const choice of inTurn(system, last)) {
    const turn = system.actor(choice);
    if (!mayAct(turn)) continue;
    const result = system.choose(choice);
    if (result !== DISABLED) return { result, turn, choice };
    system.restore(here, 0, length);
  }
  return { result: DISABLED, turn: last, choice: -1 };
};

/** Looks from a state on the way round where its drivers wait: there all who had something to do have done it. */
const whereItWaits = <R>(system: MachineSystem, look: () => R): R => {
  const { tasks } = system.machine;
  const from = new Uint8Array(system.stateBytes);
  const here = new Uint8Array(system.stateBytes);
  const length = system.save(from, 0);
  let last = -1;
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const { result, turn } = takeTurn(system, last, here, (actor) => actor < tasks.actors.length);
    if (result !== TAKEN) break;
    last = turn;
  }
  const answer = look();
  system.restore(from, 0, length);
  return answer;
};

/**
 * Whether what comes back for ever should have come to an end: tasks keep each other busy, a device is asked again and
 * again, or a driver looks again whenever its timer expires, and has no reason to wait.
 *
 * @param system in a state on the way round @param actors who takes steps on it
 */
export const isEndless = (system: MachineSystem, actors: readonly number[]): boolean => {
  const { machine, programs } = system;
  const { tasks, vmm } = machine;
  if (tasks.deviceLoops.some(({ index }) => actors.includes(index))) return true;
  const firstTimer = tasks.actors.length + programs.all.length;
  if (actors.every((actor) => actor < firstTimer)) return true;
  return whereItWaits(system, () =>
    vmm.devices.some((_, device) => actors.includes(firstTimer + device) && !waitsRightly(machine, device)),
  );
};

/** Tasks and timers are given turns. People act if they like. */
export const isFair =
  ({ machine: { tasks }, programs }: MachineSystem) =>
  (actor: number): boolean =>
    actor < tasks.actors.length || actor >= tasks.actors.length + programs.all.length;

/**
 * Goes on from the current state until nothing is left to do, or a state comes back: then it comes back for ever.
 *
 * @param last whose turn it was before; whoever comes behind goes first
 */
export const runFairly = (system: MachineSystem, last = -1): FairRun => {
  const [path, actors]: [number[], number[]] = [[], []];
  const here = new Uint8Array(system.stateBytes);
  const halves = new Uint32Array(2);
  /** By state and turn: steps before it. */
  const met = new Map<string, number>();
  for (let turn = last; path.length < MOST_STEPS; ) {
    const { result, turn: next, choice } = takeTurn(system, turn, here);
    if (result === DISABLED) return { path, violation: endOf(system), atRest: true };
    turn = next;
    path.push(choice);
    actors.push(turn);
    if (result !== TAKEN) return { path, violation: result, atRest: false };
    system.fingerprint(halves);
    const state = `${turn} ${halves.join(" ")}`;
    const before = met.get(state);
    if (before !== undefined) {
      const isWrong =
        looksAtEnds(system) && system.configuration.fault === null && isEndless(system, actors.slice(before));
      return { path, violation: isWrong ? VIOLATION.ENDLESS : TAKEN, atRest: true, roundFrom: before };
    }
    met.set(state, path.length);
  }
  return { path, violation: TAKEN, atRest: false };
};
