import type { Frame } from "../../flat/procedure.ts";
import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel } from "../kernel.ts";
import { BLOCK, MMOP } from "../memory-block.ts";
import { offlineBlock } from "../memory-hotplug/offline-block.ts";
import { onlineBlock } from "../memory-hotplug/online-block.ts";
import { BINDING } from "./acpi-memory.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("acpi_scan_try_to_offline", {
  args: ["slot"],
  locals: ["block", "first", "end", "pass", "failed"],
  steps: ["enter", "next", "offlined", "reonline"],
});

/** The end of a pass: all are offline, or a second one begins, or the blocks go online again. */
const endOfPass = (k: Kernel, f: Frame<Kernel>): number => {
  if (f.get(v.failed) === 0) return f.returns(0);
  f.set(v.block, f.get(v.first));
  if (f.get(v.pass) === 0) {
    f.set(v.pass, 1);
    f.set(v.failed, 0);
    return at.next;
  }
  k.printk(`memory memory${f.get(v.failed) - 1}: Offline failed.`);
  return at.reonline;
};

/**
 * Offlines all memory blocks of a slot's device: (slot). The first pass tries every block and ignores
 * failures, because a block may hold what another depends on; the second ends at the first failure, and then
 * the blocks that went offline here go online again. The caller holds device_hotplug_lock.
 *
 * Returns 0 or -EBUSY.
 *
 * @source Linux drivers/acpi/scan.c, acpi_scan_try_to_offline
 */
export const acpiTryToOffline = define({
  enter: (k, f) => {
    const slot = f.get(v.slot);
    const acpi = k.acpiMemory!;
    if (acpi.bound[slot] !== BINDING.ADDED) return f.returns(0);
    f.set(v.first, k.blocks.blockOf(acpi.starts[slot]!));
    f.set(v.end, Math.ceil((acpi.starts[slot]! + acpi.sizes[slot]!) / k.blocks.blockSize));
    f.set(v.block, f.get(v.first));
    for (let block = f.get(v.first); block < f.get(v.end); block++) {
      const row = k.blocks.rowOf(block);
      if (row >= 0) k.blocks.reonline[row] = MMOP.OFFLINE;
    }
    return at.next;
  },
  next: (k, f) => {
    let block = f.get(v.block);
    while (block < f.get(v.end) && k.blocks.stateOf(block) !== BLOCK.ONLINE) block++;
    f.set(v.block, block);
    return block === f.get(v.end) ? endOfPass(k, f) : f.call(offlineBlock, at.offlined, block);
  },
  offlined: (k, f) => {
    const block = f.get(v.block);
    if (f.result === 0) k.blocks.reonline[k.blocks.rowOf(block)] = MMOP.ONLINE;
    else f.set(v.failed, block + 1);
    // The second pass ends here.
    f.set(v.block, f.result !== 0 && f.get(v.pass) === 1 ? f.get(v.end) : block + 1);
    return at.next;
  },
  reonline: (k, f) => {
    let block = f.get(v.block);
    const wanted = (n: number): boolean => k.blocks.reonline[k.blocks.rowOf(n)] === MMOP.ONLINE;
    while (block < f.get(v.end) && !wanted(block)) block++;
    if (block === f.get(v.end)) return f.returns(ERRNO.EBUSY);
    f.set(v.block, block + 1);
    return f.call(onlineBlock, at.reonline, block, MMOP.ONLINE);
  },
});
