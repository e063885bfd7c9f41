import { designNamed } from "../../designs/designs.ts";
import { errnoName } from "../../linux/errno.ts";
import { VARIANTS, withoutFixes } from "../../linux/variant.ts";
import { crash, dumpOf, type KexecOutcome, kexec } from "../../machine/kexec.ts";
import type { Machine } from "../../machine/machine.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { Action, NextKernelSpec, Scenario } from "../scenario.ts";
import { type Outcome, SUCCESS } from "../world.ts";

const outcomeOf = (machine: Machine, { booted, why, error }: KexecOutcome, detail: string): Outcome => {
  if (booted) return { status: SUCCESS, detail };
  if (error !== 0) return { status: errnoName(error), detail: "nothing was loaded" };
  if (machine.vmm.life.ended !== 0) return { status: "TD_KILLED", detail: why };
  return { status: machine.kernel.cpus.panicked ? "PANIC" : "BOOT_FAILED", detail: why };
};

/** The kernel that a step asks for: what it does not name is as it was. */
const nextOf = (machine: Machine, { guest }: Scenario, step: NextKernelSpec) => {
  const same = step.kernel === null && step.revert === null;
  const variant = same
    ? machine.config.variant
    : withoutFixes(VARIANTS[step.kernel ?? machine.config.variant.name], step.revert ?? guest.revert);
  const design = step.design === null ? machine.config.design : designNamed(step.design);
  if (design === undefined) throw new NotModelled(`design ${step.design}`);
  return { variant, design, image: step.image, syscall: step.syscall };
};

/** Performs a step after which another kernel runs in the memory as it is. */
export const startAnother = (
  machine: Machine,
  scenario: Scenario,
  step: Action & { kind: "kexec" | "crash" },
): Outcome => {
  if (step.kind === "kexec") return outcomeOf(machine, kexec(machine, nextOf(machine, scenario, step)), "");
  const outcome = crash(machine);
  const { read, zeroes } = dumpOf(machine.kernel);
  return outcomeOf(machine, outcome, `/proc/vmcore: ${read} bytes read, ${zeroes} bytes as zeroes`);
};
