import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { decodeSrat } from "../src/abi/acpi/srat.ts";
import { ArtifactReading } from "../src/artifacts/artifact-reading.ts";
import { FactSink } from "../src/artifacts/fact-sink.ts";
import { findings } from "../src/artifacts/findings/findings.ts";
import { survey } from "../src/artifacts/map/survey.ts";
import { decoder } from "../src/cli/inspect/disk.ts";
import { figure, heading, median, seconds } from "./stopwatch.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const CHUNK = 2 ** 18;
/** A log of 2 GB, as serial consoles leave them. */
const LOG_BYTES = 2 * GIB;
const LINES = 100_000;

heading("SRAT of a recorded guest, decoded");
const srat = Uint8Array.from(readFileSync(join(resolve("data"), "acpi", "rec-pcdimm-2node.SRAT.dat")));
const turn = (): number =>
  seconds(() => {
    for (let n = 0; n < 1000; n++) decodeSrat(srat);
  });
turn();
const each = median(Array.from({ length: 15 }, turn));
figure("one table", `${(each * 1e3).toFixed(2)} us`, "goal: 100 us");

/** Lines as a kernel prints them while it boots, most of them of no concern. */
const bootLines = (from: number, count: number): string => {
  const lines: string[] = [];
  for (let n = from; n < from + count; n++) {
    const time = (n / 1000).toFixed(6).padStart(12);
    const address = (0x1_0000_0000 + (n % 4096) * 0x1000_0000).toString(16);
    if (n % 50 === 0) lines.push(`[${time}] BIOS-e820: [mem 0x${address}-0x${address}] usable`);
    else lines.push(`[${time}] usb 1-${n % 8}: new device, memory of model ${n}, status 0x${address}`);
  }
  return `${lines.join("\n")}\n`;
};

/** Reads, surveys and judges one log. @returns things that were kept */
const inspect = (chunks: Iterable<Uint8Array>): number => {
  const sink = new FactSink();
  const reading = new ArtifactReading("log", sink, { size: undefined, decode: decoder() });
  for (const chunk of chunks) reading.push(chunk);
  reading.end();
  findings(survey(sink.facts));
  return sink.facts.length;
};

function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
}

heading(`a kernel log of ${LINES} lines, read and judged`);
const log = new TextEncoder().encode(bootLines(0, LINES));
const times = Array.from({ length: 5 }, () => seconds(() => inspect(cut(log))));
figure("all of it", `${median(times).toFixed(3)} s`, "goal: 0.3 s");

heading("a kernel log of 2 GB, read in pieces");
function* endless(bytes: number): Generator<Uint8Array> {
  const piece = new TextEncoder().encode(bootLines(0, 4000).replaceAll("BIOS-e820", "BIOS-none"));
  for (let done = 0; done < bytes; done += piece.length) yield piece;
}
globalThis.gc?.();
const before = process.memoryUsage().rss;
let peak = before;
function* watched(): Generator<Uint8Array> {
  for (const piece of endless(LOG_BYTES)) {
    peak = Math.max(peak, process.memoryUsage.rss());
    yield piece;
  }
}
const time = seconds(() => inspect(watched()));
figure("time", `${time.toFixed(1)} s`);
figure("a second", `${(LOG_BYTES / MIB / time).toFixed(0)} MiB`);
figure("memory beside the start", `${((peak - before) / MIB).toFixed(0)} MiB`, "goal: bounded");
