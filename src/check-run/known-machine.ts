import type { MachineConfiguration } from "../check/machine/configurations/configuration.ts";
import type { Knowledge } from "../check/machine/memory/footprint.ts";
import type { Reductions } from "../check/machine/reductions/reductions.ts";
import { FootprintError } from "../check/machine/reductions/untouched.ts";

/** What a thread has to know of a machine, so that its own is the same. */
export interface KnownMachine {
  readonly configuration: MachineConfiguration;
  readonly knowledge: Knowledge;
  readonly reductions: Reductions;
}

/** What of an error crosses from a thread: of an Error it would be the message, and not what was found out. */
export const toldOf = (error: unknown): unknown =>
  error instanceof FootprintError ? { knowledge: error.knowledge, what: error.message } : error;

/** The error that a thread told of. */
export const heard = (told: unknown): unknown => {
  if (typeof told !== "object" || told === null || told instanceof Error || !("knowledge" in told))
    return told;
  const { knowledge, what }: { knowledge: Knowledge; what: string } = JSON.parse(JSON.stringify(told));
  return new FootprintError(knowledge, what);
};
