import { encodeLine, fitsLine, LineDecoder, LONGEST_TEXT } from "../../protocol/guest-lines/line-frames.ts";
import { LabError } from "../lab-error.ts";
import { Connection, type ConnectOptions } from "./connection.ts";
import type { ConnectionEnded } from "./connection-ended.ts";
import { minded } from "./minded.ts";

export interface SerialOptions extends ConnectOptions {
  /** Takes the lines that are not the channel's: kernel messages, a shell's prompt. For a log. */
  readonly onNoise?: (line: string) => void;
}

/** Texts kept for a reader that does not come. */
const MOST_UNREAD = 10_000;

/** What came that was no text for us. */
export interface SerialCounts {
  readonly echoes: number;
  readonly noise: number;
  /** Lines with our mark whose count did not hold: each is a text that was lost. */
  readonly damaged: number;
}

interface Reader {
  readonly resolve: (text: string) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lines of text to and from a program in the guest, over a serial port that QEMU gives as a unix socket.
 *
 * The frames are those of protocol/guest-lines. Texts that come while nobody reads are kept, in order, up to a
 * bound; beyond it the connection ends, as a text would be lost.
 */
export class SerialChannel {
  private readonly connection: Connection;
  private readonly onNoise: ((line: string) => void) | undefined;
  private readonly decoder = new TextDecoder();
  private readonly lines = new LineDecoder("fromGuest");
  private readonly unread: string[] = [];
  private readonly readers: Reader[] = [];
  private readonly seen = { echoes: 0, noise: 0, damaged: 0 };

  private constructor(connection: Connection, onNoise: ((line: string) => void) | undefined) {
    this.connection = connection;
    this.onNoise = onNoise;
    connection.listen({ take: (chunk) => this.take(chunk), ended: (error) => this.fail(error) });
  }

  /** @throws ConnectionEnded */
  static async connect(path: string, options: SerialOptions = {}): Promise<SerialChannel> {
    return new SerialChannel(await Connection.open("serial port", path, options), options.onNoise);
  }

  get counts(): SerialCounts {
    return { ...this.seen };
  }

  /** @throws LabError if the text is too long or not printable ASCII; ConnectionEnded */
  send(text: string): void {
    const { error, path } = this.connection;
    if (error !== undefined) throw error;
    if (!fitsLine(text)) {
      throw new LabError(
        `serial port at ${path}: a line of ${text.length} characters was to be sent; send printable ASCII, at most ${LONGEST_TEXT}`,
      );
    }
    this.connection.write(encodeLine("toGuest", text));
  }

  /**
   * The next text that nobody has read. Several calls may wait; they are served in order.
   *
   * @throws ConnectionEnded when no text is left and none can come, or the reason of `signal`; as rejections
   */
  next(signal?: AbortSignal): Promise<string> {
    const text = this.unread.shift();
    if (text !== undefined) return Promise.resolve(text);
    if (this.connection.error !== undefined) return minded(Promise.reject(this.connection.error));
    if (signal?.aborted) return minded(Promise.reject(signal.reason));
    return minded(
      new Promise((resolve, reject) => {
        const aborted = (): void => {
          this.readers.splice(this.readers.indexOf(reader), 1);
          reject(signal?.reason);
        };
        const settled = (): void => signal?.removeEventListener("abort", aborted);
        const reader: Reader = {
          resolve: (found) => {
            settled();
            resolve(found);
          },
          reject: (error) => {
            settled();
            reject(error);
          },
        };
        this.readers.push(reader);
        signal?.addEventListener("abort", aborted, { once: true });
      }),
    );
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private take(chunk: Uint8Array): void {
    for (const line of this.lines.push(this.decoder.decode(chunk, { stream: true }))) {
      if (line.kind === "text") this.deliver(line.text);
      else if (line.kind === "echo") this.seen.echoes++;
      else {
        this.seen[line.kind]++;
        this.onNoise?.(line.line);
      }
    }
  }

  private deliver(text: string): void {
    const reader = this.readers.shift();
    if (reader !== undefined) reader.resolve(text);
    else if (this.unread.length < MOST_UNREAD) this.unread.push(text);
    else throw new LabError(`${MOST_UNREAD} lines from the guest and no reader`);
  }

  private fail(error: ConnectionEnded): void {
    for (const { reject } of this.readers.splice(0)) reject(error);
  }
}
