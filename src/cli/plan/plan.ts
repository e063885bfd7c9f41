import { FirmwareError } from "../../machine/hand-over.ts";
import { NotModelled } from "../../not-modelled.ts";
import { makePlan } from "../../plan/plan.ts";
import { VMMS, type VmmName } from "../../plan/plan-report.ts";
import { suggest } from "../../scenario/nearest-name.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { describe, oneLine, ScenarioError } from "../../scenario/scenario-error.ts";
import { WorldUnavailable } from "../../scenario/world.ts";
import { VmmError } from "../../vmm/vmm-error.ts";
import { EXIT, UsageError } from "../exit-status.ts";
import { Progress } from "../progress.ts";
import { reason } from "../read-scenario.ts";
import { screenOf } from "../screen.ts";
import type { System } from "../system.ts";
import { VERSION } from "../version.ts";
import { type PlanTexts, planRequest } from "./options.ts";
import { renderPlan } from "./view.ts";

export interface PlanCommandOptions extends PlanTexts {
  readonly vmm?: string;
  readonly json?: boolean;
  readonly scenario?: string;
}

/**
 * `tidemark plan`: what a machine needs, takes and is bounded by before it exists.
 *
 * @returns 0, or 1 if a limit does not hold
 * @throws UsageError: the options are wrong; WorldUnavailable: the machine is not modelled
 */
export const plan = async (options: PlanCommandOptions, system: System): Promise<number> => {
  const request = planRequest(options);
  const vmm = vmmOf(options.vmm);
  const progress = new Progress(system);
  const report = await makePlan(request, { version: VERSION, onRun: (what) => progress.say(what) })
    .catch(asInput)
    .finally(() => progress.clear());
  if (options.scenario !== undefined) writeScenario(report.scenario, options.scenario, system);
  const screen = screenOf(system.stdout, system);
  system.stdout.write(options.json === true ? renderJson(report) : renderPlan(report, vmm, screen));
  return report.limits.some(({ severity }) => severity === "error") ? EXIT.broken : EXIT.held;
};

const vmmOf = (name: string | undefined): readonly VmmName[] => {
  if (name === undefined) return VMMS;
  const known = VMMS.find((one) => one === name);
  if (known !== undefined) return [known];
  const said = `--vmm ${name}: expected qemu, libvirt or kubevirt, found ${describe(name)}; ${suggest(name, VMMS)}`;
  throw new UsageError(oneLine(said));
};

/** What the machine's parts refuse is a mistake in what was asked for. */
const asInput = (error: unknown): never => {
  if (error instanceof ScenarioError) {
    const { expected, found, advice } = error.refusal;
    const end = advice === "" ? "" : `; ${advice}`;
    throw new UsageError(oneLine(`plan: ${error.path}: expected ${expected}, found ${found}${end}`), {
      cause: error,
    });
  }
  if (error instanceof VmmError || error instanceof FirmwareError) {
    const said = `plan: expected a machine that can be started, found one that cannot: ${error.message}`;
    throw new UsageError(oneLine(said), { cause: error });
  }
  if (error instanceof NotModelled) {
    throw new WorldUnavailable(oneLine(`plan: this machine cannot be run: ${error.message}`), {
      cause: error,
    });
  }
  throw error;
};

const writeScenario = (text: string, path: string, system: System): void => {
  try {
    system.writeText(path, text);
  } catch (error) {
    const said = `--scenario ${path}: expected a file that can be written, found one that ${reason(error)}`;
    throw new UsageError(oneLine(said), { cause: error });
  }
};
