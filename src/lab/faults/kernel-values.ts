import type { Btf } from "../kernel-image/btf.ts";
import { enumValue, LayoutError, offsetOf } from "../kernel-image/btf-layout.ts";

/** What kernels call memory notifiers with that have it as macros. @source Linux include/linux/memory.h */
const MACROS = { MEM_GOING_OFFLINE: 2, MEM_GOING_ONLINE: 8 } as const;
export type NotifierEvent = keyof typeof MACROS;

/** What this kernel calls memory notifiers with: a bit in older ones, an enumerator in newer ones (6.12.117 has it). */
export const notifierEvent = (types: Btf, event: NotifierEvent): number => {
  try {
    return Number(enumValue(types, "memory_block_state", event));
  } catch (error) {
    if (error instanceof LayoutError) return MACROS[event];
    throw error;
  }
};

/** Bytes from the start of a struct acpi_namespace_node, which an ACPI handle points to, to its name. */
export const nodeNameOffset = (types: Btf): number => offsetOf(types, "acpi_namespace_node", "name");
