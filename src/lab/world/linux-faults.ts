import type { MachineConfig } from "../../machine/config.ts";
import type { FaultBoundary } from "../../machine/faults/fault-calls.ts";
import { callOf } from "../../machine/faults/fault-points.ts";
import { NotModelled } from "../../not-modelled.ts";

/** Who serves a call that our module and VMM do not serve, and so cannot be made to fail. */
const ELSEWHERE: { readonly [boundary in FaultBoundary]?: string } = {
  "virtio-mem": "QEMU's device answers it",
  acpi: "QEMU's firmware tables hold it",
  guest: "it is the real kernel's own",
};

/**
 * Checks that the faults of a machine can be made where the guest is a real kernel: TDCALLs, MapGPA and SEAMCALLs go
 * through our module and VMM and can answer what they like. Time is the host's, so nothing can be late.
 *
 * @throws NotModelled that names the first that cannot
 * @missing faults of virtio-mem requests, of ACPI methods and of the kernel's own functions; late answers
 */
export const checkLinuxFaults = ({ faults }: MachineConfig): void => {
  for (const rule of faults?.rules ?? []) {
    const { name, boundary } = callOf(rule);
    const elsewhere = ELSEWHERE[boundary];
    if (elsewhere !== undefined) throw new NotModelled(`a fault of ${name} in the linux world: ${elsewhere}`);
    if (rule.lateNs > 0) throw new NotModelled(`a late answer of ${name} in the linux world`);
  }
};
