import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  bringUpOf,
  eagerOf,
  FIELD_PATH,
  fieldDocument,
  keyOf,
  type LookUp,
  lookUp,
  parallelOf,
  type Report,
  runs,
} from "../scripts/field-doc-tables.mjs";
import { loadBundled, playInModel } from "./model-machine.ts";

const GIB = 2 ** 30;
/** Millions of exits, on a machine that may be busy. */
const PATIENCE_MS = 1_800_000;
const doc = readFileSync(join(resolve(import.meta.dirname, ".."), FIELD_PATH), "utf8");

const results = new Map<string, Report>();
let result: LookUp;
beforeAll(async () => {
  for (const one of runs()) {
    // With a listener, as the command plays it: curves are sampled by the same events.
    const { report } = await playInModel(loadBundled(one.scenario, one.set), () => {});
    results.set(keyOf(one), report);
  }
  result = lookUp(results);
}, PATIENCE_MS);

it("the document's tables are what the program says (npm run field-doc)", () => {
  expect(fieldDocument(doc, results)).toBe(doc);
});

describe("Dstack-TEE/dstack#1220", () => {
  const byVcpus = (vcpus: number) => {
    const row = bringUpOf(result).find((one) => one.vcpus === vcpus);
    if (row === undefined) throw new Error(`${vcpus} vCPUs were played`);
    return row;
  };
  it("about 13 GiB are accepted while 248 vCPUs come up, within 5 percent", () => {
    expect(Math.abs(byVcpus(248).accepted / GIB / 13 - 1)).toBeLessThan(0.05);
  });
  it("a chunk takes 1024 exits, one for each page that the host maps", () => {
    const { accepted, exits } = byVcpus(248);
    expect(exits).toBeGreaterThanOrEqual(accepted / 4096);
    expect(exits).toBeLessThan((accepted / 4096) * 1.5);
  });
  it("with their growth of a fault, 248 vCPUs take 8 to 14 times as long as 64, where they saw 11.5 to 13.6", () => {
    const ratio = byVcpus(248).growingNs / byVcpus(64).growingNs;
    expect(ratio).toBeGreaterThan(8);
    expect(ratio).toBeLessThan(14);
  });
  it("and between a third and all of the 575 seconds, for one of two causes", () => {
    const seconds = byVcpus(248).growingNs / 1e9;
    expect(seconds).toBeGreaterThan(575 / 3);
    expect(seconds).toBeLessThan(575);
  });
});

describe("kata-containers#13535", () => {
  const of = (size: number) => eagerOf(result).find((one) => one.size === size);
  it("64 GiB boot lazily in less than 15 seconds", () => {
    expect(of(64)?.lazyNs).toBeLessThan(15e9);
  });
  it("twice the memory takes twice the time to accept, within 5 percent", () => {
    const accepting = (size: number): number => {
      const row = of(size);
      return row === undefined ? Number.NaN : row.eagerNs - row.lazyNs;
    };
    expect(Math.abs(accepting(128) / accepting(64) / 2 - 1)).toBeLessThan(0.05);
  });
  it("the kernel's authors saw lazy boots four times as fast at 64 GiB, and so is this, within 15 percent", () => {
    const row = of(64);
    expect(Math.abs((row?.eagerNs ?? 0) / (row?.lazyNs ?? 1) / 4 - 1)).toBeLessThan(0.15);
  });
});

describe("asterinas#3640 and #3641", () => {
  const of = (vcpus: number) => {
    const row = parallelOf(result).find((one) => one.vcpus === vcpus);
    if (row === undefined) throw new Error(`${vcpus} vCPUs were played`);
    return row;
  };
  it("one vCPU accepts 8 GiB at boot in the 25 seconds that were reported, within 5 percent", () => {
    const { bootNs, reportedNs } = of(1);
    expect(Math.abs(bootNs / reportedNs - 1)).toBeLessThan(0.05);
  });
  it("more vCPUs shorten it as in the report, 25, 12 and 9 seconds, but by more", () => {
    const gain = (vcpus: number, time: "bootNs" | "reportedNs"): number => of(1)[time] / of(vcpus)[time];
    expect([gain(4, "bootNs") > gain(4, "reportedNs"), gain(8, "bootNs") > gain(8, "reportedNs")]).toEqual([
      true,
      true,
    ]);
    expect(gain(8, "bootNs")).toBeGreaterThan(gain(4, "bootNs"));
    // What all share is shared by all.
    const shared = (vcpus: number): number => (of(vcpus).bootNs - of(vcpus).lazyNs) * vcpus;
    expect(Math.abs(shared(8) / shared(1) - 1)).toBeLessThan(0.05);
  });
  it("a lazy boot of it takes less than 2 seconds", () => {
    expect(Math.max(...[1, 4, 8].map((vcpus) => of(vcpus).lazyNs))).toBeLessThan(2e9);
  });
});
