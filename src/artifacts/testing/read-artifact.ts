import { ArtifactReading, type Decode, type SourceReading } from "../artifact-reading.ts";
import { FactSink } from "../fact-sink.ts";
import type { FactBody } from "../facts.ts";

/** Bytes as characters one by one: enough for what tests read. */
const latin1: Decode = (bytes) => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

export const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from(text, (char) => char.charCodeAt(0) & 0xff);

/** Reads one artifact named "a". */
export const readArtifact = (
  content: string | Uint8Array,
  piece = 2 ** 20,
  isRmp = false,
): { readonly sink: FactSink; readonly source: SourceReading } => {
  const bytes = typeof content === "string" ? bytesOf(content) : content;
  const sink = new FactSink();
  const readAt = (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length);
  const reading = new ArtifactReading("a", sink, { size: bytes.length, decode: latin1, readAt, isRmp });
  for (let at = 0; at < bytes.length; at += piece) reading.push(bytes.subarray(at, at + piece));
  return { sink, source: reading.end() };
};

/** What a text says, without places. */
export const factsIn = (text: string): FactBody[] =>
  readArtifact(text).sink.facts.map(({ at: _at, boot: _boot, time: _time, ...body }): FactBody => body);

/** What is wrong with a text, as "line: expected | found". */
export const troublesIn = (text: string | Uint8Array): string[] =>
  readArtifact(text).sink.troubles.map(
    ({ severity, at, expected, found }) =>
      `${severity} ${at.line ?? `@${at.offset}`}: ${expected} | ${found}`,
  );
