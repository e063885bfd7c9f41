import fc from "fast-check";
import { expect, it } from "vitest";
import { EscapeKeys, type Typed } from "./escape-keys.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const shown = (typed: readonly Typed[]): string[] =>
  typed.map((each) =>
    each.kind === "bytes" ? Buffer.from(each.bytes).toString("latin1") : `<${each.kind}>`,
  );

it.each([
  ["ls\r", ["ls\r"]],
  ["\u0001x", ["<quit>"]],
  ["ab\u0001mcd", ["ab", "<map>", "cd"]],
  ["\u0001h\u0001?\u0001X", ["<help>", "<help>", "<quit>"]],
  ["\u0001a\u0001\u0001", ["\u0001\u0001"]],
  ["a\u0001zb", ["ab"]],
  ["\u0003\u0004", ["\u0003\u0004"]],
])("%j means %j", (text, expected) => {
  expect(shown(new EscapeKeys().push(bytes(text)))).toEqual(expected);
});

it("means the same however the bytes are cut", () => {
  const joined = (parts: readonly string[]): string => parts.join("");
  fc.assert(
    fc.property(fc.array(fc.constantFrom("\u0001", "x", "m", "a", "q")), fc.nat(20), (keys, cut) => {
      const text = keys.join("");
      const whole = shown(new EscapeKeys().push(bytes(text)));
      const split = new EscapeKeys();
      const halves = [...split.push(bytes(text.slice(0, cut))), ...split.push(bytes(text.slice(cut)))];
      expect(joined(shown(halves))).toBe(joined(whole));
    }),
  );
});
