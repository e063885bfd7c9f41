import { NO_RESOURCE, RESOURCE, type ResourceTree } from "../resource.ts";

/** A range of RAM in the iomem tree, bytes. */
export interface SystemRam {
  readonly start: number;
  readonly end: number;
  /** A driver added it under its own name. */
  readonly driverManaged: boolean;
}

const SYSTEM_RAM = RESOURCE.BUSY | RESOURCE.SYSTEM_RAM;
const ROOT = 0;

/**
 * Busy ranges of system RAM in address order, wherever in the tree they are.
 *
 * @source Linux kernel/resource.c, walk_system_ram_res
 */
export const systemRam = (iomem: ResourceTree): SystemRam[] => {
  const found: SystemRam[] = [];
  const walk = (first: number): void => {
    for (let row = first; row !== NO_RESOURCE; row = iomem.siblings[row]!) {
      const flags = iomem.flags[row]!;
      if ((flags & SYSTEM_RAM) === SYSTEM_RAM) {
        const driverManaged = (flags & RESOURCE.DRIVER_MANAGED) !== 0;
        found.push({ start: iomem.starts[row]!, end: iomem.ends[row]!, driverManaged });
      } else if ((flags & RESOURCE.BUSY) === 0) walk(iomem.children[row]!);
    }
  };
  walk(iomem.children[ROOT]!);
  return found;
};
