import type { Design } from "../../linux/design.ts";
import type { MachineConfig } from "../../machine/config.ts";
import type { OnViolation } from "../enforce/enforcer.ts";
import type { Holds } from "../faults/holds.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";

/** What a guest in the lab is made of. */
export interface LabPlan {
  readonly config: MachineConfig;
  readonly design: Design;
  readonly kernel: GuestKernel;
  /** Path of the bzImage. */
  readonly kernelFile: string;
  readonly initrd: Uint8Array;
  /** More of the kernel's command line. */
  readonly append: string;
  readonly enforcement: "exact" | "audit";
  readonly onViolation: OnViolation;
  /** How TDCALLs are served; left out: through the mailbox. */
  readonly trap?: "mailbox" | "breakpoints";
  /** Where threads are held; left out: nowhere. */
  readonly holds?: Holds | undefined;
  readonly signal?: AbortSignal | undefined;
}
