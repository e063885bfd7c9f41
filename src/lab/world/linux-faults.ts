import type { MachineConfig } from "../../machine/config.ts";
import { callOf, type FaultRule } from "../../machine/faults/fault-points.ts";
import { NotModelled } from "../../not-modelled.ts";
import { NO_REPLY } from "../../vmm/virtio-mem-device.ts";

/** Calls that a real kernel makes where it cannot be stopped, or by another count than the model's. */
const BEYOND: { readonly [call: string]: string } = {
  alloc_pages: "a kernel allocates pages too often to be stopped at each",
  "ACPI _STA": "a kernel asks for it on occasions of its own",
};
const UNPLUG_ALL = "virtio-mem UNPLUG_ALL";

const whyNot = (rule: FaultRule, devices: number): string | undefined => {
  const { name, boundary } = callOf(rule);
  if (rule.lateNs > 0) return `a late answer of ${name} in the linux world`;
  if (boundary === "virtio-mem" && rule.answer === NO_REPLY)
    return `a ${name} without a reply in the linux world: the driver would wait for ever`;
  if (name === UNPLUG_ALL && devices > 1)
    return `a fault of ${name} of several devices in the linux world: the request does not name its device`;
  const reason = BEYOND[name];
  return reason === undefined ? undefined : `a fault of ${name} in the linux world: ${reason}`;
};

/**
 * Checks that the faults of a machine can be made where the guest is a real kernel: TDCALLs, MapGPA and SEAMCALLs go
 * through our module and VMM, and the kernel is stopped where it makes other calls. Time is the host's, so nothing can
 * be late.
 *
 * @throws NotModelled that names the first that cannot
 * @missing faults of _STA and of alloc_pages; virtio-mem requests without a reply; late answers
 */
export const checkLinuxFaults = ({ faults, virtioMem }: MachineConfig): void => {
  for (const rule of faults?.rules ?? []) {
    const reason = whyNot(rule, virtioMem.length);
    if (reason !== undefined) throw new NotModelled(reason);
  }
};
