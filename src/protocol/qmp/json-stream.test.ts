import fc from "fast-check";
import { expect, it } from "vitest";
import { JsonStream } from "./json-stream.ts";

const taken = (stream: JsonStream, ...chunks: string[]): string[] =>
  chunks.flatMap((chunk) =>
    stream.push(chunk).map((piece) => (piece.kind === "object" ? piece.text : `! ${piece.error.message}`)),
  );

it.each([
  ["QEMU's line ends", '{"a": 1}\r\n{"b": 2}\r\n', ['{"a": 1}', '{"b": 2}']],
  ["no line ends, as Python's qemu.qmp sends", '{"a":1}{"b":2}', ['{"a":1}', '{"b":2}']],
  ["an object over several lines", '{\n "a": [\n 1 ] }\n', ['{\n "a": [\n 1 ] }']],
  ["brackets and quotes inside strings", '{"a": "}]\\"{"}', ['{"a": "}]\\"{"}']],
  ["a backslash at the end of a string", '{"a": "\\\\"}{}', ['{"a": "\\\\"}', "{}"]],
  ["an object that has not ended", '{"a": {', []],
  ["space alone", " \r\n\t\n", []],
])("%s", (_what, text, objects) => {
  expect(taken(new JsonStream(), text)).toEqual(objects);
  expect(taken(new JsonStream(), ...text)).toEqual(objects);
});

it("what is no object is refused, and the next line is read", () => {
  expect(taken(new JsonStream(), "+$OK#9a\n{}\n")).toEqual([
    "! QMP stream: expected an object, found +$OK#9a",
    "{}",
  ]);
  expect(taken(new JsonStream(), '[{"a": 1}]\n{"b": 2}')).toEqual([
    "! QMP stream: expected an object, found [",
    '{"b": 2}',
  ]);
});

it("an object beyond the bounds is refused before it is kept", () => {
  const stream = new JsonStream(16);
  expect(taken(stream, '{"a": "0123456789', "0123456789")).toEqual([
    "! QMP stream: expected an object of at most 16 characters, 1024 deep, found more",
  ]);
  expect(taken(stream, "x".repeat(1e6), '"}\n{}')).toEqual(["{}"]);
  const deep = taken(new JsonStream(), `{"a":${"[".repeat(1e5)}\n{}`);
  expect(deep).toHaveLength(2);
  expect(deep[1]).toBe("{}");
});

const split = (text: string, cuts: readonly number[]): string[] => {
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => text.slice(from, places[i] ?? text.length));
};

it("objects come out as they went in, wherever the stream is cut", () => {
  const value = fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), { maxLength: 4 });
  const between = fc.constantFrom("", "\n", "\r\n", "  ");
  fc.assert(
    fc.property(value, between, fc.array(fc.nat()), (objects, separator, cuts) => {
      const texts = objects.map((object) => JSON.stringify(object));
      const stream = new JsonStream();
      expect(taken(stream, ...split(texts.join(separator), cuts))).toEqual(texts);
      expect(stream.midway).toBe(false);
    }),
  );
});

it("any text ends in objects or refusals, alike in one chunk and in many", () => {
  const noise = fc.string({ unit: fc.constantFrom(...'{}[]"\\ \n,:1a'), maxLength: 60 });
  fc.assert(
    fc.property(noise, fc.array(fc.nat()), (text, cuts) => {
      const objects = (chunks: readonly string[]): string[] =>
        taken(new JsonStream(24), ...chunks).filter((piece) => !piece.startsWith("!"));
      expect(objects(split(text, cuts))).toEqual(objects([text]));
      for (const object of objects([text])) expect(object.length).toBeLessThanOrEqual(24);
    }),
    { numRuns: 3000 },
  );
});
