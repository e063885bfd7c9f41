import { type EventData, type EventName, QMP_EVENTS } from "../../protocol/qmp/events.ts";
import type { QmpTimestamp } from "../../protocol/qmp/messages.ts";
import type { JsonObject, Shape } from "../../protocol/qmp/shape.ts";
import type { ConnectionEnded } from "./connection-ended.ts";
import { minded } from "./minded.ts";

/** One event, its data read by the table of events. */
export interface QmpEvent<E extends EventName = EventName> {
  readonly name: E;
  readonly data: EventData<E>;
  readonly timestamp: QmpTimestamp;
}

/** An event as it came, of whatever name. */
export interface AnyQmpEvent {
  readonly name: string;
  readonly data: JsonObject;
  readonly timestamp: QmpTimestamp;
}

type Listener = (event: AnyQmpEvent) => void;

/** Who listens to which events of one connection. */
export class QmpEvents {
  private readonly listeners = new Set<Listener>();
  private readonly waiting = new Set<(error: ConnectionEnded) => void>();
  private end: ConnectionEnded | undefined;

  /** Gives an event to everybody who listens at this moment, in the order in which they began. */
  emit(event: AnyQmpEvent): void {
    for (const listener of [...this.listeners]) if (this.listeners.has(listener)) listener(event);
  }

  /** No event comes any more. */
  finish(error: ConnectionEnded): void {
    this.end = error;
    for (const fail of [...this.waiting]) fail(error);
    this.listeners.clear();
  }

  /** @returns ends the listening */
  onAny(listener: Listener): () => void {
    // A function of its own, so that one listener may listen twice.
    const own: Listener = (event) => listener(event);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  on<E extends EventName>(name: E, listener: (event: QmpEvent<E>) => void): () => void {
    const shape: Shape<EventData<E>> = shapeOf(name);
    return this.onAny((event) => {
      if (event.name !== name) return;
      listener({ name, data: shape.read(event.data, `event ${name}`), timestamp: event.timestamp });
    });
  }

  waitFor<E extends EventName>(
    name: E,
    matches: (event: QmpEvent<E>) => boolean,
    signal?: AbortSignal,
  ): Promise<QmpEvent<E>> {
    if (this.end !== undefined) return minded(Promise.reject(this.end));
    if (signal?.aborted) return minded(Promise.reject(signal.reason));
    return minded(
      new Promise((resolve, reject) => {
        const stop = (): void => {
          off();
          this.waiting.delete(fail);
          signal?.removeEventListener("abort", aborted);
        };
        const fail = (error: unknown): void => {
          stop();
          reject(error);
        };
        const aborted = (): void => fail(signal?.reason);
        const off = this.on(name, (event) => {
          if (!matches(event)) return;
          stop();
          resolve(event);
        });
        this.waiting.add(fail);
        signal?.addEventListener("abort", aborted, { once: true });
      }),
    );
  }
}

/** The table's entry, with the type that belongs to the name. */
const shapeOf = <E extends EventName>(name: E): Shape<EventData<E>> => {
  const shapes: { readonly [name in EventName]: Shape<EventData<name>> } = QMP_EVENTS;
  return shapes[name];
};
