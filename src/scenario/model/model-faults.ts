import { answerText } from "../../machine/faults/fault-answer.ts";
import { FAULT_CALLS, isHostCall, OWN_ANSWER } from "../../machine/faults/fault-calls.ts";
import {
  callOf,
  type FaultPlan,
  type FaultPoints,
  type FaultRule,
} from "../../machine/faults/fault-points.ts";
import { Prng } from "../../machine/prng.ts";
import { resolveFault } from "../fault-rules.ts";
import type { Fault, Scenario } from "../scenario.ts";
import type { FaultRecord } from "../world.ts";

/** Keeps the faults' chance apart from the scheduler's, which starts from the seed itself. */
const DRAW_SALT = 0x5eed_0001;
const STRIKE_SALT = 0x5eed_0002;
const LARGEST_SEED = 2 ** 53;
/** One kind in so many exists under a seed. */
const KINDS_SHARE = 4;
/** Chances of a call to be struck: 2^-2 to 2^-9. */
const [MOST_OFTEN, RATES] = [2, 8];
/** Lateness: 1 us to about 32 ms. */
const LATE_STEPS = 16;
const NS_PER_US = 1000;

const ruleOf = (fault: Fault, devices: readonly string[]): FaultRule[] => {
  const resolved = resolveFault(fault, devices);
  return "refusal" in resolved ? [] : [resolved];
};

/** Draws which kinds of fault exist under this seed, and how often each strikes. */
const drawSwarm = (prng: Prng, calls: readonly string[]): FaultRule[] =>
  FAULT_CALLS.flatMap((one, call) => {
    const { name, answers, survivable, boundary } = one;
    if (calls.length > 0 && !calls.includes(name)) return [];
    const kinds = survivable.map((answer) => ({ answer: answers.get(answer) ?? OWN_ANSWER, isLate: false }));
    if (boundary === "virtio-mem" || (boundary === "seamcall" && !isHostCall(one)))
      kinds.push({ answer: OWN_ANSWER, isLate: true });
    return kinds.flatMap(({ answer, isLate }): FaultRule[] => {
      const [exists, rate, late] = [prng.below(KINDS_SHARE) === 0, prng.below(RATES), prng.below(LATE_STEPS)];
      if (!exists) return [];
      return [
        {
          call,
          device: -1,
          start: 0,
          end: Number.POSITIVE_INFINITY,
          first: 0,
          times: 0,
          rate: 2 ** (32 - MOST_OFTEN - rate),
          answer,
          lateNs: isLate ? NS_PER_US * 2 ** late : 0,
          after: 0,
        },
      ];
    });
  });

/** What goes wrong on the machine of a scenario; undefined if nothing does. */
export const faultPlanOf = ({ faults, swarm, machine, seed }: Scenario): FaultPlan | undefined => {
  if (faults.length === 0 && swarm === null) return undefined;
  const devices = machine.virtioMem.map(({ id }) => id);
  const drawn = swarm === null ? [] : drawSwarm(new Prng((seed + DRAW_SALT) % LARGEST_SEED), swarm.calls);
  const rules = [...faults.flatMap((fault) => ruleOf(fault, devices)), ...drawn];
  return { rules, seed: (seed + STRIKE_SALT) % LARGEST_SEED };
};

/** What became of the faults: those of the scenario in their order, then those that were drawn. */
export const faultRecordsOf = ({ faults, swarm }: Scenario, points: FaultPoints): FaultRecord[] =>
  points.plan.rules.map((rule, number) => {
    const named = faults[number];
    return {
      call: named?.call ?? callOf(rule).name,
      at: named?.at ?? null,
      times: named?.times ?? null,
      answer: answerText(rule),
      lateNs: rule.lateNs,
      optional: named?.optional ?? true,
      line: (named ?? swarm)?.place.line ?? 0,
      column: (named ?? swarm)?.place.column ?? 0,
      seen: points.seen[number]!,
      struck: points.struck[number]!,
      firstStep: points.firstStep[number]!,
      lastStep: points.lastStep[number]!,
    };
  });
