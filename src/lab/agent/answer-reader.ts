import { AGENT_PROTOCOL, GREETING } from "./guest-init.ts";

/** What the guest answered to one request. */
export interface Answer {
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

export type AgentEvent =
  /** The agent has started: at boot, after a reboot, after a kexec. */
  | { readonly kind: "ready"; readonly protocol: number; readonly boot: string }
  | { readonly kind: "answer"; readonly id: string; readonly answer: Answer };

const GREETING_LINE = new RegExp(`${GREETING} ready (\\d{1,9}) ([0-9a-f-]{36})\\n`);
/** Longest mark: what has to be kept of bytes that were searched, in case a mark is cut at their end. */
const MARK_BYTES = `${GREETING} ready 999999999 00000000-0000-0000-0000-000000000000\n`.length;
/** `=ID end STATUS\n` with the longest of both. */
const STATUS_BYTES = 16;

/**
 * Takes greetings and answers out of the bytes that the guest sends, however they are cut. What belongs to neither
 * (an echo, an answer nobody waits for any more, noise at power-on) is dropped.
 */
export class AnswerReader {
  #bytes = Buffer.alloc(4096);
  #length = 0;
  #searched = 0;
  #awaited: string | undefined;

  /** From now on the answer to this request is looked for; undefined if to none. */
  expect(id: string | undefined): void {
    this.#awaited = id;
    this.#searched = 0;
  }

  /** @returns what became whole with these bytes, in order */
  feed(chunk: Uint8Array): AgentEvent[] {
    this.#append(chunk);
    const events: AgentEvent[] = [];
    for (let event = this.#next(); event !== undefined; event = this.#next()) events.push(event);
    const keep = this.#awaited === undefined ? MARK_BYTES : this.#length;
    if (keep < this.#length) this.#drop(this.#length - keep);
    this.#searched = Math.max(0, this.#length - MARK_BYTES);
    return events;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const roomier = Buffer.alloc(Math.max(length, 2 * this.#bytes.length));
      this.#bytes.copy(roomier, 0, 0, this.#length);
      this.#bytes = roomier;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  #drop(count: number): void {
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#searched = 0;
  }

  /** Position of `mark` in what has come, from `from`; -1 if it is not there. */
  #find(mark: string, from: number): number {
    return this.#bytes.subarray(0, this.#length).indexOf(mark, from, "latin1");
  }

  #next(): AgentEvent | undefined {
    return this.#greeting() ?? this.#answer();
  }

  #greeting(): AgentEvent | undefined {
    for (let at = this.#find(GREETING, this.#searched); at >= 0; at = this.#find(GREETING, at + 1)) {
      const end = Math.min(this.#length, at + MARK_BYTES);
      const match = GREETING_LINE.exec(this.#bytes.toString("latin1", at, end));
      if (match?.index !== 0) continue;
      this.#drop(at + match[0].length);
      return { kind: "ready", protocol: Number(match[1]), boot: match[2]! };
    }
    return undefined;
  }

  #answer(): AgentEvent | undefined {
    const id = this.#awaited;
    if (id === undefined) return undefined;
    const ending = `=${id} end `;
    const end = this.#find(ending, this.#searched);
    if (end < 0) return undefined;
    const after = end + ending.length;
    const tail = this.#bytes.toString("latin1", after, Math.min(this.#length, after + STATUS_BYTES));
    const status = /^(\d{1,3})\n/.exec(tail);
    const out = this.#find(`=${id} out\n`, 0);
    const err = this.#find(`=${id} err\n`, 0);
    if (status === null || out < 0 || err < out || err > end) return undefined;
    const markBytes = `=${id} out\n`.length;
    const answer = {
      status: Number(status[1]),
      stdout: Uint8Array.from(this.#bytes.subarray(out + markBytes, err)),
      stderr: Uint8Array.from(this.#bytes.subarray(err + markBytes, end)),
    };
    this.#drop(after + status[0].length);
    this.#awaited = undefined;
    return { kind: "answer", id, answer };
  }
}

/** True if this agent speaks as we do. */
export const speaksOurProtocol = (protocol: number): boolean => protocol === AGENT_PROTOCOL;
