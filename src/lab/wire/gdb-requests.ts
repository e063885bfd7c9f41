import { GdbFormatError, shown } from "../../protocol/gdb-remote/gdb-error.ts";
import { encodePacket, type GdbFrame, INTERRUPT, PacketDecoder } from "../../protocol/gdb-remote/packets.ts";
import { checkOk, refusalOf } from "../../protocol/gdb-remote/replies.ts";
import { isStopReply, type StopReply, stopReplyOf } from "../../protocol/gdb-remote/stop-reply.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionEnded } from "./connection-ended.ts";
import { GdbRefused, GuestRuns } from "./gdb-refused.ts";
import { minded } from "./minded.ts";

/** How the guest came to rest, or to its end. */
export type Stop = Exclude<StopReply, { readonly kind: "output" }>;

/** One request on its way. */
interface Waiting {
  readonly request: string;
  readonly resumes: boolean;
  /** @throws GdbFormatError if the payload is no answer to the request */
  readonly answer: (payload: Uint8Array) => void;
  readonly fail: (error: Error) => void;
}

/**
 * Requests and their answers over one gdb connection, in order. Requests may be written before earlier ones are
 * answered; one that resumes the guest is the last until the guest stops.
 */
export class GdbRequests {
  private readonly connection: Connection;
  private readonly decoder = new PacketDecoder();
  private readonly waiting: Waiting[] = [];
  private gathered: Uint8Array[] | undefined;
  private resumed = false;
  private strays = 0;
  /** Takes what the stub or the guest prints through gdb. */
  onOutput: ((bytes: Uint8Array) => void) | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.listen({
      take: (chunk) => {
        for (const frame of this.decoder.push(chunk)) this.takeFrame(frame);
      },
      ended: (error) => this.failAll(error),
    });
  }

  /** Whether the guest was resumed and has not stopped. */
  get running(): boolean {
    return this.resumed;
  }

  /** Stop replies that nobody asked for: another client resumed or stopped the guest. */
  get strayStops(): number {
    return this.strays;
  }

  /**
   * Sends one request.
   *
   * @param decode reads the answer; what it throws ends the connection, as question and answer no longer match
   * @throws GdbRefused, GuestRuns, ConnectionEnded (as rejections)
   */
  ask<T>(request: string, decode: (payload: Uint8Array) => T): Promise<T> {
    return minded(
      new Promise((resolve, reject) => {
        const answer = (payload: Uint8Array): void => {
          const refusal = refusalOf(payload);
          if (refusal === undefined) resolve(decode(payload));
          else reject(new GdbRefused(this.connection.path, request, refusal));
        };
        this.send({ request, resumes: false, answer, fail: reject });
      }),
    );
  }

  /** Sends a request that is answered with `OK`. */
  demand(request: string): Promise<void> {
    return this.ask(request, checkOk);
  }

  /** Sends a request that lets the guest run, and waits until it stops. */
  resume(request: string): Promise<Stop> {
    return minded(
      new Promise((resolve, reject) => {
        const answer = (payload: Uint8Array): void => {
          this.resumed = false;
          const refusal = refusalOf(payload);
          if (refusal !== undefined) {
            reject(new GdbRefused(this.connection.path, request, refusal));
            return;
          }
          const stop = stopReplyOf(payload);
          if (stop.kind !== "output") resolve(stop);
        };
        if (this.send({ request, resumes: true, answer, fail: reject })) this.resumed = true;
      }),
    );
  }

  /** Writes a packet that nothing answers. */
  tell(request: string): void {
    this.write(encodePacket(request));
  }

  /** Stops a running guest: the resume that waits gets its stop. Does nothing while the guest is stopped. */
  interrupt(): void {
    if (this.resumed) this.write(Uint8Array.of(INTERRUPT));
  }

  /** What `work` sends leaves in one write. `work` must make all its requests before it first waits. */
  batch<T>(work: () => T): T {
    if (this.gathered !== undefined) return work();
    const gathered: Uint8Array[] = [];
    this.gathered = gathered;
    try {
      return work();
    } finally {
      this.gathered = undefined;
      if (gathered.length > 0) this.connection.write(Buffer.concat(gathered));
    }
  }

  private write(bytes: Uint8Array): void {
    if (this.gathered === undefined) this.connection.write(bytes);
    else this.gathered.push(bytes);
  }

  private send(waiting: Waiting): boolean {
    const { error } = this.connection;
    if (error !== undefined) waiting.fail(error);
    else if (this.resumed) waiting.fail(new GuestRuns(this.connection.path, waiting.request));
    else {
      this.waiting.push(waiting);
      this.write(encodePacket(waiting.request));
      return true;
    }
    return false;
  }

  private takeFrame(frame: GdbFrame): void {
    if (frame.kind === "nack")
      throw new GdbFormatError("gdb stub", "an acknowledgement", "a refused checksum");
    if (frame.kind === "packet") this.takePayload(frame.payload);
  }

  private takePayload(payload: Uint8Array): void {
    const head = this.waiting[0];
    if (isOutput(payload)) {
      const reply = stopReplyOf(payload);
      if (reply.kind === "output") this.onOutput?.(reply.bytes);
      return;
    }
    if (isStopReply(payload) && head?.resumes !== true) {
      this.strays++;
      return;
    }
    if (head === undefined)
      throw new GdbFormatError("gdb stub", "no answer without a request", shown(payload));
    this.waiting.shift();
    try {
      head.answer(payload);
    } catch (error) {
      this.waiting.unshift(head);
      throw error;
    }
  }

  private failAll(error: ConnectionEnded): void {
    this.resumed = false;
    for (const { fail } of this.waiting.splice(0)) fail(error);
  }
}

/** `O` and digits; `OK` is not one. */
const isOutput = (payload: Uint8Array): boolean => payload[0] === 0x4f && payload[1] !== 0x4b;
