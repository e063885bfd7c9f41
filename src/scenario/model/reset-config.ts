import type { DimmConfig, MachineConfig } from "../../machine/config.ts";
import type { Machine } from "../../machine/machine.ts";
import { PAGE_SIZE } from "../../units.ts";

/** DIMMs that a machine holds, each where it is. */
const pluggedDimms = ({ vmm }: Machine): DimmConfig[] => {
  const dimms: DimmConfig[] = [];
  for (let slot = 0; slot < vmm.dimms.count; slot++) {
    if (!vmm.dimms.isPlugged(slot)) continue;
    const area = vmm.areaOfSlot(slot);
    const addr = vmm.map.start(area) * PAGE_SIZE;
    const size = vmm.map.end(area) * PAGE_SIZE - addr;
    dimms.push({ id: vmm.pieces[vmm.dimms.piece(slot)]!.id, size, addr, slot, node: vmm.dimms.node(slot) });
  }
  return dimms;
};

/**
 * The machine as a system reset starts it again: sizes asked for stay, and so do DIMMs; what virtio-mem devices had
 * plugged does not.
 *
 * A TD cannot be reset: the VMM ends it and builds another one, with none of its private memory. QEMU does so in one
 * process from 11.0 on; before, it ended, and who manages it started another one.
 */
export const configAfterReset = (config: MachineConfig, machine: Machine): MachineConfig => ({
  ...config,
  virtioMem: config.virtioMem.map((device, index) => ({
    ...device,
    requestedSize: machine.vmm.devices[index]!.requestedSize,
  })),
  dimms: pluggedDimms(machine),
});
