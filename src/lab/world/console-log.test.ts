import { expect, it } from "vitest";
import { consoleLog } from "./console-log.ts";

it("the kernel's lines are taken from a console, with their times, and no others", () => {
  const text =
    "SeaBIOS (version 1.16)\r\n[    0.000000] Linux version 6.12\r\n/ # ls\r\n[   12.345678] tdx: Guest detected\r\n";
  expect(consoleLog(text)).toEqual([
    { ns: 0, text: "Linux version 6.12" },
    { ns: 12_345_678_000, text: "tdx: Guest detected" },
  ]);
});
