import type { MachineConfig } from "../../machine/config.ts";
import type { FaultBoundary } from "../../machine/faults/fault-calls.ts";
import { callOf, type FaultRule } from "../../machine/faults/fault-points.ts";
import { NotModelled } from "../../not-modelled.ts";
import { NO_REPLY } from "../../vmm/virtio-mem-device.ts";

/** Calls that a real kernel makes where it cannot be stopped. */
const BEYOND: { readonly [call: string]: string } = {
  alloc_pages: "a kernel allocates pages too often to be stopped at each",
  "CPU access": "a kernel loads and stores without being stopped",
};
/** Calls of the guest and of its VMM that are served where the guest makes them. */
const SERVED: readonly FaultBoundary[] = ["tdcall", "mapgpa", "seamcall"];

const whyNot = (rule: FaultRule, { design, virtioMem }: MachineConfig): string | undefined => {
  const { name, boundary } = callOf(rule);
  const isLate = rule.lateNs > 0 || (boundary === "virtio-mem" && rule.answer === NO_REPLY);
  // What a design calls, it calls while the guest stands still.
  if (isLate && SERVED.includes(boundary) && Object.keys(design.hooks).length > 0)
    return `a late answer of ${name} under the design ${design.name} in the linux world`;
  // Threads that sleep are told apart by where they return to.
  if (isLate && virtioMem.length > 1)
    return `a late answer of ${name} with several virtio-mem devices in the linux world`;
  if (boundary === "creation")
    return `a fault of ${name} in the linux world: nobody makes a TD of a plain guest`;
  const reason = BEYOND[name];
  return reason === undefined ? undefined : `a fault of ${name} in the linux world: ${reason}`;
};

/**
 * Checks that the faults of a machine can be made where the guest is a real kernel: TDCALLs, MapGPA and SEAMCALLs go
 * through our module and VMM, and the kernel is stopped where it makes other calls. What is late is so by the host's
 * clock for the former and by the guest's for the latter.
 *
 * @throws NotModelled that names the first that cannot
 * @missing faults of alloc_pages and of CPU accesses; late answers of the calls that a design makes, and with several virtio-mem devices
 */
export const checkLinuxFaults = (config: MachineConfig): void => {
  for (const rule of config.faults?.rules ?? []) {
    const reason = whyNot(rule, config);
    if (reason !== undefined) throw new NotModelled(reason);
  }
};
