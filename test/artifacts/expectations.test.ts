import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, it } from "vitest";
import { sharedFiles } from "../shared-data.ts";
import { readBytes, summarise } from "./summary.ts";

/** Logs, files of /proc and /sys, and transcripts of real machines, each with what a careful reader takes from it. */
const FILES = ["logs", "proc", "qmp"].flatMap((folder) => sharedFiles(folder, /./));
const expectationOf = (path: string): string =>
  new URL(`./expected/${basename(path)}.json`, import.meta.url).pathname;

it.skipIf(FILES.length === 0)("each collected file has an expectation (needs the shared files)", () => {
  expect(FILES.filter((path) => !existsSync(expectationOf(path))).map((path) => basename(path))).toEqual([]);
});

for (const path of FILES.filter((file) => existsSync(expectationOf(file)))) {
  it(`${basename(path)} says what a careful reader takes from it`, () => {
    expect(summarise(path)).toEqual(JSON.parse(readFileSync(expectationOf(path), "utf8")));
  });
}

it.skipIf(FILES.length === 0)(
  "a file cut into pieces anywhere is read alike (needs the shared files)",
  () => {
    for (const path of FILES.filter((file) => /pcdimm|emr|snp-guest-efi|hmp/.test(file))) {
      const bytes = Uint8Array.from(readFileSync(path));
      const whole = readBytes("x", bytes).facts;
      for (const piece of [7, 64, 4099]) expect(readBytes("x", bytes, piece).facts).toEqual(whole);
    }
  },
);
