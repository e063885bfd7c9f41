import { Worker } from "node:worker_threads";
import type { Failure, Order, Report, ThreadData } from "./search-messages.ts";

/** A worker thread as something that answers one order at a time. */
export class Thread {
  /** Its last answer. */
  report: Report | undefined;
  private readonly worker: Worker;
  private waiting: { resolve(report: Report): void; reject(error: unknown): void } | undefined;

  /** @param heard what is to be thrown here for what the thread told of an error */
  constructor(module: URL, data: ThreadData, heard: (told: unknown) => unknown) {
    this.worker = new Worker(module, { workerData: data });
    this.worker.on("message", (answer: Report | Failure) => {
      if (answer.kind === "failure") return this.waiting?.reject(heard(answer.error));
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
