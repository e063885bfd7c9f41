import type { ByteStream } from "../agent.ts";

export interface FakeRequest {
  readonly id: string;
  readonly verb: string;
  readonly path: string;
  readonly payload: string;
}
export interface FakeAnswer {
  readonly status?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** A guest at the other end of a stream, whose answers a test decides. It keeps every request it got. */
export class FakeGuest implements ByteStream {
  readonly requests: FakeRequest[] = [];
  readonly #answers: (request: FakeRequest) => FakeAnswer | undefined;
  #listener: (bytes: Uint8Array) => void = () => {};

  /** @param answers undefined leaves a request without an answer */
  constructor(answers: (request: FakeRequest) => FakeAnswer | undefined = () => ({})) {
    this.#answers = answers;
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
  }

  write(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString("latin1");
    const [, id = "", verb = "", length = "", path = ""] = /^@(\S+) (\S+) (\d+) (.*)\n/.exec(text) ?? [];
    const payload = text.slice(text.indexOf("\n") + 1);
    if (payload.length !== Number(length))
      throw new Error(`${payload.length} bytes sent, ${length} announced`);
    const request = { id, verb, path, payload };
    this.requests.push(request);
    const answer = this.#answers(request);
    if (answer !== undefined) queueMicrotask(() => this.answer(id, answer));
  }

  answer(id: string, { status = 0, stdout = "", stderr = "" }: FakeAnswer): void {
    this.say(`=${id} out\n${stdout}=${id} err\n${stderr}=${id} end ${status}\n`);
  }

  /** Greets as an agent does that has just started; `boot` is a digit that makes the boot id. */
  greet(boot = "1", protocol = 1): void {
    this.say(`=tidemark-agent ready ${protocol} ${bootId(boot)}\n`);
  }

  say(text: string): void {
    this.#listener(Buffer.from(text, "latin1"));
  }
}

/** The boot id that `greet` makes of a digit. */
export const bootId = (digit: string): string =>
  "dddddddd-dddd-dddd-dddd-dddddddddddd".replaceAll("d", digit);
