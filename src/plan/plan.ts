import { NotModelled } from "../not-modelled.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { BILL_ROWS, type Bill, type BillRowName, rangeOf, rowNs } from "./bill.ts";
import { COST_RANGES, costSource } from "./cost-range.ts";
import { devicesRun, type Growth, grownBill, memoryGrowth, pluggedGrowth, serialGrowth } from "./growth.ts";
import { extensionPool, hostOverhead } from "./host-overhead.ts";
import { limitsOf } from "./limits.ts";
import { machineFacts } from "./machine-facts.ts";
import { type MeasuredPhase, type MeasuredRun, measure } from "./measured-run.ts";
import type { BilledRow, PlanReport, Timing } from "./plan-report.ts";
import { type PlanAccept, type PlanRequest, type RunSize, wholeSize } from "./plan-request.ts";
import { plannedScenario, scenarioText } from "./planned-scenario.ts";
import { kubevirtSnippet } from "./snippets/kubevirt.ts";
import { libvirtSnippet } from "./snippets/libvirt.ts";
import { qemuSnippet } from "./snippets/qemu.ts";

export interface PlanOptions {
  /** Version of Tidemark, for the report. */
  readonly version: string;
  /** Told before each run of a machine. */
  readonly onRun?: (what: string) => void;
}

/** What a device's plug and unplug come to, and what all of them together. */
interface Runs {
  readonly lazy: Timed;
  readonly eager: Timed;
  readonly free: number;
  readonly broken: readonly string[];
  readonly plug: Timed | undefined;
  readonly unplug: Timed | undefined;
  /** What of the design is not modelled on this platform; empty: nothing. */
  readonly notModelled: string;
}

interface Timed {
  readonly bill: Bill;
  readonly status: string;
  readonly detail: string;
  /** Boot memory or plugged bytes of the runs that the figure follows from; empty: of this very machine. */
  readonly from: readonly number[];
}

/**
 * Plans a machine: what its tables look like, how long it takes, what it costs the host, what bounds it, and how it
 * is made. Times are those of runs of the machine in the model world; a machine that is too large to run follows from
 * two smaller ones.
 *
 * @throws ScenarioError, VmmError, FirmwareError for a machine that cannot be; NotModelled
 */
export const makePlan = async (request: PlanRequest, options: PlanOptions): Promise<PlanReport> => {
  const whole = plannedScenario(request, wholeSize(request));
  const facts = machineFacts(whole, request.hotplug);
  const runs = await new Planner(request, options).run();
  const phases = [
    { what: `boot (${request.accept})`, ...runs[request.accept] },
    ...(runs.plug === undefined ? [] : [{ what: "plug", ...runs.plug }]),
    ...(runs.unplug === undefined ? [] : [{ what: "unplug", ...runs.unplug }]),
  ];
  const { free, broken, lazy, eager, plug, unplug, notModelled } = runs;
  const isTd = request.platform === "tdx";
  return {
    format: "tidemark-plan",
    formatVersion: isTd ? 1 : 2,
    tidemark: options.version,
    request,
    machine: facts,
    boot: { lazy: timing(lazy), eager: timing(eager), freeAfterBoot: free },
    plug: plug === undefined ? null : timing(plug),
    unplug: unplug === undefined ? null : timing(unplug),
    host: hostOverhead(request, facts),
    extensions: isTd ? extensionPool(request) : null,
    limits: limitsOf({ request, facts, freeAfterBoot: free, phases, broken, notModelled }),
    snippets: {
      qemu: qemuSnippet(request),
      libvirt: libvirtSnippet(request),
      kubevirt: kubevirtSnippet(request),
    },
    scenario: scenarioText(request, wholeSize(request)),
  };
};

/** Runs what has to be run, each size once. */
class Planner {
  private readonly request: PlanRequest;
  private readonly options: PlanOptions;
  private readonly runs = new Map<string, Promise<MeasuredRun>>();
  private readonly byMemory: Growth | undefined;
  private readonly byPlugged: Growth | undefined;
  private readonly plugged: number;
  private readonly devices: number;

  constructor(request: PlanRequest, options: PlanOptions) {
    this.request = request;
    this.options = options;
    const { plugged, devices } = wholeSize(request);
    this.plugged = plugged;
    this.devices = devicesRun(devices, plugged);
    this.byMemory = memoryGrowth(request);
    this.byPlugged = plugged === 0 ? undefined : pluggedGrowth(request, plugged);
  }

  async run(): Promise<Runs> {
    const { accept } = this.request;
    const lazy = await this.boot("lazy");
    const eager = await this.boot("eager");
    const memory = this.byMemory?.small ?? this.request.memory;
    const free = await this.freeAfterBoot(accept);
    const base = await this.once({ memory, plugged: this.smallest, devices: this.devices }, accept);
    const plays = this.request.hotplug > 0 && base.notModelled === "";
    return {
      lazy,
      eager,
      free,
      broken: base.broken,
      plug: plays ? await this.all("plug", memory) : undefined,
      unplug: plays ? await this.all("unplug", memory) : undefined,
      notModelled: base.notModelled,
    };
  }

  private get smallest(): number {
    return this.byPlugged?.small ?? this.plugged;
  }

  private once(size: RunSize, accept: PlanAccept): Promise<MeasuredRun> {
    const key = `${size.memory} ${size.plugged} ${size.devices} ${accept}`;
    const before = this.runs.get(key);
    if (before !== undefined) return before;
    const scenario: Scenario = plannedScenario(this.request, size, accept);
    this.options.onRun?.(scenario.title);
    const run = measure(scenario).catch((error: unknown) => {
      if (!(error instanceof NotModelled) || size.plugged === 0) throw error;
      return this.bootOnly(size, accept, error);
    });
    this.runs.set(key, run);
    return run;
  }

  private async bootOnly(size: RunSize, accept: PlanAccept, { what }: NotModelled): Promise<MeasuredRun> {
    return { ...(await this.once({ ...size, plugged: 0 }, accept)), notModelled: what };
  }

  /** A boot is part of every run; where the wanted mode is also plugged, one run serves for both. */
  private bootRun(memory: number, accept: PlanAccept): Promise<MeasuredRun> {
    const isBase = memory === (this.byMemory?.small ?? this.request.memory);
    const plugs = isBase && accept === this.request.accept;
    return this.once({ memory, plugged: plugs ? this.smallest : 0, devices: this.devices }, accept);
  }

  private async boot(accept: PlanAccept): Promise<Timed> {
    const { byMemory } = this;
    if (byMemory === undefined) {
      const { bill, status, detail } = (await this.bootRun(this.request.memory, accept)).phases[0]!;
      return { bill, status, detail, from: [] };
    }
    const small = (await this.bootRun(byMemory.small, accept)).phases[0]!;
    const large = (await this.bootRun(byMemory.large, accept)).phases[0]!;
    return grownPhase(small, large, byMemory);
  }

  private async freeAfterBoot(accept: PlanAccept): Promise<number> {
    const { byMemory } = this;
    if (byMemory === undefined) return (await this.bootRun(this.request.memory, accept)).freeAfterBoot;
    const small = (await this.bootRun(byMemory.small, accept)).freeAfterBoot;
    const large = (await this.bootRun(byMemory.large, accept)).freeAfterBoot;
    return small + (large - small) * byMemory.steps;
  }

  /** All devices one after the other; of many large ones the last follow from those before. */
  private async all(phase: "plug" | "unplug", memory: number): Promise<Timed> {
    const { accept, device, dimms } = this.request;
    const at = async (plugged: number): Promise<readonly MeasuredPhase[]> => {
      const run = await this.once({ memory, plugged, devices: this.devices }, accept);
      return run.phases.filter((one) => one.phase === phase);
    };
    const { byPlugged } = this;
    const small = await at(this.smallest);
    const large = byPlugged === undefined ? small : await at(byPlugged.large);
    const count = device === "dimm" ? dimms : 1;
    const each = small.map((one, n) =>
      byPlugged === undefined
        ? { ...one, from: [] as readonly number[] }
        : grownPhase(one, large[n] ?? one, byPlugged),
    );
    const first = each[0]!;
    const bill = serialGrowth(
      each.map((one) => one.bill),
      count,
    );
    const isRun = byPlugged !== undefined || count <= this.devices;
    const from = isRun ? first.from : [this.devices * this.plugged];
    const bad = each.find(({ status }) => status !== "SUCCESS") ?? first;
    return { bill, status: bad.status, detail: bad.detail, from };
  }
}

const grownPhase = (small: MeasuredPhase, large: MeasuredPhase, by: Growth): Timed => {
  const bad = [small, large].find(({ status }) => status !== "SUCCESS") ?? small;
  return {
    bill: grownBill(small.bill, large.bill, by),
    status: bad.status,
    detail: bad.detail,
    from: [by.small, by.large],
  };
};

const timing = ({ bill, status, detail, from }: Timed): Timing => ({
  ns: bill.ns,
  ...rangeOf(bill),
  status,
  detail,
  from,
  bill: (Object.keys(bill.counted) as BillRowName[])
    .filter((row) => (bill.counted[row] ?? 0) > 0)
    .map((row) => billed(row, bill.counted[row] ?? 0)),
  waitNs: Math.max(0, bill.restNs),
  sideBySideNs: Math.max(0, -bill.restNs),
});

const billed = (row: BillRowName, count: number): BilledRow => {
  const costs = Object.keys(BILL_ROWS[row].costs) as (keyof typeof COST_RANGES)[];
  return {
    row,
    what: BILL_ROWS[row].what,
    count,
    eachNs: rowNs(row),
    ns: count * rowNs(row),
    sources: costs.map((name) => `${name}: ${costSource(name)}; ${COST_RANGES[name].why}`),
  };
};
