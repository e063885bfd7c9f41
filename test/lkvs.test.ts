import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledScenarios, load, playInModel } from "./model-machine.ts";

/*
 * Every line of intel/lkvs BM/tdx-guest/tests that is about memory, kexec or kdump of a TD, by its own sizes and limits. docs/bugs.md
 * has what is left out, and why.
 */

interface Case {
  readonly gib: number;
  readonly vcpus: number;
}

/** What a drain leaves: enough that no allocation fails meanwhile, and that a kernel can be loaded. LKVS has its drain killed. */
const leave = (gib: number): string => `${gib >= 16 ? 1024 : 256}M`;

const play = async ({ gib, vcpus }: Case, steps: readonly string[], holds: string, accept = "lazy") => {
  const text = `name: lkvs
machine: {memory: ${gib}G, vcpus: ${vcpus}}
guest: {accept: ${accept}}
steps:
${steps.map((step) => `  - ${step}`).join("\n")}
expect: {machine: running, ${holds}}
`;
  const { report } = await playInModel(load(text));
  const unmet = report.expectations.filter(({ held }) => !held);
  return {
    unmet: unmet.map(({ what, expected, found }) => `${what}: ${expected}, ${found}`),
    broken: report.violations.map(({ invariant }) => invariant),
  };
};
const HELD = { unmet: [], broken: [] };
const PATIENCE_MS = 600_000;

describe("TD_BOOT", () => {
  it.each([
    { gib: 1, vcpus: 1 },
    { gib: 16, vcpus: 1 },
    { gib: 4, vcpus: 4 },
    { gib: 96, vcpus: 4 },
    { gib: 96, vcpus: 64 },
    { gib: 1, vcpus: 288 },
    { gib: 96, vcpus: 288 },
  ])("$gib GiB, $vcpus vCPUs", { timeout: PATIENCE_MS }, async (machine) => {
    // The script asks for whole GiB after rounding; the memmap and the bounce buffer take what is missing.
    const least = Math.floor(machine.gib * 0.78 * 1024);
    expect(await play(machine, ["boot"], `MemTotal: '>= ${least}M'`)).toEqual(HELD);
  });
});

describe("TD_MEM_ACPT_T: all memory is accepted within the seconds that LKVS grants hardware", () => {
  it.each([
    { vcpus: 1, gib: 8, workers: 1, seconds: 24 },
    { vcpus: 1, gib: 8, workers: 8, seconds: 19 },
    { vcpus: 1, gib: 32, workers: 1, seconds: 119 },
    { vcpus: 1, gib: 32, workers: 8, seconds: 95 },
    { vcpus: 1, gib: 96, workers: 1, seconds: 398 },
    { vcpus: 1, gib: 96, workers: 8, seconds: 321 },
    { vcpus: 32, gib: 16, workers: 1, seconds: 34 },
    { vcpus: 32, gib: 16, workers: 32, seconds: 6 },
    { vcpus: 32, gib: 32, workers: 1, seconds: 80 },
    { vcpus: 32, gib: 32, workers: 32, seconds: 11 },
    { vcpus: 32, gib: 96, workers: 1, seconds: 271 },
    { vcpus: 32, gib: 96, workers: 32, seconds: 33 },
  ])("$vcpus vCPUs, $gib GiB, $workers workers, $seconds s", { timeout: PATIENCE_MS }, async (row) => {
    const { gib, vcpus, workers, seconds } = row;
    // Workers share most of it; one vCPU gives them turns, which is one worker to the memory.
    const each = Math.floor((gib * 900) / workers / 4) * 4;
    const shares = Array.from(
      { length: workers },
      (_, n) => `{allocate: {name: w${n}, size: ${each}M, vcpu: ${n % vcpus}}}`,
    );
    const steps = ["boot", `parallel: [${shares.join(", ")}]`, `pressure: {leave: ${leave(gib)}}`];
    expect(await play(row, steps, `nr_unaccepted: 0, virtualTime: '< ${seconds}s'`)).toEqual(HELD);
  });
});

describe("TD_STRESS_MEMRATE: workers come by again and again, and accept nothing then", () => {
  it.each([
    { vcpus: 1, gib: 16, workers: 8 },
    { vcpus: 1, gib: 96, workers: 48 },
  ])("$vcpus vCPU, $gib GiB, $workers workers", { timeout: PATIENCE_MS }, async (row) => {
    const all = (step: (worker: number) => string): string =>
      `parallel: [${Array.from({ length: row.workers }, (_, n) => `{${step(n)}}`).join(", ")}]`;
    const steps = [
      "boot",
      all((n) => `allocate: {name: w${n}, size: 1G}`),
      ...["write", "read", "write"].map((kind) => all((n) => `touch: {name: w${n}, kind: ${kind}}`)),
    ];
    expect(await play(row, steps, "change: {Unaccepted: 0}")).toEqual(HELD);
  });
});

describe("TD kexec: two cycles, drained before or after", () => {
  const rows = [true, false].flatMap((drained) =>
    [1, 2, 32, 64].flatMap((vcpus) => [1, 4, 96].map((gib) => ({ drained, vcpus, gib }))),
  );
  it.each(rows)("drained before: $drained, $vcpus vCPUs, $gib GiB", { timeout: PATIENCE_MS }, async (row) => {
    const drain = `pressure: {leave: ${leave(row.gib)}}`;
    const steps = row.drained
      ? ["boot", drain, "expect: {Unaccepted: 0}", "kexec", "kexec"]
      : ["boot", "kexec", "kexec", drain];
    expect(await play(row, steps, "Unaccepted: 0")).toEqual(HELD);
  });
});

describe("TD kdump: the crash kernel comes up and reads everything", () => {
  const rows = [
    ...[1, 32].flatMap((vcpus) => [1, 32, 96].map((gib) => ({ vcpus, gib }))),
    ...[4, 32, 96].map((gib) => ({ vcpus: 128, gib })),
  ];
  it.each(rows)("$vcpus vCPUs, $gib GiB", { timeout: PATIENCE_MS }, async (row) => {
    expect(await play(row, ["boot", "crash"], "MemTotal: '<= 256M'")).toEqual(HELD);
  });
});

it("docs/bugs.md names every scenario of LKVS, and no other", () => {
  const text = readFileSync(join(resolve(import.meta.dirname, ".."), "docs", "bugs.md"), "utf8");
  const named = [...text.matchAll(/`(td-[a-z0-9-]+)`/g)].map(([, name]) => `lkvs/${name}`);
  const bundled = bundledScenarios().filter((name) => name.startsWith("lkvs/"));
  expect([...new Set(named)].sort()).toEqual(bundled.toSorted());
});
