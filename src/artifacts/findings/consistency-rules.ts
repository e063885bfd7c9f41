import type { FactOf } from "../facts.ts";
import { total } from "../map/ranges.ts";
import { rangeText, sizeText } from "../map/words.ts";
import type { FindingRule, Found } from "./finding.ts";

export const HIDDEN_IOMEM: FindingRule = {
  id: "iomem-hidden",
  severity: "warning",
  what: "/proc/iomem read without privilege",
  source: "Linux kernel/resource.c (r_show): every address reads as 0 without CAP_SYS_ADMIN",
  judge: ({ of }) =>
    of("hidden-iomem").map(
      ({ at }): Found => ({ text: "all addresses of /proc/iomem are zero: read it as root", at: [at] }),
    ),
};

export const CRASH_KERNEL: FindingRule = {
  id: "several-boots",
  severity: "note",
  what: "logs of more than one boot",
  source: "elfcorehdr= on the command line marks a kernel that runs after a crash",
  judge: ({ boots, shown }) => {
    const logs = boots.filter(({ kernel }) => kernel !== undefined);
    if (logs.length < 2 || shown === undefined) return [];
    const crash = logs.filter(({ isCrashKernel }) => isCrashKernel).length;
    const of = crash === 0 ? "" : `, ${crash} of a crash kernel`;
    const which = `boot ${shown.number} of ${shown.source}`;
    return [{ text: `${logs.length} boots were read${of}; the map is that of ${which}`, at: [] }];
  },
};

export const NODE_NUMBERS: FindingRule = {
  id: "node-is-not-domain",
  severity: "note",
  what: "nodes whose number is not that of their proximity domain",
  source: "Linux drivers/acpi/numa/srat.c (acpi_map_pxm_to_node): nodes are counted as domains are met",
  judge: ({ of }) => {
    const odd = new Map<string, FactOf<"srat-memory">>();
    for (const fact of of("srat-memory"))
      if (fact.node !== undefined && fact.node !== fact.proximity)
        odd.set(`PXM ${fact.proximity} is node ${fact.node}`, fact);
    if (odd.size === 0) return [];
    const text = `${[...odd.keys()].join(", ")}: a VMM's or firmware's node numbers are not the kernel's`;
    return [{ text, at: [[...odd.values()][0]!.at] }];
  },
};

const LOCAL = 10;

const slitFault = (distances: readonly (readonly number[])[]): string | undefined => {
  for (const [from, row] of distances.entries()) {
    for (const [to, distance] of row.entries()) {
      if (from === to && distance !== LOCAL) return `distance ${distance} from ${from} to itself is not 10`;
      if (from !== to && distance <= LOCAL)
        return `distance ${distance} from ${from} to ${to} is not above 10`;
    }
  }
  return undefined;
};

export const SLIT_VALID: FindingRule = {
  id: "slit-not-valid",
  severity: "warning",
  what: "an SLIT that the kernel rejects",
  source: "Linux drivers/acpi/numa/srat.c (slit_valid): 10 to itself, more than 10 to others",
  judge: ({ of }) =>
    of("slit").flatMap(({ distances, at }): Found[] => {
      const fault = slitFault(distances);
      return fault === undefined ? [] : [{ text: `${fault}: the kernel ignores the SLIT`, at: [at] }];
    }),
};

export const SLIT_SIZE: FindingRule = {
  id: "slit-size",
  severity: "warning",
  what: "proximity domains of the SRAT that the SLIT has no row for",
  source: "ACPI 6.5, 5.2.17: the matrix has a row for every domain",
  judge: ({ of }) => {
    const slit = of("slit").at(-1);
    const highest = Math.max(-1, ...of("srat-memory").flatMap((f) => (f.enabled ? [f.proximity] : [])));
    if (slit === undefined || highest < slit.distances.length) return [];
    const text = `the SLIT has ${slit.distances.length} localities, the SRAT memory in proximity domain ${highest}`;
    return [{ text, at: [slit.at] }];
  },
};

/** lsmem prints a total with one digit behind the point. */
const ROUNDING = 0.06;

export const LSMEM_TOTAL: FindingRule = {
  id: "lsmem-total-differs",
  severity: "warning",
  what: "a total of lsmem that is not the sum of its rows",
  source: "util-linux lsmem: rows were left out, or were of another moment",
  judge: ({ of }) => {
    const said = of("lsmem-total").findLast(({ what }) => what === "online");
    const rows = of("lsmem").filter((row) => row.state === "online");
    const first = rows[0];
    // A total that stands before the rows is that of an earlier table.
    if (said === undefined || first === undefined || (said.at.line ?? 0) < (first.at.line ?? 0)) return [];
    const sum = total(rows);
    const unit = 1024 ** Math.floor(Math.log2(Math.max(1, said.bytes)) / 10);
    if (Math.abs(sum - said.bytes) <= ROUNDING * unit) return [];
    const text = `the online rows add up to ${sizeText(sum)}, the total says ${sizeText(said.bytes)}`;
    return [{ text, at: [said.at] }];
  },
};

export const VMM_TOTAL: FindingRule = {
  id: "vmm-total-differs",
  severity: "warning",
  what: "a VMM's total of plugged memory that is not the sum of its devices",
  source: "QEMU query-memory-size-summary, query-memory-devices",
  judge: ({ of, devices }) => {
    const summary = of("size-summary").at(-1);
    if (summary === undefined || devices.length === 0) return [];
    // A later change is in the devices and not in the summary.
    const changes = [...of("memory-device"), ...of("device-size"), ...of("device-deleted"), ...devices];
    const later = changes.some(
      ({ at }) => at.source !== summary.at.source || (at.line ?? 0) > (summary.at.line ?? 0),
    );
    const sum = devices.reduce((bytes, { size }) => bytes + size, 0);
    if (later || sum === summary.plugged) return [];
    const text = `the devices have ${sizeText(sum)} plugged, the summary says ${sizeText(summary.plugged)}`;
    return [{ text, at: [summary.at] }];
  },
};

export const DEVICE_NOT_TAKEN: FindingRule = {
  id: "plug-incomplete",
  severity: "warning",
  what: "virtio-mem devices with less plugged than was requested",
  source: "Linux drivers/virtio/virtio_mem.c: the driver goes on trying as long as it can add memory",
  judge: ({ devices, of }) =>
    devices.flatMap(({ id, size, requested, range, at }): Found[] => {
      const isDriver = of("virtio-mem").some(({ device }) => device === id);
      // The driver prints what it has before it begins, never what came of it.
      if (requested === undefined || requested <= size || isDriver) return [];
      const text = `${id} has ${sizeText(size)} of ${sizeText(requested)} requested, in ${rangeText(range)}`;
      return [{ text, range, at: [at] }];
    }),
};
