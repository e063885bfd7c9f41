import fc from "fast-check";
import { expect, it } from "vitest";
import { codeOnly, pieces, without } from "../../scripts/source-text.mjs";

/** The characters that decide what is code, in any order. */
const source = fc.string({
  unit: fc.constantFrom(
    "/",
    "*",
    '"',
    "'",
    "`",
    "$",
    "{",
    "}",
    "\\",
    "\n",
    "a",
    " ",
    "(",
    ")",
    "[",
    "]",
    "=",
  ),
  maxLength: 60,
});

it("the pieces of any text are the text", () => {
  fc.assert(
    fc.property(source, (text) => {
      expect(
        pieces(text)
          .map((piece) => piece.text)
          .join(""),
      ).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

it("blanking keeps every position and line", () => {
  fc.assert(
    fc.property(source, (text) => {
      const code = codeOnly(text);
      expect(code.length).toBe(text.length);
      expect([...code.matchAll(/\n/g)].map((m) => m.index)).toEqual(
        [...text.matchAll(/\n/g)].map((m) => m.index),
      );
    }),
    { numRuns: 2000 },
  );
});

it.each([
  ["a line comment", "a // b\nc", "a     \nc"],
  ["a block comment with a quote", "a /* ' */ c", "a         c"],
  ["a string with an escaped quote", String.raw`a = "x\"y"; c`, "a =       ; c"],
  ["a comment's beginning in a string", 'a = "//"; c', "a =     ; c"],
  ["a template around code", "a = `x$|{b + `y$|{c}`}z`; d", ["a = ", "b + ", "c", " ; d"].join("    ")],
  ["braces in the code of a template", "`$|{f({ a: 1 })}` + b", "   f({ a: 1 })   + b"],
  ["a regular expression with a quote and a slash in a class", `a = /["'/]/g; c`, "a =         ; c"],
  ["two divisions", "a / b / c", "a / b / c"],
  ["a division after a bracket", "f(a) / b; g('/')", "f(a) / b; g(   )"],
  ["a regular expression as an argument", "f(/'/, b)", "f(   , b)"],
])("%s is told from code", (_name, text, code) => {
  // The bar keeps Biome from taking a sample for a template with the wrong quotes.
  expect(codeOnly(text.replaceAll("|", ""))).toBe(code);
});

it("only the kinds asked for are blanked", () => {
  expect(without('a("b"); // c', ["comment"])).toBe('a("b");     ');
});
