import { Worker } from "node:worker_threads";
import type { Checkpoint, Tallies } from "../check/checkpoint.ts";
import { type AfterViolation, type Found, REST } from "../check/expander.ts";
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
  /** Called every `everyMs` with all threads at a halt, and at the end of a search that is not complete. */
  readonly keep?: { readonly everyMs: number; readonly take: (checkpoint: Checkpoint) => void };
  /** What another search of the same kind kept. */
  readonly resume?: Checkpoint;
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

const NOTHING: Tallies = { states: 0, transitions: 0, resting: 0, expanded: 0, appended: 0, deepest: 0 };

const sharedSegment = (records: Uint8Array): SharedSegment => {
  const buffer = new SharedArrayBuffer(records.length);
  new Uint8Array(buffer).set(records);
  return { buffer, begin: 0, used: records.length };
};

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
  private kept = Date.now();
  /** What was counted, found and met before this search went on from a checkpoint. */
  private readonly before: Tallies;
  private readonly foundBefore: readonly Found[];
  private readonly goalsBefore: readonly number[];

  constructor(options: ParallelOptions) {
    const { module, configuration, threads, after = "stop", partialOrder = false, seed = 0 } = options;
    this.options = options;
    const control = new SharedArrayBuffer(4 * CONTROL.WORDS);
    this.control = new Int32Array(control);
    const { tallies = NOTHING, found = [], goals = [], table } = options.resume ?? {};
    this.before = tallies;
    this.foundBefore = found;
    this.goalsBefore = goals;
    this.slots = table === undefined ? FEWEST_SLOTS * threads : table.length / 2;
    this.shared = sharedTable(this.slots, partialOrder, control);
    if (options.resume !== undefined) this.load(options.resume);
    const data = { configuration, after, partialOrder, seed };
    this.threads = Array.from({ length: threads }, () => new Thread(module, data));
  }

  async run(): Promise<ParallelResult> {
    const clock = setInterval(() => this.look(), LOOK_EVERY_MS);
    try {
      const { shared } = this;
      const fresh = this.options.resume === undefined;
      await this.all((index) => ({ kind: "begin", shared, first: fresh && index === 0 }));
      const end = await this.runLevels();
      if (end !== "complete") this.options.keep?.take(this.capture());
      return this.result(end);
    } finally {
      clearInterval(clock);
      await Promise.all(this.threads.map((thread) => thread.end()));
    }
  }

  private async runLevels(): Promise<End> {
    for (;;) {
      const end = (this.level.length > 0 ? undefined : this.nextLevel()) ?? (await this.runLevel());
      if (end !== undefined) return end;
      this.depth++;
    }
  }

  private load({ table, levels, level, next, depth, tallies }: Checkpoint): void {
    new Uint32Array(this.shared.table).set(table);
    if (levels !== undefined && this.shared.levels !== undefined)
      new Uint16Array(this.shared.levels).set(levels);
    this.level = level.map(sharedSegment);
    this.next = next.map(sharedSegment);
    this.depth = depth;
    Atomics.store(this.control, CONTROL.STATES, tallies.states);
  }

  /** Everybody is at a halt. */
  private capture(): Checkpoint {
    const records = ({ buffer, begin, used }: SharedSegment) => new Uint8Array(buffer, begin, used - begin);
    const { table, levels } = this.shared;
    return {
      tallies: this.tallies(),
      depth: this.depth,
      // Who met it first is not known here: whoever goes on tells its story from the beginning.
      found: this.violations().map((violation) => ({ violation, parent: 0, choice: REST })),
      goals: [...this.goals()],
      table: new Uint32Array(table),
      levels: levels && new Uint16Array(levels),
      level: this.level.map(records),
      next: this.next.map(records),
      links: undefined,
    };
  }

  private look(): void {
    const { between = () => true, keep } = this.options;
    if (this.interrupted) return;
    if (!between(this.counts())) this.interrupted = true;
    else if (keep === undefined || Date.now() - this.kept < keep.everyMs) return;
    Atomics.store(this.control, CONTROL.PAUSE, 1);
  }

  /** Before a round: all threads are at a halt, and `depth` is that of the level's states. */
  private keepNow(): void {
    const { keep } = this.options;
    Atomics.store(this.control, CONTROL.PAUSE, 0);
    if (keep === undefined || Date.now() - this.kept < keep.everyMs) return;
    keep.take(this.capture());
    this.kept = Date.now();
  }

  private nextLevel(): End | undefined {
    const { after = "stop", limits: { depth = UNBOUNDED } = {} } = this.options;
    if (after === "stop" && this.violations().length > 0) return "violation";
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
      this.keepNow();
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

  private tallies(): Tallies {
    const { before } = this;
    return {
      states: this.states,
      transitions: before.transitions + this.sum(({ transitions }) => transitions),
      resting: before.resting + this.sum(({ resting }) => resting),
      expanded: before.expanded + this.sum(({ expanded }) => expanded),
      appended: before.appended + this.sum(({ appended }) => appended),
      deepest: Math.max(before.deepest, ...this.reports.map(({ deepest }) => deepest)),
    };
  }

  private counts(): Counts {
    const { states, transitions, resting, expanded, appended, deepest: depth } = this.tallies();
    return { states, transitions, depth, resting, frontier: appended - expanded, bytes: this.bytes };
  }

  private violations(): number[] {
    const now = this.reports.flatMap(({ violations }) => violations);
    const before = this.foundBefore.map(({ violation }) => violation);
    return [...new Set([...before, ...now])].sort((a, b) => a - b);
  }

  private goals(): Uint32Array {
    const { goalsBefore, reports } = this;
    return Uint32Array.from({ length: reports[0]!.goals.length }, (_, word) =>
      reports.reduce((bits, { goals }) => bits | goals[word]!, goalsBefore[word] ?? 0),
    );
  }

  private result(end: End): ParallelResult {
    const counts = this.counts();
    const omission = omissionProbability(counts.states);
    return { ...counts, end, violations: this.violations(), goals: this.goals(), omission };
  }
}

/**
 * Searches breadth first on several threads.
 *
 * @throws what the system throws in a thread
 */
export const searchInParallel = (options: ParallelOptions): Promise<ParallelResult> =>
  new ParallelSearch(options).run();
