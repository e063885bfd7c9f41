import type { CostName } from "../machine/cost.ts";
import type { TraceEvent } from "../scenario/world.ts";
import { COST_RANGES, costNs } from "./cost-range.ts";

/** What virtual time is spent on. */
export const BILL_ROWS = {
  fixed: { what: "boot work that does not grow with memory", costs: { bootFixed: 1 } },
  memory: { what: "boot work for a GiB, as shared by the vCPUs", costs: { bootPerGiB: 1 } },
  accept2M: { what: "accepts of 2 MiB", costs: { tdcall: 1, zero4K: 512 } },
  accept4K: { what: "accepts of 4 KiB", costs: { accept4K: 1 } },
  exit: { what: "exits for a page that the host has to add", costs: { tdcall: 1, eptViolation: 1 } },
  refused: { what: "TDCALLs that answer at once", costs: { tdcall: 1 } },
  vmcall: { what: "TDVMCALLs", costs: { tdcall: 1, tdvmcall: 1 } },
  release: { what: "releases (TDG.MEM.PAGE.RELEASE)", costs: { release2M: 1 } },
  seamcall: { what: "SEAMCALLs of the host outside a fault", costs: { seamcall: 1 } },
  request: { what: "virtio-mem requests", costs: { virtioRequest: 1 } },
  pvalidate2M: { what: "PVALIDATEs of 2 MiB", costs: { pvalidate2M: 1 } },
  pvalidate4K: { what: "PVALIDATEs of 4 KiB", costs: { pvalidate4K: 1 } },
  fault2M: {
    what: "PVALIDATEs of 2 MiB that the host has to back",
    costs: { pvalidate2M: 1, nestedFault: 1 },
  },
  fault4K: {
    what: "PVALIDATEs of 4 KiB that the host has to back",
    costs: { pvalidate4K: 1, nestedFault: 1 },
  },
  vmgexit: { what: "requests to the host (VMGEXIT)", costs: { vmgexit: 1 } },
  rmp: { what: "RMPUPDATEs and PSMASHs of the host outside a fault", costs: { rmpUpdate: 1 } },
  acpi: { what: "accesses of ACPI registers", costs: { acpiAccess: 1 } },
  touch: { what: "first touches of a page", costs: { pageTouch: 1 } },
} as const satisfies Record<string, { what: string; costs: { readonly [name in CostName]?: number } }>;
export type BillRowName = keyof typeof BILL_ROWS;

/** How often each row was spent. */
export type Counted = { readonly [row in BillRowName]?: number };

const entriesOf = (row: BillRowName): readonly (readonly [CostName, number])[] =>
  Object.entries(BILL_ROWS[row].costs) as (readonly [CostName, number])[];

/** Nanoseconds of one piece of a row, with each cost times what `factor` says. */
const pieceNs = (row: BillRowName, factor: (name: CostName) => number): number =>
  entriesOf(row).reduce((ns, [name, times]) => ns + times * costNs(name) * factor(name), 0);

export const rowNs = (row: BillRowName): number => pieceNs(row, () => 1);
const lowNs = (row: BillRowName): number => pieceNs(row, (name) => COST_RANGES[name].low);
const highNs = (row: BillRowName): number => pieceNs(row, (name) => COST_RANGES[name].high);

const isRequest = (what: string): boolean => / (PLUG|UNPLUG|UNPLUG_ALL|STATE)$/.test(what);

/** The row that an event of the trace was charged to; undefined for one that costs nothing or is part of another. */
const rowOf = ({ actor, what, status }: TraceEvent, isFault: boolean): BillRowName | undefined => {
  if (what.startsWith("TDH.")) return isFault ? undefined : "seamcall";
  if (what.startsWith("RMPUPDATE ") || what === "PSMASH") return isFault ? undefined : "rmp";
  if (actor.startsWith("vmm")) return isRequest(what) ? "request" : undefined;
  if (what.startsWith("VMGEXIT ")) return "vmgexit";
  if (what.startsWith("PVALIDATE ")) {
    const isSmall = what.endsWith("4K");
    if (status === "#NPF") return isSmall ? "fault4K" : "fault2M";
    return isSmall ? "pvalidate4K" : "pvalidate2M";
  }
  if (!what.startsWith("TDG.")) return undefined;
  if (status === "TDVMCALL") return "vmcall";
  if (status === "TD_EXIT") return "exit";
  if (status !== "SUCCESS") return "refused";
  if (what.startsWith("TDG.MEM.PAGE.ACCEPT")) return what.endsWith("4K") ? "accept4K" : "accept2M";
  return what.startsWith("TDG.MEM.PAGE.RELEASE") ? "release" : "refused";
};

/** Answers that say why a vCPU left the guest: it called the host, or a page has to be backed. */
const CALLS_HOST: ReadonlySet<string> = new Set(["TDVMCALL", "VMEXIT"]);
const FAULTS: ReadonlySet<string> = new Set(["TD_EXIT", "#NPF"]);
/** Who is no vCPU, nor the VMM's thread of one. */
const NO_VCPU = -1;

/** Counts what the events of one phase were charged to. */
export class Counting {
  /** By vCPU, with what the host does for it. */
  private counts = new Map<number, Map<BillRowName, number>>();
  /** vCPUs whose last exit was a call to the host: what the host does for it is charged call by call. */
  private readonly called = new Set<number>();

  add(event: TraceEvent): void {
    const { actor, vcpu, status } = event;
    if (vcpu !== null && CALLS_HOST.has(status)) this.called.add(vcpu);
    if (vcpu !== null && FAULTS.has(status)) this.called.delete(vcpu);
    const [, thread] = /^vmm@vcpu(\d+)$/.exec(actor) ?? [];
    const row = rowOf(event, thread !== undefined && !this.called.has(Number(thread)));
    if (row === undefined) return;
    const who = thread === undefined ? (vcpu ?? NO_VCPU) : Number(thread);
    const rows = this.counts.get(who) ?? new Map<BillRowName, number>();
    this.counts.set(who, rows.set(row, (rows.get(row) ?? 0) + (event.count ?? 1)));
  }

  /** What was counted since the last call, of all together. */
  take(): Counted {
    const sum = new Map<BillRowName, number>();
    for (const rows of this.counts.values())
      for (const [row, count] of rows) sum.set(row, (sum.get(row) ?? 0) + count);
    this.counts = new Map();
    return Object.fromEntries(sum);
  }

  /** What was counted since the last call, of the vCPU that had the most to do. */
  takeSlowest(): Counted {
    const all = [...this.counts.values()].map((rows): Counted => Object.fromEntries(rows));
    this.counts = new Map();
    return all.reduce((most, one) => (spentNs(one, rowNs) > spentNs(most, rowNs) ? one : most), {});
  }
}

const spentNs = (counted: Counted, price: (row: BillRowName) => number): number => {
  let ns = 0;
  for (const row of Object.keys(counted) as BillRowName[]) ns += (counted[row] ?? 0) * price(row);
  return ns;
};

/** What a phase took and where the time went. */
export interface Bill {
  readonly ns: number;
  readonly counted: Counted;
  /** Time in which nothing was done, such as that of a retry; negative where guest and host worked side by side. */
  readonly restNs: number;
}

/** Rounding of a sum of many nanosecond figures, some of them fractions. */
const ROUNDING_NS = 1;

/**
 * The bill of a plug or an unplug. Where there is ACPI, what is left over was spent on its registers: nothing waits
 * there, and the host may still be busy with the eject while the guest reads on.
 */
export const serialBill = (ns: number, counted: Counted, hasAcpi: boolean): Bill => {
  const left = ns - spentNs(counted, rowNs);
  const accesses = hasAcpi ? Math.max(0, Math.ceil((left - ROUNDING_NS) / rowNs("acpi"))) : 0;
  const rest = left - accesses * rowNs("acpi");
  return {
    ns,
    counted: accesses > 0 ? { ...counted, acpi: accesses } : counted,
    restNs: Math.abs(rest) < ROUNDING_NS ? 0 : rest,
  };
};

/**
 * The bill of a boot: what its slowest vCPU did. What is left over is waiting for others.
 *
 * @param memoryGiB boot memory, divided by the vCPUs
 */
export const bootBill = (ns: number, memoryGiB: number, did: Counted): Bill => {
  const counted: Counted = { fixed: 1, memory: memoryGiB, ...did };
  return { ns, counted, restNs: ns - spentNs(counted, rowNs) };
};

/** Nanoseconds that a bill may come to at least and at most, by the ranges of its rows. */
export const rangeOf = ({
  ns,
  counted,
  restNs,
}: Bill): { readonly lowNs: number; readonly highNs: number } => {
  // Of work side by side only a part is waited for.
  const part = restNs < 0 ? ns / (ns - restNs) : 1;
  const waited = Math.max(0, restNs);
  return { lowNs: spentNs(counted, lowNs) * part + waited, highNs: spentNs(counted, highNs) * part + waited };
};
