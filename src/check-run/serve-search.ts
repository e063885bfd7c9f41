import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../assert.ts";
import { Expander } from "../check/expander.ts";
import { Fingerprinter } from "../check/fingerprinter.ts";
import { NO_LINKS } from "../check/links.ts";
import { FrontierWriter, Segment } from "../check/segment.ts";
import { CONTROL, SharedFingerprintSet, type SharedTable } from "../check/shared-fingerprint-set.ts";
import type { OpenSystem, System } from "../check/system.ts";
import type { Failure, Order, Report, ThreadData } from "./search-messages.ts";

const KIB = 1024;

/** One thread of a search: its own system and counts, the others' table and frontier. */
class SearchThread {
  private readonly system: System;
  private readonly visited: SharedFingerprintSet;
  private readonly frontier: FrontierWriter;
  private readonly expander: Expander;
  private control: Int32Array = new Int32Array(CONTROL.WORDS);

  constructor(system: System, { after, partialOrder, seed, bytes }: ThreadData) {
    system.boundMemory?.(bytes);
    this.system = system;
    this.visited = new SharedFingerprintSet(new Fingerprinter(system.keyBytes, seed));
    this.frontier = new FrontierWriter(system.stateBytes, (bytes) => this.allocate(bytes));
    const { visited, frontier } = this;
    this.expander = new Expander({ system, visited, links: NO_LINKS, frontier, after, partialOrder });
  }

  obey(order: Order): Report {
    if (order.kind === "expand") return this.report(this.expand(order));
    if (order.kind === "begin") this.begin(order);
    else {
      this.attach(order.to);
      this.visited.takeOver(order.from, order.part, order.parts);
    }
    return this.report(undefined);
  }

  private allocate(bytes: number): SharedArrayBuffer {
    const { control } = this;
    const kib = Math.ceil(bytes / KIB);
    const frontier = Atomics.add(control, CONTROL.FRONTIER, kib) + kib;
    if (frontier > Atomics.load(control, CONTROL.MOST_FRONTIER)) Atomics.store(control, CONTROL.PAUSE, 1);
    return new SharedArrayBuffer(bytes);
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
    this.system.meet?.();
    this.frontier.append(this.system, 0);
  }

  private expand({ level, pieces, left }: Order & { kind: "expand" }): Report["unfinished"] {
    const piecesLeft = new Int32Array(left);
    this.expander.level = level;
    while (!this.visited.crowded) {
      const index = Atomics.add(this.control, CONTROL.NEXT_PIECE, 1);
      const piece = pieces[index];
      if (piece === undefined) break;
      const segment = new Segment(piece.buffer);
      segment.begin = piece.begin;
      segment.used = piece.used;
      if (!this.expander.expand(segment)) return { index, begin: segment.begin };
      if (Atomics.sub(piecesLeft, piece.segment, 1) === 1) this.frontier.recycle(segment);
    }
    return undefined;
  }

  private report(unfinished: Report["unfinished"]): Report {
    this.visited.tell();
    this.system.verify?.();
    const { transitions, resting, expanded, deepest, found } = this.expander;
    const { appended, bytes } = this.frontier;
    const systemBytes = this.system.memoryBytes ?? 0;
    const produced = this.frontier.take().map(({ bytes: { buffer }, begin, used }) => {
      assert(buffer instanceof SharedArrayBuffer, "a thread's frontier lies in shared memory");
      return { buffer, begin, used };
    });
    const counts = { transitions, resting, expanded, appended, deepest, frontierBytes: bytes, systemBytes };
    const violations = [...found.keys()];
    return { kind: "report", produced, unfinished, ...counts, violations, goals: this.system.goals };
  }
}

/**
 * Makes the module that a worker thread is started with search what `open` opens.
 *
 * @param tell what of an error crosses to the main thread, where only the message of an Error would
 */
export const serveSearch = (
  open: OpenSystem<unknown>,
  tell: (error: unknown) => unknown = (error) => error,
): void => {
  const port = parentPort;
  assert(port !== null, "a search is served in a worker thread");
  const data: ThreadData = workerData;
  let thread: SearchThread | undefined;
  port.on("message", (order: Order) => {
    try {
      thread ??= new SearchThread(open(data.configuration), data);
      port.postMessage(thread.obey(order) satisfies Report);
    } catch (error) {
      port.postMessage({ kind: "failure", error: tell(error) } satisfies Failure);
    }
  });
};
