import type { MachineConfig } from "../../machine/config.ts";
import { callOf, type FaultRule } from "../../machine/faults/fault-points.ts";
import { NotModelled } from "../../not-modelled.ts";

/** Calls that a real kernel makes where it cannot be stopped. */
const BEYOND: { readonly [call: string]: string } = {
  "CPU access": "a kernel loads and stores without being stopped",
  memblock_alloc: "a kernel allocates from memblock before it can be stopped",
  static_branch_inc: "kernels since 6.12.30 and 6.15 count no zones by a static key",
  static_branch_dec: "kernels since 6.12.30 and 6.15 count no zones by a static key",
  "ACPI _PXM": "the firmware of QEMU reads its own registers",
  "ACPI MSCN": "the firmware of QEMU reads its own registers",
};

const whyNot = (rule: FaultRule): string | undefined => {
  const { name, boundary } = callOf(rule);
  if (boundary === "firmware")
    return `a fault of ${name} in the linux world: its stub runs once the firmware of QEMU has gone`;
  if (boundary === "creation")
    return `a fault of ${name} in the linux world: nobody makes a TD of a plain guest`;
  const reason = BEYOND[name];
  return reason === undefined ? undefined : `a fault of ${name} in the linux world: ${reason}`;
};

/**
 * Checks that the faults of a machine can be made where the guest is a real kernel: TDCALLs, MapGPA and SEAMCALLs go
 * through our module and VMM, and the kernel is stopped where it makes other calls. What is late is so by the host's
 * clock for the former, unless a design makes them, and by the guest's for the latter.
 *
 * @throws NotModelled that names the first that cannot
 * @missing faults of CPU accesses
 */
export const checkLinuxFaults = (config: MachineConfig): void => {
  for (const rule of config.faults?.rules ?? []) {
    const reason = whyNot(rule);
    if (reason !== undefined) throw new NotModelled(reason);
  }
};
