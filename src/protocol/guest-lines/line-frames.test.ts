import fc from "fast-check";
import { expect, it } from "vitest";
import {
  encodeLine,
  fitsLine,
  type GuestLine,
  LineDecoder,
  LONGEST_FRAME,
  LONGEST_LINE,
  LONGEST_TEXT,
} from "./line-frames.ts";

const judged = (...chunks: string[]): GuestLine[] => {
  const decoder = new LineDecoder("fromGuest");
  return chunks.flatMap((chunk) => decoder.push(chunk));
};

const text = (found: string): GuestLine => ({ kind: "text", text: found });

it("a line is its mark, the count, the text and its end", () => {
  expect(encodeLine("toGuest", "hello")).toBe("@td>5:hello;\n");
  expect(encodeLine("fromGuest", "")).toBe("@td<0:;\n");
});

it("the longest line fits a terminal's canonical mode, and a longer one is not sent", () => {
  expect(encodeLine("toGuest", "x".repeat(LONGEST_TEXT)).length - 1).toBe(LONGEST_FRAME);
  expect(fitsLine("x".repeat(LONGEST_TEXT + 1))).toBe(false);
  expect(fitsLine("é")).toBe(false);
  expect(fitsLine("a\nb")).toBe(false);
});

it.each([
  ["@td<5:hello;\n", [text("hello")]],
  ["@td<5:hello;\r\n", [text("hello")]],
  ["\r\n\r\n@td<5:hello;\r\r\n", [text("hello")]],
  ["@td<0:;\n", [text("")]],
  ["@td<3:a;b;\n@td<1:c;\n", [text("a;b"), text("c")]],
  ["@td>5:hello;\n", [{ kind: "echo", text: "hello" }]],
  ["/ # @td>5:hello;\n", [{ kind: "echo", text: "hello" }]],
  ["@td>13:@td<4:abcd;xx;\n", [{ kind: "echo", text: "@td<4:abcd;xx" }]],
  ["[    1.5] @td< is a mark @td<2:ok;[    1.6] more\n", [text("ok")]],
  ["[    1.5] tdx: Guest detected\n", [{ kind: "noise", line: "[    1.5] tdx: Guest detected" }]],
  [
    "@td<5:hel[ 1.5] x\nlo;\n",
    [
      { kind: "damaged", line: "@td<5:hel[ 1.5] x" },
      { kind: "noise", line: "lo;" },
    ],
  ],
  ["@td<6:hello;\n", [{ kind: "damaged", line: "@td<6:hello;" }]],
  ["@td<99999:x;\n", [{ kind: "damaged", line: "@td<99999:x;" }]],
  ["@td<5:hello", []],
] as [string, GuestLine[]][])("%j is read", (stream, lines) => {
  expect(judged(stream)).toEqual(lines);
  expect(judged(...stream)).toEqual(lines);
});

it("a line without end is cut at its bound, and what follows is read", () => {
  const decoder = new LineDecoder("fromGuest");
  let kept = 0;
  for (let i = 0; i < 100; i++) kept += decoder.push("x".repeat(1000)).length;
  expect(kept).toBe(1);
  expect(LONGEST_LINE).toBeLessThan(100_000);
  expect(decoder.push("\n@td<1:a;\n").at(-1)).toEqual(text("a"));
});

it("every text that fits comes through, among noise and echoes, wherever the stream is cut", () => {
  const printable = fc.string({ unit: fc.constantFrom(...'@td<>0123:; az{}"\\'), maxLength: 40 });
  const noise = fc.string({ unit: fc.constantFrom(..."[ 1.5]abc\xe9\t"), maxLength: 20 });
  const item = fc.oneof(
    printable.map((t) => ({ wire: encodeLine("fromGuest", t), text: t })),
    printable.map((t) => ({ wire: encodeLine("toGuest", t), text: undefined })),
    noise.map((n) => ({ wire: `${n}\r\n`, text: undefined })),
  );
  fc.assert(
    fc.property(fc.array(item, { maxLength: 8 }), fc.integer({ min: 1, max: 7 }), (items, size) => {
      const stream = items.map(({ wire }) => wire).join("");
      const chunks = stream.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
      const texts = judged(...chunks).flatMap((line) => (line.kind === "text" ? [line.text] : []));
      expect(texts).toEqual(items.flatMap((i) => (i.text === undefined ? [] : [i.text])));
    }),
    { numRuns: 1000 },
  );
});
