import type { StoppedCpu } from "../cpu/cpu-control.ts";
import type { Btf } from "../kernel-image/btf.ts";
import { nodeNameOffset } from "./kernel-values.ts";

const KERNEL_SPACE = 0xff00_0000_0000_0000n;
const ROOT_OBJECT = 0xffff_ffff_ffff_ffffn;
/** Names of a DIMM's slots in the tables of QEMU: MP00, MP01 ... @source QEMU hw/acpi/memory_hotplug.c */
const SLOT_NAME = /^MP([0-9A-F]{2})$/;

/**
 * Number of the DIMM's slot that an ACPI handle is for; -1 if it is for another device.
 *
 * @param handle the address of a struct acpi_namespace_node
 */
export const slotOfHandle = async ({ gdb }: StoppedCpu, handle: bigint, types: Btf): Promise<number> => {
  // ACPI_ROOT_OBJECT is no pointer, nor is NULL.
  if (handle < KERNEL_SPACE || handle === ROOT_OBJECT) return -1;
  const name = await gdb.readMemory(handle + BigInt(nodeNameOffset(types)), 4);
  const slot = SLOT_NAME.exec(String.fromCharCode(...name));
  return slot === null ? -1 : Number.parseInt(slot[1]!, 16);
};
