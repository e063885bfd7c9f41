import type { System } from "./system.ts";

/** Milliseconds that a command has to give up what it waits for. */
const GRACE_MS = 500;

/**
 * What becomes of a command that waits for others, such as a guest, when a signal asks it to end.
 *
 * What it waits for is given up. The process ends when the command has come back, and after half a second, if not told otherwise, or at a
 * second signal in any case.
 */
export class Interruption {
  private readonly system: System;
  private readonly graceMs: number;
  private readonly controller = new AbortController();
  private asked: number | undefined;
  private undo: () => void = () => {};
  private forget: () => void = () => {};

  /** @param graceMs milliseconds that the command has to come back */
  constructor(system: System, graceMs = GRACE_MS) {
    this.system = system;
    this.graceMs = graceMs;
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The exit status that the signal asks for; undefined if none came. */
  get status(): number | undefined {
    return this.asked;
  }

  /** From now on signals are heard, until `close`. */
  listen(): void {
    this.undo = this.system.onSignal((status) => this.hear(status));
  }

  /** The command has come back: signals mean again what they always do. */
  close(): void {
    this.undo();
    this.forget();
  }

  private hear(status: number): void {
    if (this.asked !== undefined) {
      this.system.exit(this.asked);
      return;
    }
    this.asked = status;
    this.forget = this.system.after(this.graceMs, () => this.system.exit(status));
    this.controller.abort(new Error("a signal asked for the end"));
  }
}
