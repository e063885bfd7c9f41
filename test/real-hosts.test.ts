import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { HOST_WORD, TdxHost as Host, type HostPolicy, type TdxHost } from "../src/tdx-host/host-kernel.ts";
import { readHostLog } from "../src/tdx-host/host-log.ts";
import { enableTdxNow } from "../src/tdx-host/init-module.ts";
import type { ByteRange, MemoryRange } from "../src/tdx-host/memory-range.ts";
import { TdxModule } from "../src/tdx-module/module.ts";
import type { SysInfo } from "../src/tdx-module/sys-info.ts";
import { sharedData } from "./shared-data.ts";

const EMR = sharedData("logs", "tdx-host-emr-e820-cmr-init-failed.txt");
const FACTS = sharedData("logs", "tdx-threads-facts.json");
const withData = EMR === undefined || FACTS === undefined;

interface ThreadFacts {
  readonly tdx_hosts: readonly {
    readonly thread: string;
    readonly cmrs?: readonly (readonly [string, string])[];
    readonly pamt_kb?: number;
  }[];
}

const hostOf = (
  memory: readonly MemoryRange[],
  cmrs: readonly ByteRange[],
  policy: Partial<HostPolicy> = {},
  sys: Partial<SysInfo> = {},
): TdxHost => {
  const module = new TdxModule({
    sys: {
      cmrs: cmrs.map(({ start, end }) => ({ base: BigInt(start), size: BigInt(end - start) })),
      logicalProcessors: 2,
      packages: 2,
      ...sys,
    },
    platform: { hkidBits: 7, firstPrivateHkid: 64 },
  });
  const host = new Host({ memory, module, policy: { kernel: "6.12", ...policy } });
  host.words[HOST_WORD.CALLS_PER_STEP] = 2 ** 20;
  return host;
};

const factsOf = (thread: string): { ranges: ByteRange[]; pamtKb: number | undefined } => {
  const facts: ThreadFacts = JSON.parse(readFileSync(FACTS ?? "", "utf8"));
  const found = facts.tdx_hosts.find((host) => host.thread.endsWith(thread));
  const ranges = (found?.cmrs ?? []).map(([start, end]) => ({ start: Number(start), end: Number(end) }));
  return { ranges, pamtKb: found?.pamt_kb };
};
const asMemory = (ranges: readonly ByteRange[]): MemoryRange[] =>
  ranges.map(({ start, end }, node) => ({ start, end, node }));

/** Real lists lie in ../shared/data beside the repository; without it these tests are skipped. */
describe.skipIf(withData)("real hosts (skipped without the collection of real logs)", () => {
  it("an Emerald Rapids host fails as its log says, its 17 ranges leave 18 holes in one TDMR", () => {
    const log = readHostLog(readFileSync(EMR ?? "", "utf8"), "emr.txt");
    expect([log.error, log.memory.length]).toEqual([-28, 17]);
    const host = hostOf(log.memory, log.cmrs);
    expect(enableTdxNow(host)).toBe(-28);
    expect(host.log.dmesg().slice(2)).toEqual([
      "virt/tdx: initialization failed: TDMR [0x0, 0x80000000): reserved areas exhausted.",
      "virt/tdx: module initialization failed (-28)",
    ]);
  });
  it("the same host comes up with holes found in the convertible ranges", () => {
    const log = readHostLog(readFileSync(EMR ?? "", "utf8"), "emr.txt");
    const high = log.cmrs.filter(({ start }) => start >= 2 ** 32);
    const host = hostOf([...log.memory, ...asMemory(high)], log.cmrs, { holes: "cmrs" });
    expect(enableTdxNow(host)).toBe(0);
    expect(host.tdmrs[0]?.reserved.length).toBe(2);
  });
  it("2 TiB in three convertible ranges cost the metadata that the host printed", () => {
    const { ranges, pamtKb } = factsOf("canonical/tdx/issues/385");
    const host = hostOf(asMemory(ranges), ranges);
    expect(enableTdxNow(host)).toBe(0);
    expect(pamtKb).toBe(8_396_820);
    expect(host.log.dmesg()[2]).toBe(`virt/tdx: ${pamtKb} KB allocated for PAMT`);
  });
  it("a host whose early module refuses TDH.SYS.RD fails with the call and the status that its log names", () => {
    const { ranges } = factsOf("canonical/tdx/issues/331");
    const host = hostOf(asMemory(ranges), ranges, {}, { readsEarly: false });
    expect(enableTdxNow(host)).toBe(-5);
    expect(host.log.dmesg()[2]).toBe("virt/tdx: SEAMCALL (0x0000000000000022) failed: 0xc000050500000000");
  });
  it("256 GiB cost one page more than four TDMRs do: that host's low memory took two", () => {
    const { ranges, pamtKb } = factsOf("intel/tdx-linux/issues/5");
    const whole = hostOf(asMemory(ranges), ranges);
    expect(enableTdxNow(whole)).toBe(0);
    expect(whole.pamtBytes / 1024).toBe(1_050_640);
    const [low, ...rest] = asMemory(ranges);
    const split = [{ ...low!, end: 2 ** 30 - 4096 }, { ...low!, start: 2 ** 30 }, ...rest];
    const host = hostOf(split, ranges);
    expect(enableTdxNow(host)).toBe(0);
    expect(host.pamtBytes / 1024).toBe(pamtKb);
  });
});
