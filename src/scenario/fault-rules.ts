import { answerOf } from "../machine/faults/fault-answer.ts";
import {
  FAULT_CALLS,
  type FaultCall,
  isCreationCall,
  isHostCall,
  OWN_ANSWER,
} from "../machine/faults/fault-calls.ts";
import type { FaultRule } from "../machine/faults/fault-points.ts";
import { suggest } from "./nearest-name.ts";
import { formatDuration } from "./quantity.ts";
import type { Fault } from "./scenario.ts";
import { describe, type Refusal } from "./scenario-error.ts";

/** A fault that cannot be: the key that is wrong, and why. */
export interface RefusedFault {
  readonly key: string;
  readonly refusal: Refusal;
}

/** A call as a scenario names it: of any device, or of one. */
interface NamedCall {
  readonly call: number;
  readonly device: number;
}

const ANY_DEVICE = -1;
const VIRTIO_MEM = "virtio-mem ";

/** Every name that a call goes by on a machine with these virtio-mem devices: `vm0 PLUG` beside `virtio-mem PLUG`. */
export const callNames = (devices: readonly string[]): ReadonlyMap<string, NamedCall> => {
  const names = new Map<string, NamedCall>();
  for (const [call, { name, boundary }] of FAULT_CALLS.entries()) {
    names.set(name, { call, device: ANY_DEVICE });
    if (boundary !== "virtio-mem") continue;
    for (const [device, id] of devices.entries())
      names.set(`${id} ${name.slice(VIRTIO_MEM.length)}`, { call, device });
  }
  return names;
};

const ABOUT_MEMORY =
  /^(CPU access$|PVALIDATE|RMPUPDATE$|PSMASH$|TDG\.MEM|TDH\.MEM\.(?!TRACK)|virtio-mem (UN)?PLUG$|MapGPA)/;

const refused = (key: string, expected: string, found: string, advice = ""): RefusedFault => ({
  key,
  refusal: { expected, found, advice },
});

/** The rule that a fault of the scenario means, or why there cannot be such a fault. */
export const resolveFault = (fault: Fault, devices: readonly string[]): FaultRule | RefusedFault => {
  const names = callNames(devices);
  const named = names.get(fault.call);
  if (named === undefined)
    return refused(
      "call",
      "a call that can fail",
      describe(fault.call),
      suggest(fault.call, [...names.keys()]),
    );
  const call = FAULT_CALLS[named.call]!;
  const answer = fault.answer === null ? OWN_ANSWER : answerOf(call, fault.answer);
  const wrong = wrongWith(fault, call, answer);
  if (wrong !== undefined) return wrong;
  return {
    ...named,
    start: fault.range?.start ?? 0,
    end: fault.range?.end ?? Number.POSITIVE_INFINITY,
    first: fault.at,
    times: fault.times,
    rate: 0,
    answer: answer ?? OWN_ANSWER,
    lateNs: fault.late,
    after: fault.after ?? 0,
  };
};

const wrongWith = (fault: Fault, call: FaultCall, answer: number | undefined): RefusedFault | undefined => {
  const { name, answers } = call;
  if (answer === undefined) {
    const advice =
      answers.size === 0 ? "it can only be late" : suggest(fault.answer ?? "", [...answers.keys()]);
    return refused("answer", `an answer that ${name} can give`, describe(fault.answer), advice);
  }
  if (fault.answer === null && fault.late === 0)
    return refused("call", "an `answer` or `late` beside `call`", "neither", "say what goes wrong");
  if (fault.late !== 0 && (isHostCall(call) || isCreationCall(call)))
    return refused(
      "late",
      `an answer in time of ${name}`,
      formatDuration(fault.late),
      isHostCall(call) ? "the host takes no virtual time" : "virtual time begins when the TD is made",
    );
  if (fault.after !== null && fault.answer !== "INTERRUPTED" && !(name === "MapGPA" && fault.answer !== null))
    return refused(
      "after",
      "`after` beside the answer INTERRUPTED, or an answer of MapGPA",
      describe(fault.answer),
      "remove it",
    );
  if (fault.range !== null && !ABOUT_MEMORY.test(name))
    return refused("range", "a range for a call about memory", `\`${name}\``, "remove it");
  return undefined;
};
