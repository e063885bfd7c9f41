import type { Checkpoint, Tallies } from "../check/checkpoint.ts";
import { type AfterViolation, type Found, REST } from "../check/expander.ts";
import { type Counts, type End, type Limits, omissionProbability } from "../check/result.ts";
import { CONTROL, type SharedTable, sharedTable } from "../check/shared-fingerprint-set.ts";
import { CROWDED, FEWEST_SLOTS } from "../check/visited-set.ts";
import { cutLevel } from "./pieces.ts";
import { type Order, type Report, SEARCH_THREAD, type SharedSegment } from "./search-messages.ts";
import { Thread } from "./thread.ts";

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
  readonly between?: (counts: Counts) => boolean | Promise<boolean>;
  /** What is to be thrown for what a thread told of an error. */
  readonly heard?: (told: unknown) => unknown;
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
const KIB = 1024;
const MOST_KIB = 2 ** 31 - 1;

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
  /** Distance of the level's states; of the last level's, where none of it is left. */
  private depth = -1;
  private interrupted = false;
  private looking = false;
  /** States at the last look. A short search is looked at whenever they have doubled. */
  private looked = 0;
  private kept = Date.now();
  /** What was counted, found and met before this search went on from a checkpoint. */
  private readonly before: Tallies;
  private readonly foundBefore: readonly Found[];
  private readonly goalsBefore: readonly number[];

  constructor(options: ParallelOptions) {
    const { module, configuration, threads, heard = (told) => told } = options;
    const { after = "stop", partialOrder = false, seed = 0 } = options;
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
    const bytes = (options.limits?.bytes ?? UNBOUNDED) / threads;
    const data = { kind: SEARCH_THREAD, configuration, after, partialOrder, seed, bytes } as const;
    this.threads = Array.from({ length: threads }, () => new Thread(module, data, heard));
    this.boundFrontier();
  }

  async run(): Promise<ParallelResult> {
    const clock = setInterval(() => void this.look(), LOOK_EVERY_MS);
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

  private async look(): Promise<void> {
    const { between = () => true, keep } = this.options;
    if (this.interrupted || this.looking) return;
    this.looking = true;
    this.looked = this.states;
    if (!(await between(this.counts()))) this.interrupted = true;
    this.looking = false;
    const keeps = keep !== undefined && Date.now() - this.kept >= keep.everyMs;
    if (this.interrupted || keeps) Atomics.store(this.control, CONTROL.PAUSE, 1);
  }

  /** Threads pause by themselves before the frontier takes more than the tables, and what they remember, leave of the memory. */
  private boundFrontier(): void {
    const { bytes = UNBOUNDED } = this.options.limits ?? {};
    const systems = this.sum(({ systemBytes }) => systemBytes);
    const left = Math.floor((bytes - this.tableBytes - systems) / KIB);
    Atomics.store(this.control, CONTROL.MOST_FRONTIER, Math.max(0, Math.min(MOST_KIB, left)));
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
    if (this.depth + 1 >= depth) return "depth";
    this.depth++;
    this.level = this.next;
    this.next = [];
    return undefined;
  }

  /** Orders rounds until all segments of the level are done. */
  private async runLevel(): Promise<End | undefined> {
    const { states = UNBOUNDED, bytes = UNBOUNDED } = this.options.limits ?? {};
    while (this.level.length > 0) {
      this.keepNow();
      if (this.states >= 2 * this.looked) await this.look();
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
    this.boundFrontier();
    const { pieces, left } = cutLevel(this.level, this.threads.length);
    Atomics.store(this.control, CONTROL.NEXT_PIECE, 0);
    const reports = await this.all(() => ({ kind: "expand", level: this.depth + 1, pieces, left }));
    const untaken = pieces.slice(Atomics.load(this.control, CONTROL.NEXT_PIECE));
    const cut = reports.flatMap(({ unfinished }) =>
      unfinished === undefined ? [] : [{ ...pieces[unfinished.index]!, begin: unfinished.begin }],
    );
    this.level = [...cut, ...untaken];
  }

  private async grow(): Promise<void> {
    const from = this.shared;
    this.slots *= 2;
    const to = sharedTable(this.slots, this.options.partialOrder ?? false, from.control);
    this.shared = to;
    this.boundFrontier();
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
    return this.tableBytes + this.sum(({ frontierBytes, systemBytes }) => frontierBytes + systemBytes);
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
