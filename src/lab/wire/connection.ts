import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ConnectionEnded, type EndReason } from "./connection-ended.ts";

export interface ConnectOptions {
  /** Ends the connection, at any time of its life. */
  readonly signal?: AbortSignal;
  /**
   * How long to wait for somebody to listen at the path, in milliseconds; without it one try is made. QEMU makes
   * its sockets while it starts.
   */
  readonly patienceMs?: number;
}

/** Bytes of a path that the system's address of a unix socket has room for, its final zero aside. */
const LONGEST_PATH = 107;
const RETRY_MS = 5;

/** What a protocol does with a connection. Both are called until `ended`, which is called once. */
export interface Listener {
  /** Takes bytes. What it throws ends the connection as malformed. */
  take(chunk: Uint8Array): void;
  ended(error: ConnectionEnded): void;
}

const connected = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });

/** Errors that go away when the other side has come up. */
const isEarly = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ECONNREFUSED");

const connectedInTime = async (peer: string, path: string, options: ConnectOptions): Promise<Socket> => {
  const { signal, patienceMs = 0 } = options;
  const until = performance.now() + patienceMs;
  for (;;) {
    if (signal?.aborted) throw new ConnectionEnded(peer, path, "aborted", signal.reason);
    try {
      return await connected(path);
    } catch (error) {
      if (!isEarly(error) || performance.now() >= until) {
        throw new ConnectionEnded(peer, path, "not there", error);
      }
    }
    await delay(RETRY_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
};

/** A unix socket that ends once, with one error. It carries bytes and knows no protocol. */
export class Connection {
  readonly peer: string;
  readonly path: string;
  private readonly socket: Socket;
  private readonly signal: AbortSignal | undefined;
  private listener: Listener | undefined;
  private end: ConnectionEnded | undefined;
  private failure: Error | undefined;
  private readonly aborted = (): void => this.finish("aborted", this.signal?.reason);

  private constructor(peer: string, path: string, socket: Socket, signal: AbortSignal | undefined) {
    this.peer = peer;
    this.path = path;
    this.socket = socket;
    this.signal = signal;
    socket.on("error", (error) => {
      this.failure = error;
    });
    socket.on("close", () => this.finish("closed by peer", this.failure));
    socket.on("end", () => this.finish("closed by peer"));
    signal?.addEventListener("abort", this.aborted, { once: true });
    if (signal?.aborted) this.aborted();
  }

  /** @throws ConnectionEnded if nobody listens at `path`, in time */
  static async open(peer: string, path: string, options: ConnectOptions = {}): Promise<Connection> {
    if (Buffer.byteLength(path) > LONGEST_PATH) throw new ConnectionEnded(peer, path, "too long");
    return new Connection(peer, path, await connectedInTime(peer, path, options), options.signal);
  }

  /** Bytes flow from here on. */
  listen(listener: Listener): void {
    this.listener = listener;
    if (this.end !== undefined) {
      listener.ended(this.end);
      return;
    }
    this.socket.on("data", (chunk) => {
      if (this.end !== undefined) return;
      try {
        listener.take(chunk);
      } catch (error) {
        this.finish("malformed", error);
      }
    });
  }

  /** What the connection ended with; undefined while it lives. */
  get error(): ConnectionEnded | undefined {
    return this.end;
  }

  /** Does nothing once the connection has ended. */
  write(bytes: Uint8Array | string): void {
    if (this.end === undefined) this.socket.write(bytes);
  }

  /** Ends the connection; the first end counts. */
  finish(reason: EndReason, cause?: unknown): void {
    if (this.end !== undefined) return;
    this.end = new ConnectionEnded(this.peer, this.path, reason, cause);
    this.signal?.removeEventListener("abort", this.aborted);
    this.socket.destroy();
    this.listener?.ended(this.end);
  }

  /** Ends the connection and waits until the system has closed its socket. */
  async close(): Promise<void> {
    this.finish("closed");
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once("close", resolve));
  }
}
