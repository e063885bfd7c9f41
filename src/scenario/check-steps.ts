import { checkAmount, checkRequested, type Refuse } from "./check-machine.ts";
import type { Expectation } from "./expectation.ts";
import { suggest } from "./nearest-name.ts";
import { ADDRESS_LIMIT, formatAddress } from "./quantity.ts";
import type { Action, ActionKind, Scenario, Step } from "./scenario.ts";
import { describe, type Path } from "./scenario-error.ts";
import { SUCCESS } from "./world.ts";

/** What the steps so far have made, so that a step can only name what exists. */
interface Progress {
  booted: boolean;
  /** Every DIMM there ever was; true once somebody asked for its removal, which the guest may refuse. */
  readonly dimms: Map<string, boolean>;
  readonly allocations: Set<string>;
}

/** Walks the steps in order and refuses one that names something not there, before anything is played. */
export const checkSteps = (scenario: Scenario, refuse: Refuse): void => {
  const dimms = new Map(scenario.machine.dimms.map(({ id }) => [id, false]));
  const progress: Progress = { booted: false, dimms, allocations: new Set() };
  for (const [i, step] of scenario.steps.entries()) {
    const path = ["steps", i];
    if (step.kind === "expect") checkExpectations(scenario, step.expectations, [...path, "expect"], refuse);
    else if (step.kind === "wait") {
      if (step.for.kind !== "condition") continue;
      const path = ["steps", i, "wait", "for"];
      checkExpectations(scenario, step.for.expectations, path, refuse);
    } else if (step.kind === "parallel") {
      step.actions.forEach((action, j) => {
        checkInside(action, [...path, "parallel", j], refuse);
        checkAction(scenario, progress, action, [...path, "parallel", j], refuse);
      });
    } else if (step.kind !== "note") {
      const before = step.kind === "plug" ? progress.dimms.get(step.dimm) : undefined;
      checkAction(scenario, progress, step, path, refuse);
      if (step.kind === "plug" && isRefused(scenario.steps[i + 1])) setBack(progress, step.dimm, before);
    }
  }
  checkExpectations(scenario, scenario.expect, ["expect"], refuse);
};

/** Whether a step says of the one before it that it does not succeed. */
const isRefused = (next: Step | undefined): boolean =>
  next?.kind === "expect" &&
  next.expectations.some((expectation) => expectation.kind === "status" && expectation.status !== SUCCESS);

/** A DIMM that was not plugged after all. */
const setBack = ({ dimms }: Progress, dimm: string, before: boolean | undefined): void => {
  if (before === undefined) dimms.delete(dimm);
  else dimms.set(dimm, before);
};

/** Steps that nothing else happens beside. */
const ALONE: readonly string[] = ["boot", "reset", "kexec", "crash", "host"] satisfies ActionKind[];
/** Steps after which another kernel runs. */
const RESTARTS: readonly string[] = ["reset", "kexec", "crash"] satisfies ActionKind[];

const checkInside = (action: Action, path: Path, refuse: Refuse): void => {
  if (!ALONE.includes(action.kind)) return;
  const found = `\`${action.kind}\``;
  refuse(path, { expected: "steps of a running machine", found, advice: "put it before `parallel`" });
};

const checkAction = (
  scenario: Scenario,
  progress: Progress,
  action: Action,
  path: Path,
  refuse: Refuse,
): void => {
  if (action.kind === "boot") {
    const advice = "use `reset` to start again";
    if (progress.booted) refuse(path, { expected: "one `boot`", found: "another", advice });
    progress.booted = true;
    return;
  }
  if (action.kind === "host") {
    if (scenario.machine.host !== null) return;
    const advice = "describe it";
    refuse(path, { expected: "a machine with `machine.host`", found: "a `host` step", advice });
  }
  if (!progress.booted) {
    const found = `\`${action.kind}\``;
    refuse(path, { expected: "`boot` before it", found, advice: "put `- boot` first" });
  }
  if (RESTARTS.includes(action.kind)) progress.allocations.clear();
  if ("vcpu" in action) checkVcpu(scenario, action.vcpu, [...path, action.kind, "vcpu"], refuse);
  if ("node" in action && action.node !== null && action.node >= scenario.machine.nodes) {
    const expected = `a node below ${scenario.machine.nodes}`;
    const found = `${action.node}`;
    refuse([...path, action.kind, "node"], { expected, found, advice: "raise machine.nodes" });
  }
  checkDevices(scenario, progress, action, path, refuse);
  checkMemory(progress, action, path, refuse);
};

const checkVcpu = ({ machine }: Scenario, vcpu: number, path: Path, refuse: Refuse): void => {
  if (vcpu < machine.vcpus) return;
  const expected = `a vCPU below ${machine.vcpus}`;
  refuse(path, { expected, found: `${vcpu}`, advice: "raise machine.vcpus" });
};

const checkDevices = (
  { machine }: Scenario,
  { dimms }: Progress,
  action: Action,
  path: Path,
  refuse: Refuse,
): void => {
  if (action.kind === "plug") {
    const inner = [...path, "plug", "dimm"];
    checkAmount(action.size, [...path, "plug", "size"], refuse);
    const taken = dimms.get(action.dimm) === false || machine.virtioMem.some(({ id }) => id === action.dimm);
    if (taken)
      refuse(inner, { expected: "a new name", found: `\`${action.dimm}\` again`, advice: "unplug it first" });
    dimms.set(action.dimm, false);
  }
  if (action.kind === "unplug") {
    refuseUnknown(
      action.dimm,
      [...dimms.keys()],
      "a DIMM that was plugged",
      [...path, "unplug", "dimm"],
      refuse,
    );
    dimms.set(action.dimm, true);
  }
  if (action.kind === "resize") {
    const ids = machine.virtioMem.map(({ id }) => id);
    refuseUnknown(action.device, ids, "a virtio-mem device", [...path, "resize", "device"], refuse);
    const device = machine.virtioMem.find(({ id }) => id === action.device)!;
    checkRequested(device, action.to, [...path, "resize", "to"], refuse);
  }
};

const refuseUnknown = (
  name: string,
  known: readonly string[],
  expected: string,
  path: Path,
  refuse: Refuse,
): void => {
  if (known.includes(name)) return;
  refuse(path, { expected, found: describe(name), advice: known.length === 0 ? "" : suggest(name, known) });
};

const checkMemory = ({ allocations }: Progress, action: Action, path: Path, refuse: Refuse): void => {
  if (action.kind === "allocate") {
    const found = `\`${action.name}\` again`;
    const advice = "free it first or use another name";
    if (allocations.has(action.name)) {
      refuse([...path, "allocate", "name"], { expected: "a new name", found, advice });
    }
    allocations.add(action.name);
  }
  if (action.kind === "free") {
    refuseUnknown(action.name, [...allocations], "an allocation", [...path, "free", "name"], refuse);
    allocations.delete(action.name);
  }
  if (action.kind === "share" || action.kind === "unshare")
    refuseUnknown(action.name, [...allocations], "an allocation", [...path, action.kind, "name"], refuse);
  if (action.kind !== "touch") return;
  if (action.target.kind === "name") {
    refuseUnknown(action.target.name, [...allocations], "an allocation", [...path, "touch", "name"], refuse);
  } else if (action.target.gpa + (action.size ?? 1) > ADDRESS_LIMIT) {
    const found = formatAddress(action.target.gpa);
    refuse([...path, "touch", "gpa"], { expected: "an address below 4P", found, advice: "" });
  }
};

const checkExpectations = (
  { machine, steps }: Scenario,
  expectations: readonly Expectation[],
  path: Path,
  refuse: Refuse,
): void => {
  const plugged = steps.flatMap((step) => {
    const actions = step.kind === "parallel" ? step.actions : [step];
    return actions.flatMap((action) => (action.kind === "plug" ? [action.dimm] : []));
  });
  const ids = [...machine.virtioMem, ...machine.dimms].map(({ id }) => id).concat(plugged);
  const devices = expectations.filter((expectation) => expectation.kind === "device");
  for (const [i, { id }] of devices.entries()) {
    refuseUnknown(id, ids, "a device of this machine", [...path, "device", i, "id"], refuse);
  }
  const ranges = expectations.filter((expectation) => expectation.kind === "range");
  for (const [i, { facts }] of ranges.entries()) {
    if (Object.keys(facts).length > 0) continue;
    // It would hold whatever the memory is.
    const expected = "what must hold there, such as plugged, online or use";
    refuse([...path, "range", i], { expected, found: "a place alone", advice: "add it" });
  }
};
