import {
  type ArgumentsOf,
  type CommandName,
  QMP_COMMANDS,
  type QmpVersion,
  type ReturnOf,
} from "../../protocol/qmp/commands.ts";
import type { EventName } from "../../protocol/qmp/events.ts";
import { JsonStream } from "../../protocol/qmp/json-stream.ts";
import {
  encodeClientMessage,
  type QmpFailure,
  type ServerMessage,
  serverMessageOf,
} from "../../protocol/qmp/messages.ts";
import { QmpFormatError, shownText } from "../../protocol/qmp/qmp-error.ts";
import type { Json, JsonObject, Shape } from "../../protocol/qmp/shape.ts";
import { Connection, type ConnectOptions } from "./connection.ts";
import type { ConnectionEnded } from "./connection-ended.ts";
import { minded } from "./minded.ts";
import { type AnyQmpEvent, type QmpEvent, QmpEvents } from "./qmp-events.ts";
import { QmpRefused } from "./qmp-refused.ts";

export type { AnyQmpEvent, QmpEvent } from "./qmp-events.ts";

interface Waiting {
  /** @throws QmpFormatError if the value is not what the command returns */
  readonly done: (value: Json) => void;
  readonly refused: (failure: QmpFailure) => void;
  readonly fail: (error: Error) => void;
}

/** Left out where the command needs no arguments. */
type ArgumentsParameter<C extends CommandName> =
  Record<never, never> extends ArgumentsOf<C> ? [args?: ArgumentsOf<C>] : [args: ArgumentsOf<C>];

/**
 * An operator's side of a QMP monitor.
 *
 * Commands may be sent before earlier ones are answered. An event may come before or after the answer to the
 * command that causes it: begin to wait for it before the command is sent. When the connection ends, all that
 * waits is rejected with one ConnectionEnded.
 */
export class QmpClient {
  private readonly connection: Connection;
  private readonly decoder = new TextDecoder();
  private readonly stream = new JsonStream();
  private readonly waiting = new Map<number, Waiting>();
  private readonly events = new QmpEvents();
  private nextId = 1;
  private greeted: ((message: QmpVersion) => void) | undefined;
  private refuseGreeting: ((error: ConnectionEnded) => void) | undefined;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  /**
   * Connects, takes the greeting and leaves the negotiation. A monitor serves one client at a time: a second one
   * waits until the first has gone, for which `signal` is the way out.
   *
   * @throws ConnectionEnded, QmpRefused
   */
  static async connect(path: string, options: ConnectOptions = {}): Promise<QmpClient> {
    const client = new QmpClient(await Connection.open("QMP monitor", path, options));
    try {
      await client.negotiate();
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  /** QEMU's version, from its greeting. */
  get version(): QmpVersion {
    return this.greeting;
  }
  private greeting: QmpVersion = { qemu: { major: 0, minor: 0, micro: 0 }, package: "" };

  /**
   * Sends a command.
   *
   * @returns what it returns, checked against the table of commands
   * @throws QmpRefused (QEMU answers with an error), ConnectionEnded; as rejections
   */
  execute<C extends CommandName>(name: C, ...[args]: ArgumentsParameter<C>): Promise<ReturnOf<C>> {
    const shapes: { readonly [name in CommandName]: { readonly returns: Shape<ReturnOf<name>> } } =
      QMP_COMMANDS;
    const returns: Shape<ReturnOf<C>> = shapes[name].returns;
    return this.send(name, { ...args }, (value) => returns.read(value, `return of ${name}`));
  }

  /** Sends a command that the table does not have. What it returns is not checked. */
  executeAny(name: string, args: JsonObject = {}): Promise<Json> {
    return this.send(name, args, (value) => value);
  }

  /** @returns ends the listening. A listener must not throw. */
  on<E extends EventName>(name: E, listener: (event: QmpEvent<E>) => void): () => void {
    return this.events.on(name, listener);
  }

  /** Every event, those that the table does not have too, as they came. */
  onAny(listener: (event: AnyQmpEvent) => void): () => void {
    return this.events.onAny(listener);
  }

  /** The next event of that name. */
  once<E extends EventName>(name: E, signal?: AbortSignal): Promise<QmpEvent<E>> {
    return this.events.waitFor(name, () => true, signal);
  }

  /**
   * The next event of that name that `matches`. Only events that come after the call count.
   *
   * @throws ConnectionEnded, or the reason of `signal`; as rejections
   */
  waitFor<E extends EventName>(
    name: E,
    matches: (event: QmpEvent<E>) => boolean,
    signal?: AbortSignal,
  ): Promise<QmpEvent<E>> {
    return this.events.waitFor(name, matches, signal);
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private async negotiate(): Promise<void> {
    const greeting = new Promise<QmpVersion>((resolve, reject) => {
      this.greeted = resolve;
      this.refuseGreeting = reject;
    });
    this.connection.listen({
      take: (chunk) => this.take(chunk),
      ended: (error) => this.fail(error),
    });
    this.greeting = await greeting;
    await this.execute("qmp_capabilities");
  }

  private send<T>(name: string, args: JsonObject, read: (value: Json) => T): Promise<T> {
    return minded(
      new Promise((resolve, reject) => {
        const { error, path } = this.connection;
        if (error !== undefined) {
          reject(error);
          return;
        }
        const id = this.nextId++;
        this.waiting.set(id, {
          done: (value) => resolve(read(value)),
          refused: (failure) => reject(new QmpRefused(path, name, failure)),
          fail: reject,
        });
        this.connection.write(encodeClientMessage({ name, args, id }));
      }),
    );
  }

  private take(chunk: Uint8Array): void {
    for (const piece of this.stream.push(this.decoder.decode(chunk, { stream: true }))) {
      if (piece.kind === "malformed") throw piece.error;
      this.takeMessage(serverMessageOf(piece.text));
    }
  }

  private takeMessage(message: ServerMessage): void {
    if (message.kind === "greeting") {
      this.greeted?.(message.version);
    } else if (message.kind === "event") {
      this.events.emit(message);
    } else {
      const waiting = typeof message.id === "number" ? this.waiting.get(message.id) : undefined;
      if (waiting === undefined)
        throw new QmpFormatError("QMP answer", "the id of a command", shownAnswer(message));
      this.waiting.delete(Number(message.id));
      if (message.kind === "error") waiting.refused(message.failure);
      else this.settle(waiting, message.value);
    }
  }

  private settle(waiting: Waiting, value: Json): void {
    try {
      waiting.done(value);
    } catch (error) {
      // The answer is not what the command returns: one command's trouble, but nothing said after it can be trusted.
      this.connection.finish("malformed", error);
      const { error: end } = this.connection;
      if (end !== undefined) waiting.fail(end);
    }
  }

  private fail(error: ConnectionEnded): void {
    this.refuseGreeting?.(error);
    for (const { fail } of this.waiting.values()) fail(error);
    this.waiting.clear();
    this.events.finish(error);
  }
}

const shownAnswer = (message: ServerMessage): string =>
  message.kind === "error" ? shownText(`${message.failure.class}: ${message.failure.desc}`) : "none of ours";
