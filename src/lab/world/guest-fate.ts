import type { Fate } from "../../scenario/world.ts";
import { GuestStopped } from "../enforce/enforcer.ts";
import { GuestHung } from "../session/hang.ts";
import type { LabSession } from "../session/lab-session.ts";
import { TdEnded } from "../td/trust-domain.ts";

const PANIC = /Kernel panic - not syncing: [^\r\n]*/;

/** What tells of a guest whether it lives. */
export interface Fated extends Pick<LabSession, "over" | "failure" | "unanswered"> {
  readonly qemu: Pick<LabSession["qemu"], "consoleText">;
  readonly kexec: Pick<LabSession["kexec"], "consoleStart">;
}

/** Whether the guest lives, by what the console of the kernel that runs said last and how serving it ended. */
export const fateOf = (session: Fated | undefined): Fate => {
  if (session === undefined) return { state: "off", why: "" };
  const panic = PANIC.exec(session.qemu.consoleText().slice(session.kexec.consoleStart))?.[0];
  if (panic !== undefined) return { state: "panicked", why: panic };
  const { failure } = session;
  if (failure instanceof GuestStopped || failure instanceof TdEnded)
    return { state: "killed", why: failure.message };
  if (failure instanceof GuestHung) return { state: "hung", why: failure.message };
  if (failure !== undefined) throw failure;
  if (session.over) return { state: "off", why: "QEMU has ended" };
  // Everything else goes on, and nothing more can come of the device.
  if (session.unanswered.size > 0)
    return { state: "hung", why: "a virtio-mem request got no reply, and the driver waits for one for ever" };
  return { state: "running", why: "" };
};
