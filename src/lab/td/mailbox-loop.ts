import { newRegs, type Regs } from "../../abi/tdx/regs.ts";
import type { Caller, Mailbox } from "./mailbox.ts";

/** Serves one TDCALL: changes the registers to its results. */
export type Serve = (regs: Regs, caller: Caller) => void | Promise<void>;

/** Looks without a pause for so long after a call: calls come in runs. */
const HOT_MS = 3;
/** Pause between two looks when none came lately, and when none came for long: looking takes part of a CPU. */
const COLD_MS = 0.1;
const IDLE_MS = 0.3;
/** How long is long. */
const IDLE_AFTER_MS = 50;

/** Waits without giving the thread away; a timer of the event loop waits ten times as long. */
const nap = (ms: number): void => {
  Atomics.wait(PAD, 0, 0, ms);
};
const PAD = new Int32Array(new SharedArrayBuffer(4));

/** Looks into a mailbox until it is told to stop, and serves what it finds. Everything else goes on in between. */
export class MailboxLoop {
  /** Calls served. */
  served = 0;
  private readonly mailbox: Mailbox;
  private readonly serve: Serve;
  private readonly regs = newRegs();
  private running = false;
  private finished: Promise<void> = Promise.resolve();

  constructor(mailbox: Mailbox, serve: Serve) {
    this.mailbox = mailbox;
    this.serve = serve;
  }

  /** @returns a promise that is rejected with what `serve` throws, and fulfilled after `stop` */
  start(): Promise<void> {
    this.running = true;
    this.finished = this.loop();
    return this.finished;
  }

  /** Stops looking. The call in hand is finished first. */
  async stop(): Promise<void> {
    this.running = false;
    await this.finished.catch(() => {});
  }

  private async loop(): Promise<void> {
    let hotUntil = 0;
    while (this.running) {
      if (this.mailbox.poll()) {
        await this.handle();
        hotUntil = performance.now() + HOT_MS;
      } else {
        const quiet = performance.now() - hotUntil;
        if (quiet > 0) nap(quiet < IDLE_AFTER_MS ? COLD_MS : IDLE_MS);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async handle(): Promise<void> {
    this.mailbox.take(this.regs);
    const pending = this.serve(this.regs, this.mailbox.caller);
    if (pending !== undefined) await pending;
    this.mailbox.answer(this.regs);
    this.served++;
  }
}
