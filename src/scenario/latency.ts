import type { PlayedStep } from "./report.ts";
import type { Action, Scenario, Step } from "./scenario.ts";

/** Virtual nanoseconds that steps of one kind took; null where there was none, or one did not succeed. */
export interface Latencies {
  readonly bootNs: number | null;
  /** From the request to grow until the guest was done, over all such steps. */
  readonly plugNs: number | null;
  readonly unplugNs: number | null;
}

type Kind = "boot" | "plug" | "unplug" | "other";

/** What each acting step is about. A resize grows or shrinks by what was asked before it. */
const kindsOf = ({ machine, steps }: Scenario): ReadonlyMap<Step, Kind> => {
  const requested = new Map(machine.virtioMem.map(({ id, requestedSize }) => [id, requestedSize]));
  const kindOf = (action: Action): Kind => {
    if (action.kind === "boot" || action.kind === "reset") return "boot";
    if (action.kind === "plug" || action.kind === "unplug") return action.kind;
    if (action.kind === "parallel") {
      const kinds = new Set(action.actions.map(kindOf));
      return kinds.size === 1 ? [...kinds][0]! : "other";
    }
    if (action.kind !== "resize") return "other";
    const before = requested.get(action.device) ?? 0;
    requested.set(action.device, action.to);
    return action.to >= before ? "plug" : "unplug";
  };
  const kinds = new Map<Step, Kind>();
  for (const step of steps)
    if (step.kind !== "wait" && step.kind !== "expect" && step.kind !== "note") kinds.set(step, kindOf(step));
  return kinds;
};

/** A wait that ends when the guest is done, not after a time. */
const isForEnd = (step: Step): boolean => step.kind === "wait" && step.for.kind !== "time";

/** How long boots, plugs and unplugs took, each with the waits for its end right behind it. */
export const latenciesOf = (scenario: Scenario, played: readonly PlayedStep[]): Latencies => {
  const kinds = kindsOf(scenario);
  const told = scenario.steps.filter(({ kind }) => kind !== "expect");
  const spent = {
    boot: [] as (number | null)[],
    plug: [] as (number | null)[],
    unplug: [] as (number | null)[],
  };
  let current: Kind = "other";
  for (const [index, step] of told.entries()) {
    if (step.kind === "note") continue;
    current = isForEnd(step) ? current : (kinds.get(step) ?? "other");
    const one = played[index];
    if (current === "other" || one === undefined) continue;
    spent[current].push(one.status === "SUCCESS" ? one.endNs - one.startNs : null);
  }
  const sum = (all: readonly (number | null)[]): number | null =>
    all.length === 0 || all.includes(null) ? null : all.reduce<number>((ns, one) => ns + (one ?? 0), 0);
  return { bootNs: sum(spent.boot), plugNs: sum(spent.plug), unplugNs: sum(spent.unplug) };
};
