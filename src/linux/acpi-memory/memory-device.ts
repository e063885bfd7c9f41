import { ERRNO } from "../errno.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../kernel.ts";
import { addMemoryLocked } from "../memory-hotplug/add-memory.ts";
import { GROUP } from "../memory-hotplug/memory-group.ts";
import { MHP, mhpFlags } from "../memory-hotplug/mhp-flags.ts";
import { tryRemoveMemory } from "../memory-hotplug/remove-memory.ts";
import { BINDING } from "./acpi-memory.ts";
import { slotResources, slotStatus } from "./registers.ts";

/** dev_err() of a slot's device. The devices are numbered as the slots: the namespace lists them in order. */
const print = (k: Kernel, slot: number, line: string): void =>
  k.printk(`acpi PNP0C80:${slot.toString(16).padStart(2, "0")}: ${line}`);

const bind = KERNEL_PROCEDURES.declare("acpi_memory_device_add", {
  args: ["slot"],
  locals: [],
  steps: ["enter", "added"],
});

/** memory_add_physaddr_to_nid(): what the SRAT says of the memory, and node 0 where it says nothing. */
const nodeOfAddress = (k: Kernel, start: number): number =>
  k.boot.affinity.find((range) => range.start <= start && start < range.end)?.node ?? 0;

/**
 * Binds the driver to a slot's device: (slot). The caller holds device_hotplug_lock. _STA runs for every slot. For an
 * enabled one that is not bound _CRS runs, and then the driver has _STA run for itself. If that says that it is absent, the driver
 * leaves it alone for good. The range gets a static memory group and is added as plain System RAM, its memmap on itself if the kernel was booted so. A
 * range that the kernel has already (-EEXIST) counts as added.
 *
 * A proximity domain that is no node leaves it to the SRAT which node it is.
 *
 * Returns 0, also for a slot that is not enabled, or -EINVAL: empty, or not added. A
 * DIMM whose add failed stays unbound, and nobody but the log is told.
 *
 * @source Linux drivers/acpi/acpi_memhotplug.c, acpi_memory_device_add
 * @missing devices of several ranges; _PXM to node mapping other than the identity
 */
export const bindMemoryDevice = bind.define({
  enter: (k, f) => {
    const { v, at } = bind;
    const slot = f.get(v.slot);
    const acpi = k.acpiMemory!;
    const { proximity, enabled } = slotStatus(k.hw.acpi!, slot);
    if (!enabled && acpi.bound[slot] === BINDING.LEFT_ALONE) acpi.bound[slot] = BINDING.NONE;
    if (!enabled || acpi.bound[slot] !== BINDING.NONE) return f.returns(0);
    const { start, size } = slotResources(k.hw.acpi!, slot);
    if (!slotStatus(k.hw.acpi!, slot).enabled) {
      acpi.bound[slot] = BINDING.LEFT_ALONE;
      return f.returns(0);
    }
    acpi.starts[slot] = start;
    acpi.sizes[slot] = size;
    acpi.groups[slot] = 0;
    if (size === 0) {
      print(k, slot, "device is empty");
      return fail(k, slot, f.returns(ERRNO.EINVAL));
    }
    const node = k.groups.possible(proximity) ? proximity : nodeOfAddress(k, start);
    const group = k.groups.register(GROUP.STATIC, node, size / k.geometry.pageSize);
    if (group < 0) return fail(k, slot, f.returns(group));
    acpi.groups[slot] = group;
    const flags = mhpFlags(k, MHP.NID_IS_MGID | MHP.MEMMAP_ON_MEMORY);
    return f.call(addMemoryLocked, at.added, group, start, size, flags);
  },
  added: (k, f) => {
    const slot = f.get(bind.v.slot);
    const acpi = k.acpiMemory!;
    if (f.result === 0 || f.result === ERRNO.EEXIST) {
      acpi.bound[slot] = BINDING.ADDED;
      return f.returns(0);
    }
    k.groups.unregister(acpi.groups[slot]!);
    print(k, slot, "add_memory failed");
    return fail(k, slot, f.returns(ERRNO.EINVAL));
  },
});

const fail = (k: Kernel, slot: number, next: number): number => {
  print(k, slot, "acpi_memory_enable_device() error");
  return next;
};

const detach = KERNEL_PROCEDURES.declare("acpi_memory_device_remove", {
  args: ["slot"],
  locals: [],
  steps: ["enter", "removed"],
});

/**
 * Takes the driver off a slot's device: (slot). Its memory, which is offline, leaves Linux; that this cannot
 * fail is the kernel's own belief, and it stops if it does. The slot keeps its driver until it is ejected. Returns 0.
 *
 * @source Linux drivers/acpi/acpi_memhotplug.c, acpi_memory_device_remove
 */
export const detachMemoryDevice = detach.define({
  enter: (k, f) => {
    const slot = f.get(detach.v.slot);
    const acpi = k.acpiMemory!;
    if (acpi.bound[slot] === BINDING.LEFT_ALONE) acpi.bound[slot] = BINDING.NONE;
    if (acpi.bound[slot] !== BINDING.ADDED) return f.returns(0);
    return f.call(tryRemoveMemory, detach.at.removed, acpi.starts[slot]!, acpi.sizes[slot]!);
  },
  removed: (k, f) => {
    if (f.result !== 0) return panic(k, "kernel BUG at mm/memory_hotplug.c: memory of an ejected DIMM stays");
    const slot = f.get(detach.v.slot);
    const acpi = k.acpiMemory!;
    acpi.bound[slot] = BINDING.EMPTIED;
    if (acpi.groups[slot] !== 0) k.groups.unregister(acpi.groups[slot]!);
    return f.returns(0);
  },
});
