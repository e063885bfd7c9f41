import fc from "fast-check";
import { expect, it } from "vitest";
import { type AgentEvent, AnswerReader } from "./answer-reader.ts";

const BOOT = "01234567-89ab-cdef-0123-456789abcdef";
const GREETING = `=tidemark-agent ready 1 ${BOOT}\n`;
const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Feeds a stream cut into pieces of these sizes, in turn. */
const feed = (reader: AnswerReader, stream: Uint8Array, sizes: readonly number[]): AgentEvent[] => {
  const events: AgentEvent[] = [];
  let turn = 0;
  for (let at = 0; at < stream.length; ) {
    const size = sizes[turn++ % sizes.length] ?? 1;
    events.push(...reader.feed(stream.subarray(at, at + size)));
    at += size;
  }
  return events;
};

const answerTo = (id: string, stdout: Uint8Array, stderr: Uint8Array, status: number): Uint8Array =>
  Buffer.concat([
    latin1(`=${id} out\n`),
    stdout,
    latin1(`=${id} err\n`),
    stderr,
    latin1(`=${id} end ${status}\n`),
  ]);

const outputs = fc.uint8Array({ maxLength: 300 });
const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });

it("an answer is the bytes that were sent, however the stream is cut and whatever came before", () => {
  fc.assert(
    fc.property(
      outputs,
      outputs,
      fc.integer({ min: 0, max: 255 }),
      outputs,
      cuts,
      (stdout, stderr, status, noise, sizes) => {
        const reader = new AnswerReader();
        reader.expect("0f1e2d3c4b5a6978");
        const answer = answerTo("0f1e2d3c4b5a6978", stdout, stderr, status);
        const events = feed(reader, Buffer.concat([noise, answer]), sizes);
        expect(events).toEqual([
          { kind: "answer", id: "0f1e2d3c4b5a6978", answer: { status, stdout, stderr } },
        ]);
      },
    ),
  );
});

it("a greeting is seen between any bytes, while an answer is awaited and while none is", () => {
  fc.assert(
    fc.property(outputs, fc.boolean(), cuts, (noise, awaited, sizes) => {
      const reader = new AnswerReader();
      reader.expect(awaited ? "id" : undefined);
      const events = feed(reader, Buffer.concat([noise, latin1(GREETING), noise]), sizes);
      expect(events).toEqual([{ kind: "ready", protocol: 1, boot: BOOT }]);
    }),
  );
});

it("a greeting in the middle of an answer ends what was before it", () => {
  const reader = new AnswerReader();
  reader.expect("id");
  expect(feed(reader, latin1(`=id out\nhalf${GREETING}=id err\n=id end 0\n`), [7])).toHaveLength(1);
});

it("an echo of the request, and the answer to a request given up, are dropped", () => {
  const reader = new AnswerReader();
  reader.expect("new");
  const stale = answerTo("old", latin1("stale"), latin1(""), 0);
  const stream = Buffer.concat([
    latin1("@new run 5 \n"),
    stale,
    answerTo("new", latin1("fresh"), latin1(""), 0),
  ]);
  const events = feed(reader, stream, [3]);
  expect(
    events.map((event) => event.kind === "answer" && Buffer.from(event.answer.stdout).toString()),
  ).toEqual(["fresh"]);
});

it("words that only begin as a greeting are output", () => {
  const reader = new AnswerReader();
  expect(feed(reader, latin1(`=tidemark-agent ready soon\n=tidemark-agent ${GREETING}`), [5])).toHaveLength(
    1,
  );
});

it("bytes that nobody awaits are not kept", () => {
  const reader = new AnswerReader();
  for (let round = 0; round < 100; round++) expect(reader.feed(new Uint8Array(65_536))).toEqual([]);
  reader.expect("id");
  expect(reader.feed(answerTo("id", latin1("a"), latin1("b"), 3))).toHaveLength(1);
});
