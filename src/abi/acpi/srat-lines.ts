import { hex } from "../bytes.ts";
import { SRAT_MEMORY, type SratMemoryFields } from "./srat-subtables.ts";

/**
 * The line in which the kernel reports an enabled memory entry. The range is inclusive.
 *
 * @param node the node it gave to the proximity domain
 * @param proximity the domain as the kernel takes it: 8 bits where the table's revision is 1 or less
 * @source Linux drivers/acpi/numa/srat.c (acpi_parse_memory_affinity)
 */
export const sratMemoryLine = (
  node: number,
  proximity: number,
  { base, rangeLength, flags }: SratMemoryFields,
): string => {
  const last = BigInt.asUintN(64, base + rangeLength - 1n);
  const hotplug = (flags & SRAT_MEMORY.HOT_PLUGGABLE) === 0 ? "" : " hotplug";
  const nonVolatile = (flags & SRAT_MEMORY.NON_VOLATILE) === 0 ? "" : " non-volatile";
  return `ACPI: SRAT: Node ${node} PXM ${proximity} [mem ${hex(base, 8)}-${hex(last, 8)}]${hotplug}${nonVolatile}`;
};
