import { Worker } from "node:worker_threads";
import type { AfterViolation } from "../check/expander.ts";
import { type Counts, type End, type Limits, omissionProbability } from "../check/result.ts";
import { CONTROL, type SharedTable, sharedTable } from "../check/shared-fingerprint-set.ts";
import { CROWDED, FEWEST_SLOTS } from "../check/visited-set.ts";
import type { Failure, Order, Report, SharedSegment, ThreadData } from "./search-messages.ts";

export interface ParallelOptions {
  /** Module that calls `serveSearch`. */
  readonly module: URL;
  /** What its `open` is given: plain JSON. */
  readonly configuration: unknown;
  readonly threads: number;
  readonly after?: AfterViolation;
  readonly partialOrder?: boolean;
  readonly seed?: number;
  readonly limits?: Limits;
  /** Called now and then. @returns false to end the search here */
  readonly between?: (counts: Counts) => boolean;
}

export interface ParallelResult extends Counts {
  readonly end: End;
  /** Numbers of the violations met. Their stories are told by a search on one thread, down to this depth. */
  readonly violations: readonly number[];
  readonly goals: Uint32Array;
  readonly omission: number;
}

const UNBOUNDED = Number.POSITIVE_INFINITY;
const LOOK_EVERY_MS = 100;

/** A worker thread as something that answers one order at a time. */
class Thread {
  /** Its last answer. */
  report: Report | undefined;
  private readonly worker: Worker;
  private waiting: { resolve(report: Report): void; reject(error: unknown): void } | undefined;

  constructor(module: URL, data: ThreadData) {
    this.worker = new Worker(module, { workerData: data });
    this.worker.on("message", (answer: Report | Failure) => {
      if (answer.kind === "failure") return this.waiting?.reject(answer.error);
      this.report = answer;
      this.waiting?.resolve(answer);
    });
    this.worker.on("error", (error) => this.waiting?.reject(error));
    this.worker.on("exit", (code) =>
      this.waiting?.reject(new Error(`a thread of the search ended with ${code}`)),
    );
  }

  ask(order: Order): Promise<Report> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.worker.postMessage(order);
    });
  }

  async end(): Promise<void> {
    this.waiting = undefined;
    await this.worker.terminate();
  }
}

/** Breadth first on several threads, level by level. What it counts is what one thread counts. */
class ParallelSearch {
  private readonly options: ParallelOptions;
  private readonly threads: Thread[];
  private readonly control: Int32Array;
  private shared: SharedTable;
  private slots: number;
  /** The rest of the level, and what was produced for the next. */
  private level: readonly SharedSegment[] = [];
  private next: SharedSegment[] = [];
  private depth = 0;
  private interrupted = false;

  constructor(options: ParallelOptions) {
    const { module, configuration, threads, after = "stop", partialOrder = false, seed = 0 } = options;
    this.options = options;
    const control = new SharedArrayBuffer(4 * CONTROL.WORDS);
    this.control = new Int32Array(control);
    this.slots = FEWEST_SLOTS * threads;
    this.shared = sharedTable(this.slots, partialOrder, control);
    const data = { configuration, after, partialOrder, seed };
    this.threads = Array.from({ length: threads }, () => new Thread(module, data));
  }

  async run(): Promise<ParallelResult> {
    const clock = setInterval(() => this.look(), LOOK_EVERY_MS);
    try {
      const { shared } = this;
      await this.all((index) => ({ kind: "begin", shared, first: index === 0 }));
      for (;;) {
        const end = this.nextLevel() ?? (await this.runLevel());
        if (end !== undefined) return this.result(end);
        this.depth++;
      }
    } finally {
      clearInterval(clock);
      await Promise.all(this.threads.map((thread) => thread.end()));
    }
  }

  private look(): void {
    const { between } = this.options;
    if (between === undefined || this.interrupted || between(this.counts())) return;
    this.interrupted = true;
    Atomics.store(this.control, CONTROL.PAUSE, 1);
  }

  private nextLevel(): End | undefined {
    const { after = "stop", limits: { depth = UNBOUNDED } = {} } = this.options;
    if (after === "stop" && this.reports.some(({ violations }) => violations.length > 0)) return "violation";
    if (this.next.length === 0) return "complete";
    if (this.depth >= depth) return "depth";
    this.level = this.next;
    this.next = [];
    return undefined;
  }

  /** Orders rounds until all segments of the level are done. */
  private async runLevel(): Promise<End | undefined> {
    const { states = UNBOUNDED, bytes = UNBOUNDED } = this.options.limits ?? {};
    while (this.level.length > 0) {
      if (this.interrupted) return "interrupted";
      if (this.states >= states) return "states";
      if (this.bytes > bytes) return "memory";
      if (this.states >= Math.floor(this.slots * CROWDED)) {
        if (this.bytes + 2 * this.tableBytes > bytes) return "memory";
        await this.grow();
      }
      await this.round();
    }
    return undefined;
  }

  private async round(): Promise<void> {
    const { level: segments } = this;
    Atomics.store(this.control, CONTROL.NEXT_SEGMENT, 0);
    const reports = await this.all(() => ({ kind: "expand", level: this.depth + 1, segments }));
    const untaken = segments.slice(Atomics.load(this.control, CONTROL.NEXT_SEGMENT));
    const cut = reports.flatMap(({ unfinished }) =>
      unfinished === undefined ? [] : [{ ...segments[unfinished.index]!, begin: unfinished.begin }],
    );
    this.level = [...cut, ...untaken];
  }

  private async grow(): Promise<void> {
    const from = this.shared;
    this.slots *= 2;
    const to = sharedTable(this.slots, this.options.partialOrder ?? false, from.control);
    this.shared = to;
    const parts = this.threads.length;
    await this.all((part) => ({ kind: "grow", from, to, part, parts }));
  }

  private async all(order: (index: number) => Order): Promise<Report[]> {
    const reports = await Promise.all(this.threads.map((thread, index) => thread.ask(order(index))));
    for (const { produced } of reports) this.next.push(...produced);
    return reports;
  }

  private get reports(): Report[] {
    return this.threads.flatMap(({ report }) => (report === undefined ? [] : [report]));
  }

  private get states(): number {
    return Atomics.load(this.control, CONTROL.STATES);
  }

  private get tableBytes(): number {
    return this.shared.table.byteLength + (this.shared.levels?.byteLength ?? 0);
  }

  private get bytes(): number {
    return this.tableBytes + this.sum(({ frontierBytes }) => frontierBytes);
  }

  private sum(of: (report: Report) => number): number {
    return this.reports.reduce((sum, report) => sum + of(report), 0);
  }

  private counts(): Counts {
    return {
      states: this.states,
      transitions: this.sum(({ transitions }) => transitions),
      depth: Math.max(0, ...this.reports.map(({ deepest }) => deepest)),
      resting: this.sum(({ resting }) => resting),
      frontier: this.sum(({ appended, expanded }) => appended - expanded),
      bytes: this.bytes,
    };
  }

  private result(end: End): ParallelResult {
    const counts = this.counts();
    const violations = [...new Set(this.reports.flatMap((report) => report.violations))].sort(
      (a, b) => a - b,
    );
    const words = this.reports[0]!.goals.length;
    const goals = Uint32Array.from({ length: words }, (_, word) =>
      this.reports.reduce((bits, report) => bits | report.goals[word]!, 0),
    );
    return { ...counts, end, violations, goals, omission: omissionProbability(counts.states) };
  }
}

/**
 * Searches breadth first on several threads.
 *
 * @throws what the system throws in a thread
 */
export const searchInParallel = (options: ParallelOptions): Promise<ParallelResult> =>
  new ParallelSearch(options).run();
