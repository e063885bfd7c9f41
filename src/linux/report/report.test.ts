import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sharedData } from "../../../test/shared-data.ts";
import { GIB, MIB } from "../../units.ts";
import { bootLayout } from "../boot/boot-layout.ts";
import { bootMemory } from "../boot/boot-memory.ts";
import { allocPages } from "../page-allocator/alloc.ts";
import { GFP } from "../page-allocator/gfp.ts";
import { fakeKernel, run } from "../testing/fake-kernel.ts";
import { valueLine } from "./counters.ts";
import { meminfoText } from "./meminfo.ts";
import { nodeMeminfoText } from "./node-meminfo.ts";
import { zoneRangeLines } from "./zone-ranges.ts";
import { vmstatText, zoneinfoText } from "./zone-statistics.ts";

const RAM = { start: 4 * GIB, end: 6 * GIB };

/** 2 GiB at 4 GiB, all unaccepted and lazy, huge pages off; nothing allocated by the kernel itself. */
const booted = (variant: "6.12" | "7.3") => {
  const boot = bootLayout([RAM], { early: [], hugePages: false });
  const { k } = fakeKernel({ top: RAM.end, boot, variant, unaccepted: { window: RAM, ranges: [RAM] } });
  run(k, bootMemory);
  return k;
};

const labels = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(":")[0]!);
const line = (text: string, label: string) => text.split("\n").find((row) => row.startsWith(`${label}:`));

it("meminfo puts Unaccepted behind CmaFree and before what follows in each kernel", () => {
  const old = labels(meminfoText(booted("6.12")));
  const at = old.indexOf("Unaccepted");
  expect(old.slice(at - 1, at + 2)).toEqual(["CmaFree", "Unaccepted", "HugePages_Total"]);
  const newer = labels(meminfoText(booted("7.3")));
  expect(newer.slice(at, at + 5)).toEqual([
    "Unaccepted",
    "Balloon",
    "GPUActive",
    "GPUReclaim",
    "HugePages_Total",
  ]);
});

it("MemFree and MemAvailable include unaccepted memory", () => {
  const k = booted("7.3");
  const text = meminfoText(k);
  expect(line(text, "MemTotal")).toBe("MemTotal:        2097152 kB");
  expect(line(text, "MemFree")).toBe("MemFree:         2097152 kB");
  expect(line(text, "Unaccepted")).toBe("Unaccepted:      2097152 kB");
  expect(line(text, "CommitLimit")).toBe("CommitLimit:     1048576 kB");
  expect(line(text, "DirectMap2M")).toBe("DirectMap2M:     2228224 kB");
  // min_free_kbytes is isqrt(16 * 2097152) = 5792: min 1448, a step 524, high 2496 pages.
  expect(line(text, "MemAvailable")).toBe(valueLine("MemAvailable", 2097152 - 4 * 2496));
});

it("an allocation shows as anonymous memory, and accepting shows in Unaccepted", () => {
  const k = booted("7.3");
  run(k, allocPages, 9, GFP.MOVABLE, 0, 1);
  const text = meminfoText(k);
  expect(line(text, "AnonPages")).toBe("AnonPages:          2048 kB");
  // promo is 3020 pages, and the check of an order-9 allocation does not count 511 of them: 4 chunks.
  expect(line(text, "Unaccepted")).toBe(valueLine("Unaccepted", 2097152 - 4 * 4096));
  expect(line(text, "MemFree")).toBe(valueLine("MemFree", 2097152 - 2048));
});

it("node meminfo has the node's own share", () => {
  const text = nodeMeminfoText(booted("6.12"), 0);
  expect(text.split("\n")[0]).toBe("Node 0 MemTotal:        2097152 kB");
  expect(text).toContain(
    "Node 0 FilePmdMapped:         0 kB\nNode 0 Unaccepted:      2097152 kB\nNode 0 HugePages_Total:     0\n",
  );
  expect(text.endsWith("Node 0 HugePages_Surp:      0\n")).toBe(true);
});

it("vmstat names nr_unaccepted after nr_free_cma, in pages", () => {
  const rows = vmstatText(booted("6.12")).trimEnd().split("\n");
  expect(rows[0]).toBe("nr_free_pages 524288");
  expect(rows.slice(-3)).toEqual(["nr_zspages 0", "nr_free_cma 0", "nr_unaccepted 524288"]);
  expect(rows).toContain("nr_bounce 0");
  const newer = vmstatText(booted("7.3"));
  // Unaccepted chunks are on no free list, so whole blocks are none yet.
  expect(newer.split("\n")[1]).toBe("nr_free_pages_blocks 0");
  expect(newer).not.toContain("nr_bounce");
});

it("zoneinfo shows each zone's watermarks, and an unpopulated zone's sizes only", () => {
  const text = zoneinfoText(booted("6.12"));
  const zones = text.split(/^(?=Node)/m);
  expect(zones.map((zone) => zone.split("\n")[0])).toEqual([
    "Node 0, zone      DMA",
    "Node 0, zone    DMA32",
    "Node 0, zone   Normal",
    "Node 0, zone  Movable",
  ]);
  expect(zones[2]).toContain(
    [
      "  pages free     524288",
      "        boost    0",
      "        min      1448",
      "        low      1972",
      "        high     2496",
      "        promo    3020",
      "        spanned  524288",
      "        present  524288",
      "        managed  524288",
      "        cma      0",
      "        protection: (0, 0, 0, 0)",
    ].join("\n"),
  );
  expect(zones[2]).toContain("\n      nr_unaccepted 524288\n  start_pfn:           1048576\n");
  expect(zones[3]).not.toContain("nr_free_pages");
});

const recorded = sharedData("proc", "rec-pcdimm-2node.boot.meminfo.txt");
it.skipIf(recorded === undefined)(
  "meminfo has the lines of a recorded file, in its order and format (needs the collection of artifacts)",
  () => {
    const text = readFileSync(recorded!, "utf8");
    const ours = labels(meminfoText(booted("6.12")));
    const added = ["CmaTotal", "CmaFree", "Unaccepted"];
    expect(ours.filter((label) => !added.includes(label))).toEqual(labels(text));
    for (const row of text.trimEnd().split("\n")) {
      const parsed = /^(.+?): +(\d+) kB$/.exec(row);
      if (parsed === null) expect(row).toMatch(/^HugePages_\w+: +0$/);
      else if (parsed[1] !== "HardwareCorrupted") expect(valueLine(parsed[1]!, Number(parsed[2]))).toBe(row);
      else expect(meminfoText(booted("6.12"))).toContain(`\n${row}\n`);
    }
    for (const row of text.split("\n").filter((one) => one.startsWith("HugePages_"))) {
      expect(meminfoText(booted("6.12"))).toContain(`\n${row}\n`);
    }
  },
);

const consoleLog = sharedData("logs", "rec-pcdimm-2node.console.log");
it.skipIf(consoleLog === undefined)(
  "zone and node ranges print as a recorded guest printed them (needs the collection of artifacts)",
  () => {
    const log = readFileSync(consoleLog!, "utf8")
      .split("\n")
      .map((row) => row.trimEnd());
    const rows = log.map((row) => row.replace(/^\[ *\d+\.\d+\] /, ""));
    const ram = rows
      .map((row) => /^BIOS-e820: \[mem 0x(\w+)-0x(\w+)\] usable$/.exec(row))
      .filter((match) => match !== null)
      .map((match) => ({ start: Number(`0x${match[1]}`), end: Number(`0x${match[2]}`) + 1 }));
    const affinity = [
      { start: 0, end: GIB, node: 0 },
      { start: GIB, end: 2 * GIB, node: 1 },
    ];
    const { k } = fakeKernel({ top: 4 * GIB, nodes: 2, boot: bootLayout(ram, { affinity, early: [] }) });
    run(k, bootMemory);
    const first = rows.indexOf("Zone ranges:");
    const last = rows.findLastIndex((row) => row.startsWith("Initmem setup node 1"));
    expect(zoneRangeLines(k)).toEqual(rows.slice(first, last + 1));
    expect(k.zones.sum(k.zones.present) * 4).toBe(2_090_516);
  },
);

it("a small guest without memory above 4 GiB prints Normal as empty", () => {
  const boot = bootLayout([{ start: 0, end: 256 * MIB }], { early: [] });
  const { k } = fakeKernel({ top: 4 * GIB, boot });
  run(k, bootMemory);
  expect(zoneRangeLines(k)[3]).toBe("  Normal   empty");
});
