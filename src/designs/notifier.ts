import type { Procedure } from "../flat/procedure.ts";
import { isDone } from "../linux/coco/platform.ts";
import type { Design } from "../linux/design.ts";
import { ERRNO } from "../linux/errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../linux/kernel.ts";

/** MEM_GOING_ONLINE of one block: all of it is accepted, or onlining is vetoed (NOTIFY_BAD is -EPERM). */
const acceptBlock = (name: string, accept: (k: Kernel) => Procedure<Kernel>) => {
  const { v, at, define } = KERNEL_PROCEDURES.declare(name, {
    args: ["start", "size"],
    locals: [],
    steps: ["enter", "accepted"],
  });
  return define({
    // Only TDX code registers the notifier.
    enter: (k, f) =>
      k.platform.name === "tdx"
        ? f.call(accept(k), at.accepted, f.get(v.start), f.get(v.start) + f.get(v.size))
        : f.returns(0),
    accepted: (_k, f) => f.returns(isDone(f.result) ? 0 : ERRNO.EPERM),
  });
};

/**
 * The first proposal for hot-added memory: a memory notifier accepts a whole block at MEM_GOING_ONLINE. Nothing is
 * released; the VMM has to punch the memory that it takes back.
 *
 * As posted, only bit 63 of RAX counts, so that PAGE_ALREADY_ACCEPTED passes.
 *
 * Known holes, not repaired here: sub-blocks that virtio-mem has not plugged are accepted with their block; memory
 * that the VMM kept is taken for fresh, with its old content; blocks that are mapped and not yet online, and
 * released by nobody, are no guard for the unit below; a TD with PAGE_RELEASE can never give memory back.
 *
 * @source "x86/tdx: Fix memory hotplug in TDX guests", 2026-03 and 2026-04, and its review; RFCv1 cover letter
 */
export const notifier: Design = {
  name: "notifier",
  title: "memory notifier: whole blocks are accepted when they go online, accepted memory passes",
  tableVersion: 1,
  stubScansSrat: false,
  hooks: { goingOnline: acceptBlock("tdx notifier, bit 63 tested", (k) => k.platform.acceptOrKeep) },
};

/** The notifier with the test that its reviewers asked for: a second accept is an error, and vetoes onlining. */
export const notifierStrict: Design = {
  ...notifier,
  name: "notifier-strict",
  title: "memory notifier: whole blocks are accepted when they go online, a second accept vetoes",
  hooks: { goingOnline: acceptBlock("tdx notifier", (k) => k.platform.accept) },
};
