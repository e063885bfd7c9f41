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
  if (actor.startsWith("vmm")) return isRequest(what) ? "request" : undefined;
  if (!what.startsWith("TDG.")) return undefined;
  if (status === "TDVMCALL") return "vmcall";
  if (status === "TD_EXIT") return "exit";
  if (status !== "SUCCESS") return "refused";
  if (what.startsWith("TDG.MEM.PAGE.ACCEPT")) return what.endsWith("4K") ? "accept4K" : "accept2M";
  return what.startsWith("TDG.MEM.PAGE.RELEASE") ? "release" : "refused";
};

/** Counts what the events of one phase were charged to. */
export class Counting {
  private counts = new Map<BillRowName, number>();
  /** vCPUs whose last exit was a TDVMCALL: what the host does for it is charged call by call. */
  private readonly called = new Set<number>();

  add(event: TraceEvent): void {
    const { actor, vcpu, status } = event;
    if (status === "TDVMCALL" && vcpu !== null) this.called.add(vcpu);
    if (status === "TD_EXIT" && vcpu !== null) this.called.delete(vcpu);
    const [, thread] = /^vmm@vcpu(\d+)$/.exec(actor) ?? [];
    const row = rowOf(event, thread !== undefined && !this.called.has(Number(thread)));
    if (row !== undefined) this.counts.set(row, (this.counts.get(row) ?? 0) + (event.count ?? 1));
  }

  /** What was counted since the last call. */
  take(): Counted {
    const counted = Object.fromEntries(this.counts);
    this.counts = new Map();
    return counted;
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

/** TDCALLs of the boot CPU that answer at once: VP.INFO, three VM.RD, two VM.WR. @source linux/coco/tdx-setup.ts */
const SETUP_CALLS = 6;
/** A few pages of firmware are no memory of the kernel, which makes its share of the work that much less. */
const FIRMWARE_NS = 1000;

/**
 * The bill of a boot: what its slowest vCPU did. Accepts run on many at a time; what is left over is waiting for others.
 *
 * @param memoryGiB boot memory, divided by the vCPUs
 */
export const bootBill = (ns: number, memoryGiB: number, acceptBytes: 4096 | 2097152): Bill => {
  const accept = acceptBytes === 4096 ? "accept4K" : "accept2M";
  const base: Counted = { fixed: 1, memory: memoryGiB, refused: SETUP_CALLS };
  const rest = ns - spentNs(base, rowNs);
  const accepts = Math.max(0, Math.floor((rest + FIRMWARE_NS) / (rowNs(accept) + rowNs("exit"))));
  const counted: Counted = { ...base, [accept]: accepts, exit: accepts };
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
