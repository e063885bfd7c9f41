import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../assert.ts";
import { Expander } from "../check/expander.ts";
import { Fingerprinter } from "../check/fingerprinter.ts";
import { NO_LINKS } from "../check/links.ts";
import { FrontierWriter, Segment } from "../check/segment.ts";
import { CONTROL, SharedFingerprintSet, type SharedTable } from "../check/shared-fingerprint-set.ts";
import type { OpenSystem, System } from "../check/system.ts";
import type { Failure, Order, Report, SharedSegment, ThreadData } from "./search-messages.ts";

/** One thread of a search: its own system and counts, the others' table and frontier. */
class SearchThread {
  private readonly system: System;
  private readonly visited: SharedFingerprintSet;
  private readonly frontier: FrontierWriter;
  private readonly expander: Expander;
  private control: Int32Array = new Int32Array(CONTROL.WORDS);

  constructor(system: System, { after, partialOrder, seed }: ThreadData) {
    this.system = system;
    this.visited = new SharedFingerprintSet(new Fingerprinter(system.keyBytes, seed));
    this.frontier = new FrontierWriter(system.stateBytes, (bytes) => new SharedArrayBuffer(bytes));
    const { visited, frontier } = this;
    this.expander = new Expander({ system, visited, links: NO_LINKS, frontier, after, partialOrder });
  }

  obey(order: Order): Report {
    if (order.kind === "expand") return this.report(this.expand(order.level, order.segments));
    if (order.kind === "begin") this.begin(order);
    else {
      this.attach(order.to);
      this.visited.takeOver(order.from, order.part, order.parts);
    }
    return this.report(undefined);
  }

  private attach(shared: SharedTable): void {
    this.visited.attach(shared);
    this.control = new Int32Array(shared.control);
  }

  private begin({ shared, first }: Order & { kind: "begin" }): void {
    this.attach(shared);
    if (!first) return;
    this.system.reset();
    this.visited.add(this.system, 0);
    this.frontier.append(this.system, 0);
  }

  private expand(level: number, segments: readonly SharedSegment[]): Report["unfinished"] {
    this.expander.level = level;
    while (!this.visited.crowded) {
      const index = Atomics.add(this.control, CONTROL.NEXT_SEGMENT, 1);
      const given = segments[index];
      if (given === undefined) break;
      const segment = new Segment(given.buffer);
      segment.begin = given.begin;
      segment.used = given.used;
      if (!this.expander.expand(segment)) return { index, begin: segment.begin };
      this.frontier.recycle(segment);
    }
    return undefined;
  }

  private report(unfinished: Report["unfinished"]): Report {
    this.visited.tell();
    const { transitions, resting, expanded, deepest, found } = this.expander;
    const { appended, bytes } = this.frontier;
    const produced = this.frontier.take().map(({ bytes: { buffer }, begin, used }) => {
      assert(buffer instanceof SharedArrayBuffer, "a thread's frontier lies in shared memory");
      return { buffer, begin, used };
    });
    const counts = { transitions, resting, expanded, appended, deepest, frontierBytes: bytes };
    const violations = [...found.keys()];
    return { kind: "report", produced, unfinished, ...counts, violations, goals: this.system.goals };
  }
}

/** Makes the module that a worker thread is started with search what `open` opens. */
export const serveSearch = (open: OpenSystem<unknown>): void => {
  const port = parentPort;
  assert(port !== null, "a search is served in a worker thread");
  const data: ThreadData = workerData;
  let thread: SearchThread | undefined;
  port.on("message", (order: Order) => {
    try {
      thread ??= new SearchThread(open(data.configuration), data);
      port.postMessage(thread.obey(order) satisfies Report);
    } catch (error) {
      port.postMessage({ kind: "failure", error } satisfies Failure);
    }
  });
};
