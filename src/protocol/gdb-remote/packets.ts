import { assert } from "../../assert.ts";
import { GdbFormatError, shown } from "./gdb-error.ts";
import { bytesOf, nibble } from "./hex-text.ts";

/** What stands on the wire between the payloads. @source GDB manual, Remote Protocol, Overview */
const MARK = { packet: 0x24, notification: 0x25, end: 0x23, escape: 0x7d, run: 0x2a } as const;
const ACK = 0x2b;
const NACK = 0x2d;
/** Ctrl-C, outside any packet: stop the guest. */
export const INTERRUPT = 0x03;

/** An escaped byte is sent as itself XOR this. */
const ESCAPED = 0x20;
/** A run's count character minus this is how often the character before it comes again. */
const RUN_BIAS = 29;
const SHORTEST_RUN = 3;
const LAST_PRINTABLE = 0x7e;

const mustEscape = (byte: number): boolean =>
  byte === MARK.packet || byte === MARK.end || byte === MARK.escape || byte === MARK.run;

const HEX_DIGITS = bytesOf("0123456789abcdef");

/** `$payload#cs`. A string gives one byte a character. What must not stand in a payload is escaped. */
export const encodePacket = (payload: string | Uint8Array): Uint8Array => {
  const bytes = typeof payload === "string" ? bytesOf(payload) : payload;
  let escapes = 0;
  for (const byte of bytes) if (mustEscape(byte)) escapes++;
  const packet = new Uint8Array(bytes.length + escapes + 4);
  let at = 0;
  let sum = 0;
  const put = (byte: number): void => {
    packet[at++] = byte;
    sum += byte;
  };
  packet[at++] = MARK.packet;
  for (const byte of bytes) {
    if (mustEscape(byte)) {
      put(MARK.escape);
      put(byte ^ ESCAPED);
    } else put(byte);
  }
  packet[at++] = MARK.end;
  packet[at++] = HEX_DIGITS[(sum >> 4) & 15]!;
  packet[at++] = HEX_DIGITS[sum & 15]!;
  return packet;
};

/** One thing that came over the wire. */
export type GdbFrame =
  | { readonly kind: "packet" | "notification"; readonly payload: Uint8Array }
  | { readonly kind: "ack" | "nack" | "interrupt" };

/** Longest payload taken by default, in bytes. QEMU's packets have at most 4096. */
export const LONGEST_PAYLOAD = 1 << 20;

const BETWEEN: { readonly [byte: number]: GdbFrame["kind"] } = {
  [MARK.packet]: "packet",
  [MARK.notification]: "notification",
  [ACK]: "ack",
  [NACK]: "nack",
  [INTERRUPT]: "interrupt",
};

/**
 * Takes a gdb remote stream apart, wherever its chunks are cut: either direction, either side.
 *
 * Runs are written out and escapes undone. After an error the stream is lost, and the decoder stays in error.
 */
export class PacketDecoder {
  private readonly longest: number;
  private state: "between" | "payload" | "run" | "sum-high" | "sum-low" | "failed" = "between";
  private kind: "packet" | "notification" = "packet";
  /** The payload so far, runs written out, escapes still in it. */
  private raw = new Uint8Array(1024);
  private length = 0;
  private escapes = false;
  private sum = 0;
  private claimed = 0;

  constructor(longest: number = LONGEST_PAYLOAD) {
    assert(longest > 0, "a payload has room");
    this.longest = longest;
  }

  /** Whether a packet has begun and not ended. */
  get midway(): boolean {
    return this.state !== "between" && this.state !== "failed";
  }

  /**
   * The frames that `chunk` completes, in order.
   *
   * @throws GdbFormatError at a byte that belongs to no packet, a wrong checksum, a malformed run or escape, or
   *   a payload longer than the bound; the frames before it in the chunk are lost with it
   */
  push(chunk: Uint8Array): GdbFrame[] {
    if (this.state === "failed") throw new GdbFormatError("gdb stream", "a sound stream", "one that broke");
    const frames: GdbFrame[] = [];
    try {
      let at = 0;
      while (at < chunk.length) {
        if (this.state === "payload") at = this.takePlain(chunk, at);
        if (at < chunk.length) this.take(chunk[at++]!, frames);
      }
    } catch (error) {
      this.state = "failed";
      throw error;
    }
    return frames;
  }

  /** Takes the bytes from `from` on that stand for themselves, at once. @returns where the first other one is */
  private takePlain(chunk: Uint8Array, from: number): number {
    let at = from;
    let sum = this.sum;
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (mustEscape(byte)) break;
      sum += byte;
    }
    this.sum = sum;
    this.makeRoom(at - from);
    this.raw.set(chunk.subarray(from, at), this.length);
    this.length += at - from;
    return at;
  }

  private take(byte: number, frames: GdbFrame[]): void {
    if (this.state === "payload") this.takePayload(byte);
    else if (this.state === "between") this.takeBetween(byte, frames);
    else if (this.state === "run") this.takeRun(byte);
    else if (this.state === "sum-low") this.takeLast(byte, frames);
    else {
      this.claimed = this.digit(byte) * 16;
      this.state = "sum-low";
    }
  }

  private takeBetween(byte: number, frames: GdbFrame[]): void {
    const kind = BETWEEN[byte];
    if (kind === undefined) throw new GdbFormatError("gdb stream", "a packet", shown(Uint8Array.of(byte)));
    if (kind !== "packet" && kind !== "notification") {
      frames.push({ kind });
      return;
    }
    this.kind = kind;
    this.state = "payload";
    this.length = 0;
    this.sum = 0;
    this.escapes = false;
  }

  private takePayload(byte: number): void {
    if (byte === MARK.end) {
      this.state = "sum-high";
      return;
    }
    if (byte === MARK.packet)
      throw new GdbFormatError("gdb packet", 'no bare "$" inside', shown(this.soFar()));
    this.sum += byte;
    if (byte === MARK.run) {
      if (this.length === 0) throw new GdbFormatError("gdb packet", "a character before a run", '"*"');
      this.state = "run";
      return;
    }
    if (byte === MARK.escape) this.escapes = true;
    this.put(byte, 1);
  }

  private takeRun(byte: number): void {
    const more = byte - RUN_BIAS;
    if (more < SHORTEST_RUN || byte > LAST_PRINTABLE || byte === MARK.end || byte === MARK.packet) {
      throw new GdbFormatError("gdb packet", "a run's count", shown(Uint8Array.of(byte)));
    }
    this.sum += byte;
    this.put(this.raw[this.length - 1]!, more);
    this.state = "payload";
  }

  private takeLast(byte: number, frames: GdbFrame[]): void {
    const claimed = this.claimed + this.digit(byte);
    if (claimed !== (this.sum & 0xff)) {
      const [sum, found] = [this.sum & 0xff, claimed].map((n) => n.toString(16).padStart(2, "0"));
      throw new GdbFormatError(`gdb packet ${shown(this.soFar())}`, `checksum ${sum}`, `${found}`);
    }
    frames.push({ kind: this.kind, payload: this.escapes ? this.unescaped() : this.soFar().slice() });
    this.state = "between";
  }

  private digit(byte: number): number {
    const value = nibble(byte);
    if (value > 15) throw new GdbFormatError("gdb packet", "a checksum digit", shown(Uint8Array.of(byte)));
    return value;
  }

  private soFar(): Uint8Array {
    return this.raw.subarray(0, this.length);
  }

  private put(byte: number, count: number): void {
    this.makeRoom(count);
    this.raw.fill(byte, this.length, this.length + count);
    this.length += count;
  }

  private makeRoom(count: number): void {
    const end = this.length + count;
    if (end > this.longest) {
      throw new GdbFormatError("gdb packet", `at most ${this.longest} bytes`, `${end} and no end`);
    }
    if (end <= this.raw.length) return;
    const larger = new Uint8Array(Math.min(this.longest, 2 * end));
    larger.set(this.soFar());
    this.raw = larger;
  }

  private unescaped(): Uint8Array {
    const plain = new Uint8Array(this.length);
    let length = 0;
    for (let at = 0; at < this.length; at++) {
      const byte = this.raw[at]!;
      if (byte !== MARK.escape) plain[length++] = byte;
      else if (++at < this.length) plain[length++] = this.raw[at]! ^ ESCAPED;
      else throw new GdbFormatError("gdb packet", "a byte after an escape", shown(this.soFar()));
    }
    return plain.slice(0, length);
  }
}
