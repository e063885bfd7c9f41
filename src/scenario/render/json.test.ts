import fc from "fast-check";
import { expect, it } from "vitest";
import type { RunReport } from "../report.ts";
import { MACHINE, playText } from "../testing/play-text.ts";
import { renderJson } from "./json.ts";

it("writes a document that reads back as the report", async () => {
  const { report } = await playText(`${MACHINE}steps: [boot, {resize: {device: vm0, to: 8M}}]\n`);
  expect(JSON.parse(renderJson(report))).toEqual(report);
});

it("writes any JSON value so that it reads back", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(JSON.parse(renderJson(JSON.parse(text) as RunReport))).toEqual(JSON.parse(text));
    }),
  );
});

it("keeps short lists, short maps and lists of numbers on one line", () => {
  const numbers = Array.from({ length: 60 }, (_, i) => i);
  const value = { short: { a: 1, b: "x" }, list: [{ a: 1 }, { a: "y".repeat(120) }], numbers };
  expect(
    renderJson(value as unknown as RunReport)
      .split("\n")
      .map((line) => line.slice(0, 24)),
  ).toEqual([
    "{",
    '  "short": {"a": 1, "b":',
    '  "list": [',
    '    {"a": 1},',
    "    {",
    `      "a": "${"y".repeat(12)}`,
    "    }",
    "  ],",
    '  "numbers": [0, 1, 2, 3',
    "}",
    "",
  ]);
});
