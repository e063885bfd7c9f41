import { Acpidump } from "../acpi/acpidump.ts";
import { IaslListing } from "../acpi/iasl-listing.ts";
import { KernelLog } from "../dmesg/kernel-log.ts";
import { Iomem } from "../proc/iomem.ts";
import { Meminfo } from "../proc/meminfo.ts";
import { Vmstat } from "../proc/vmstat.ts";
import { Lsmem } from "../sys/lsmem.ts";
import { MemoryBlocks } from "../sys/memory-blocks.ts";
import { HumanMonitor } from "../vmm/monitor.ts";
import { Qmp } from "../vmm/qmp.ts";
import type { LineReader } from "./line-reader.ts";

/** Every kind of text that is read, fresh for one text. */
export const lineReaders = (): LineReader[] => [
  new KernelLog(),
  new Acpidump(),
  new IaslListing(),
  new Iomem(),
  new Meminfo(),
  new Vmstat(),
  new MemoryBlocks(),
  new Lsmem(),
  new Qmp(),
  new HumanMonitor(),
];
