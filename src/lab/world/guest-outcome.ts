import type { Outcome } from "../../scenario/world.ts";
import { VmmError } from "../../vmm/vmm-error.ts";
import { AgentError } from "../agent/agent.ts";
import { QmpRefused } from "../wire/qmp-refused.ts";
import { type Fated, fateOf } from "./guest-fate.ts";

/** A guest that may end while something is done to it. */
export interface Mortal extends Fated {
  isOver(error?: unknown): Promise<boolean>;
}

/** How a deed ends in which the guest has ended. */
export const ended = (guest: Fated, otherwise: string): Outcome => {
  const { state, why } = fateOf(guest);
  const status = state === "panicked" ? "PANIC" : state === "killed" ? "TD_KILLED" : otherwise;
  return { status, detail: why };
};

/** The guest's and QEMU's refusals are outcomes; a guest that ended meanwhile is one too, whatever the deed says of it. */
export const guarded = async (guest: Mortal, deed: () => Promise<Outcome>): Promise<Outcome> => {
  try {
    const outcome = await deed();
    // Not every deed asks the guest once more after what it did to it.
    return (await guest.isOver()) ? ended(guest, "ENDED") : outcome;
  } catch (error) {
    if (await guest.isOver(error)) return ended(guest, "ENDED");
    if (error instanceof QmpRefused || error instanceof VmmError)
      return { status: "GenericError", detail: error.message };
    if (error instanceof AgentError) return { status: errnoOf(error.message), detail: error.message };
    throw error;
  }
};

/** What the shell says of an errno, and its name. */
const ERRNO_TEXTS: readonly (readonly [text: string, name: string])[] = [
  ["Device or resource busy", "-EBUSY"],
  ["Invalid argument", "-EINVAL"],
  ["Cannot allocate memory", "-ENOMEM"],
  ["No space left on device", "-ENOMEM"],
  ["MemAvailable is", "-ENOMEM"],
  ["Operation not permitted", "-EPERM"],
  ["No such file or directory", "-ENOENT"],
];

const errnoOf = (message: string): string =>
  ERRNO_TEXTS.find(([text]) => message.includes(text))?.[1] ?? "FAILED";
