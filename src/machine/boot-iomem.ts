import { E820_TYPE } from "../abi/boot-params/e820.ts";
import { KEXEC } from "../linux/kexec/kexec.ts";
import { NO_RESOURCE, RESOURCE } from "../linux/resource.ts";
import type { HandOver } from "./hand-over.ts";
import type { Machine } from "./machine.ts";

/** Names that the e820 map gets in /proc/iomem. @source Linux arch/x86/kernel/e820.c */
const NAMES: { readonly [type: number]: string } = {
  [E820_TYPE.RAM]: "System RAM",
  [E820_TYPE.RESERVED]: "Reserved",
  [E820_TYPE.ACPI]: "ACPI Tables",
  [E820_TYPE.NVS]: "ACPI Non-volatile Storage",
  [E820_TYPE.UNUSABLE]: "Unusable memory",
  [E820_TYPE.PMEM]: "Persistent Memory",
  [E820_TYPE.SOFT_RESERVED]: "Soft Reserved",
};

/** Type of an e820 entry by its name in /proc/iomem and /sys/firmware/memmap; hot-added memory is RAM there. */
export const typeOfName = (name: string): number => {
  const known = Object.entries(NAMES).find(([, text]) => text === name);
  return known === undefined ? E820_TYPE.RESERVED : Number(known[0]);
};

/** Fills iomem and the firmware map with what e820 says, and the kernel's own image below its RAM. */
export const fillIomem = (machine: Machine, { e820, reservations }: HandOver): void => {
  const { iomem, firmwareMap, kexec } = machine.kernel;
  const kept = {
    start: kexec.words[KEXEC.CRASH_START]!,
    end: kexec.words[KEXEC.CRASH_END]!,
    what: "Crash kernel",
  };
  const inner = kept.end > 0 ? [...reservations, kept] : reservations;
  for (const { addr, size, type } of e820) {
    const name = NAMES[type] ?? "Reserved";
    const start = Number(addr);
    const end = Number(addr + size);
    const flags = type === E820_TYPE.RAM ? RESOURCE.SYSTEM_RAM | RESOURCE.BUSY : RESOURCE.BUSY;
    const row = iomem.request(start, end - start, iomem.intern(name), flags);
    firmwareMap.add(start, end, name);
    if (row === NO_RESOURCE || type !== E820_TYPE.RAM) continue;
    for (const inside of inner)
      if (start <= inside.start && inside.end <= end)
        iomem.insert(row, inside.start, inside.end - inside.start, iomem.intern(inside.what), RESOURCE.BUSY);
  }
};
