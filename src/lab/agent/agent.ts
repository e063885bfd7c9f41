import { randomBytes } from "node:crypto";
import { assert } from "../../assert.ts";
import { LabError } from "../lab-error.ts";
import { type AgentEvent, type Answer, AnswerReader, speaksOurProtocol } from "./answer-reader.ts";

/** Bytes both ways: a socket, or what a test puts in its place. */
export interface ByteStream {
  write(bytes: Uint8Array): void;
  /** Everything that comes is given to `listener`, in order, cut anywhere. */
  onData(listener: (bytes: Uint8Array) => void): void;
}

/** A request the guest refused, or could not answer. One line. */
export class AgentError extends LabError {
  override name = "AgentError";
}

/** The request that the guest is at. */
interface Waiting {
  readonly what: string;
  readonly settle: (answer: Answer) => void;
  readonly refuse: (error: AgentError) => void;
}

interface Request {
  readonly verb: "ping" | "run" | "get" | "put" | "append" | "snapshot" | "poweroff" | "reboot" | "kexec";
  /** What an error says was asked, such as "read of /proc/meminfo". */
  readonly what: string;
  readonly path?: string;
  readonly payload?: Uint8Array;
}

/** The guest's terminal buffers 64 KiB that its reader has not taken, and drops what is more. */
const CHUNK_BYTES = 32 * 1024;
const NOTHING = new Uint8Array();
const READY = "waiting for the guest's agent";

/** First line of what a command said on its standard error, for a message; "it said nothing" if it did not. */
const firstLine = (stderr: Uint8Array): string => {
  const line = new TextDecoder().decode(stderr).trim().split("\n")[0] ?? "";
  return line.replace(/^(\/\S+: line \d+: )+/, "") || "it said nothing";
};

/**
 * The host's end of the agent in the guest: one request at a time, in the order they were made.
 *
 * Every request takes an AbortSignal. A request given up may still be done in the guest; its answer is dropped, and
 * the next one is sent when the guest is through with it.
 */
export class Agent {
  readonly #stream: ByteStream;
  readonly #newId: () => string;
  readonly #reader = new AnswerReader();
  readonly #greetings: ((event: AgentEvent & { kind: "ready" }) => void)[] = [];
  #waiting: Waiting | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #boot: string | undefined;
  #dead: string | undefined;
  #heard = 0;
  /** How many wait for the greeting. */
  #awaited = 0;
  #onDeath: (() => void)[] = [];

  /** @param newId a word that no output of the guest contains; random if left out */
  constructor(stream: ByteStream, newId = (): string => randomBytes(8).toString("hex")) {
    this.#stream = stream;
    this.#newId = newId;
    stream.onData((bytes) => this.#received(bytes));
  }

  /** The kernel's boot id, another one after each reboot or kexec; undefined before the agent said it is ready. */
  get boot(): string | undefined {
    return this.#boot;
  }

  /** What the guest is asked just now, or that its greeting is waited for; undefined if neither. */
  get owed(): string | undefined {
    return this.#waiting?.what ?? (this.#awaited > 0 ? READY : undefined);
  }

  /** Bytes that the guest has sent. */
  get heard(): number {
    return this.#heard;
  }

  /** The guest is gone, say because QEMU ended: what waits and what is asked from now on fails with `reason`. */
  guestDied(reason: string): void {
    this.#dead ??= reason;
    this.#waiting?.refuse(new AgentError(`${this.#waiting.what}: ${reason}`));
    for (const told of this.#onDeath.splice(0)) told();
  }

  /**
   * Waits until the agent is ready: at once if it is, unless `after` names the boot that it is ready in.
   *
   * @param after a boot id; waits for the greeting of another boot, as after a kexec
   * @returns the boot id
   */
  async ready(signal?: AbortSignal, after?: string): Promise<string> {
    for (;;) {
      if (this.#dead !== undefined) throw new AgentError(`${READY}: ${this.#dead}`);
      if (this.#boot !== undefined && this.#boot !== after) return this.#boot;
      this.#awaited++;
      await this.#unlessAborted<void>(signal, READY, (resolve) => {
        this.#greetings.push(() => resolve());
        this.#onDeath.push(resolve);
      }).finally(() => this.#awaited--);
    }
  }

  /** Asks for a round trip and nothing else. */
  async ping(signal?: AbortSignal): Promise<void> {
    await this.#ask({ verb: "ping", what: "ping" }, signal);
  }

  /**
   * Runs a snippet of shell, with a shell of its own and no input. Any exit status is an answer.
   *
   * @param what what errors say was asked; the snippet's first line if left out
   */
  run(snippet: string, signal?: AbortSignal, what?: string): Promise<Answer> {
    const asked = what ?? `\`${snippet.trim().split("\n")[0]?.slice(0, 60)}\` in the guest`;
    return this.#ask({ verb: "run", what: asked, payload: new TextEncoder().encode(`${snippet}\n`) }, signal);
  }

  /** Runs a snippet that has to succeed. @returns its standard output, as text */
  async output(snippet: string, signal?: AbortSignal): Promise<string> {
    const { status, stdout, stderr } = await this.run(snippet, signal);
    if (status === 0) return new TextDecoder().decode(stdout);
    const first = snippet.trim().split("\n")[0];
    throw new AgentError(`the guest's \`${first}\` ended with status ${status}: ${firstLine(stderr)}`);
  }

  /** The contents of a file of the guest, also of /proc and /sys. */
  async readFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#done({ verb: "get", what: `read of ${path} in the guest`, path }, signal);
  }

  /** Writes a file of the guest, or one of its control files in /proc and /sys, which take one write of up to 32 KiB. */
  async writeFile(path: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const what = `write of ${path} in the guest`;
    for (let at = 0; at === 0 || at < bytes.length; at += CHUNK_BYTES) {
      const payload = bytes.subarray(at, at + CHUNK_BYTES);
      await this.#done({ verb: at === 0 ? "put" : "append", what, path, payload }, signal);
    }
  }

  /** Every line of the files that a snapshot reads, as `PATH:LINE`. */
  async snapshotLines(signal?: AbortSignal): Promise<string> {
    const bytes = await this.#done({ verb: "snapshot", what: "snapshot of the guest's memory" }, signal);
    return new TextDecoder().decode(bytes);
  }

  /** Turns the guest off, reboots it, or starts the kernel loaded before. The answer comes just before it happens. */
  async depart(verb: "poweroff" | "reboot" | "kexec", signal?: AbortSignal): Promise<void> {
    await this.#done({ verb, what: `${verb} of the guest` }, signal);
  }

  async #done(request: Request, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { status, stdout, stderr } = await this.#ask(request, signal);
    if (status !== 0) throw new AgentError(`${request.what}: ${firstLine(stderr)}`);
    return stdout;
  }

  /**
   * Puts the request after those made before it. Given up before its turn, it is never sent. Given up later, its turn
   * lasts until the guest is through: the guest takes no second request before.
   */
  #ask(request: Request, signal: AbortSignal | undefined): Promise<Answer> {
    const turn = this.#last.then(() => {
      if (signal?.aborted) throw new AgentError(`${request.what}: given up (${reasonOf(signal)})`);
      return this.#send(request);
    });
    this.#last = turn.catch(() => undefined);
    return this.#unlessAborted(signal, request.what, (settle, refuse) => {
      turn.then(settle, refuse);
    });
  }

  async #send({ verb, what, path = "", payload = NOTHING }: Request): Promise<Answer> {
    assert(!/[\n\0]/.test(path) && path.trim() === path, "a path fits on a request's line");
    if (this.#dead !== undefined) throw new AgentError(`${what}: ${this.#dead}`);
    if (this.#boot === undefined) throw new AgentError(`${what}: the guest's agent is not ready`);
    const id = this.#newId();
    const line = new TextEncoder().encode(`@${id} ${verb} ${payload.length} ${path}\n`);
    try {
      return await new Promise<Answer>((settle, refuse) => {
        this.#waiting = { what, settle, refuse };
        this.#reader.expect(id);
        this.#stream.write(Buffer.concat([line, payload]));
      });
    } finally {
      this.#waiting = undefined;
      this.#reader.expect(undefined);
    }
  }

  /** A promise that the signal can end. */
  #unlessAborted<T>(
    signal: AbortSignal | undefined,
    what: string,
    start: (resolve: (value: T) => void, reject: (error: AgentError) => void) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void => reject(new AgentError(`${what}: given up (${reasonOf(signal)})`));
      if (signal?.aborted) return giveUp();
      signal?.addEventListener("abort", giveUp, { once: true });
      const ended = (): void => signal?.removeEventListener("abort", giveUp);
      start(
        (value) => {
          ended();
          resolve(value);
        },
        (error) => {
          ended();
          reject(error);
        },
      );
    });
  }

  #received(bytes: Uint8Array): void {
    this.#heard += bytes.length;
    for (const event of this.#reader.feed(bytes)) {
      if (event.kind === "answer") this.#waiting?.settle(event.answer);
      else this.#greeted(event);
    }
  }

  #greeted(event: AgentEvent & { kind: "ready" }): void {
    if (!speaksOurProtocol(event.protocol)) {
      this.guestDied(`its agent speaks version ${event.protocol} of the protocol; build the initramfs anew`);
      return;
    }
    this.#boot = event.boot;
    this.#waiting?.refuse(new AgentError(`${this.#waiting.what}: the guest started again meanwhile`));
    for (const told of this.#greetings.splice(0)) told(event);
  }
}

const reasonOf = (signal: AbortSignal | undefined): string =>
  signal?.reason instanceof Error ? signal.reason.message : String(signal?.reason);
