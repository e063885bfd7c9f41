import type { Machine } from "../../machine/machine.ts";
import { TAKEN } from "../system.ts";
import { lookAtRest } from "./rest-look.ts";
import { numberOf, VIOLATION } from "./violations.ts";

/**
 * What a step broke, as System.choose answers.
 *
 * @param rules those that count; empty: all
 */
export const verdictOf = ({ watch, vmm, kernel }: Machine, rules: ReadonlySet<string>): number => {
  const { all } = watch!.violations;
  for (let place = 0; place < all.length; place++) {
    const { invariant } = all[place]!;
    if (rules.size === 0 || rules.has(invariant)) return numberOf(invariant);
  }
  if (all.length > 0) watch!.violations.clear();
  if (vmm.life.ended !== 0) return VIOLATION.KILLED;
  return kernel.cpus.panicked ? VIOLATION.PANIC : TAKEN;
};

/**
 * What is wrong now. Where nobody has anything left to do, all that there is is looked at.
 *
 * @param looksAtRest false: not even then
 */
export const judged = (machine: Machine, rules: ReadonlySet<string>, looksAtRest = true): number => {
  const result = verdictOf(machine, rules);
  if (result !== TAKEN || machine.scheduler.activeCount[0] !== 0 || !looksAtRest) return result;
  const seen = lookAtRest(machine);
  return verdictOf(machine, rules) || seen;
};
