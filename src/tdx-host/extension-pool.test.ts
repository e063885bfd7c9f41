import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TDH } from "../abi/tdx/leaves.ts";
import { status } from "../abi/tdx/status.ts";
import { SYS_WORD } from "../tdx-module/sys-state.ts";
import { GIB, MIB } from "../units.ts";
import { DynamicPamt } from "./dynamic-pamt.ts";
import { type HostPolicy, hostTask, type TdxHost } from "./host-kernel.ts";
import { enableTdx, enableTdxNow } from "./init-module.ts";
import { TdMemory } from "./td-memory.ts";
import { type HostRig, hostRig } from "./testing/host-rig.ts";

const FEATURES = ["NO_RBP_MOD", "EXT", "QUOTE"] as const;
const QUOTE = 1n << 50n;
/** 40 GiB, so that 12,800 scattered pages find a 2 MiB block each. */
const MEMORY = [
  { start: 0, end: 2 * GIB, node: 0 },
  { start: 4 * GIB, end: 42 * GIB, node: 0 },
];
const withPool = (extensionPages: number, policy: Partial<HostPolicy> = {}, rig: HostRig = {}): TdxHost =>
  hostRig({
    memory: MEMORY,
    features: FEATURES,
    addOnFeatures: QUOTE,
    sys: { extensionPages },
    policy,
    ...rig,
  });

describe("the pool of the module's extensions", () => {
  it("is 12,800 pages in 25 lists, and one line in the log", () => {
    const host = withPool(12_800);
    expect(enableTdxNow(host)).toBe(0);
    expect(host.log.dmesg().slice(-3)).toEqual([
      "virt/tdx: 51200 KB consumed for TDX module extensions",
      `virt/tdx: ${40 * 4104 + 4 + 4} KB allocated for PAMT`,
      "virt/tdx: TDX-Module initialized",
    ]);
    expect([host.pool?.given, host.module.sys.words[SYS_WORD.EXT_GIVEN]]).toEqual([12_800, 12_800]);
    expect(host.module.sys.words[SYS_WORD.EXT_REQUIRED]).toBe(0);
  });
  it("spoils 25 or 26 huge pages if it is contiguous, and one for each page in the worst case if not", () => {
    const spoiled = (extensionPages: HostPolicy["extensionPages"]): number | undefined => {
      const host = withPool(12_800, { extensionPages });
      expect(enableTdxNow(host)).toBe(0);
      return host.pool?.cost.spoiledBlocks;
    };
    expect(spoiled("contiguous")).toBeLessThanOrEqual(26);
    expect(spoiled("contiguous")).toBeGreaterThanOrEqual(25);
    expect(spoiled("scattered")).toBe(12_800);
  });
  it("is not asked for without an add-on feature, nor by a module without extensions", () => {
    const noFeature = withPool(512, {}, { addOnFeatures: 0n });
    const noExtensions = hostRig();
    for (const host of [noFeature, noExtensions]) {
      expect(enableTdxNow(host)).toBe(0);
      expect(host.pool).toBeUndefined();
    }
  });
  it("of zero pages is skipped, and the extensions are started", () => {
    const host = withPool(0);
    expect(enableTdxNow(host)).toBe(0);
    expect(host.pool).toBeUndefined();
    expect(host.module.sys.words[SYS_WORD.EXT_REQUIRED]).toBe(0);
  });
  it("fails the whole initialisation if there is no memory for it", () => {
    const host = withPool(40 * 512 * 512);
    expect(enableTdxNow(host)).toBe(-12);
    expect(host.state).toBe("error");
  });
  it("comes out the same however often the calls are interrupted", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1500 }), fc.integer({ min: 1, max: 600 }), (pages, every) => {
        const host = withPool(pages, {}, { memory: [{ start: 0, end: GIB, node: 0 }] });
        host.module.sys.words[SYS_WORD.INTERRUPT_EVERY] = every;
        expect(enableTdxNow(host)).toBe(0);
        expect(host.pool?.given).toBe(pages);
      }),
      { numRuns: 20 },
    );
  });
});

describe("a pool that fails in the middle", () => {
  it("is stranded, with one line that says how much the module has", () => {
    const host = withPool(12_800);
    host.module.sys.words[SYS_WORD.INTERRUPT_EVERY] = 100;
    const free = host.pages.freeBytes;
    expect(failAt(host, 300)).toBe(-14);
    expect(host.pool?.given).toBe(300);
    expect(host.log.dmesg().slice(2)).toEqual([
      "Fatal: TDX module rejected (-14) memory for extensions, stranded all pages",
      "virt/tdx: 51200 KB consumed for TDX module extensions",
      "virt/tdx: TDX-Module initialization failed (-14)",
    ]);
    // Metadata and TDMR_INFO came back, the pool did not.
    expect(free - host.pages.freeBytes).toBe(50 * MIB);
  });
  it("by a call that is refused at once strands all of it outside the module", () => {
    const host = withPool(512);
    host.module.faults.nextSeamcall(TDH["TDH.EXT.MEM.ADD"], status("SYS_BUSY"));
    expect(enableTdxNow(host)).toBe(-14);
    expect([host.pool?.pages.length, host.pool?.given]).toEqual([512, 0]);
    expect(host.log.dmesg().at(-3)).toContain("stranded all pages");
  });
  it("fails too when the extensions do not start", () => {
    const host = withPool(512);
    host.module.faults.nextSeamcall(TDH["TDH.EXT.INIT"], status("SYS_BUSY"));
    expect(enableTdxNow(host)).toBe(-14);
    expect(host.log.dmesg().slice(2)).toEqual([
      "virt/tdx: 2048 KB consumed for TDX module extensions",
      "virt/tdx: TDX-Module initialization failed (-14)",
    ]);
  });
});

describe("the pool on a host with dynamic PAMT", () => {
  const dynamic = (pages: number, policy: Partial<HostPolicy> = {}, rig: HostRig = {}): TdxHost =>
    withPool(pages, { dynamicPamt: true, ...policy }, { features: [...FEATURES, "DYNAMIC_PAMT"], ...rig });
  const countOf = (host: TdxHost): (() => number) => {
    let calls = 0;
    host.onSeamcall = (leaf) => {
      if (leaf === TDH["TDH.PHYMEM.PAMT.ADD"]) calls++;
    };
    return () => calls;
  };
  it("gets a pair of pages for each block that it lies in, once", () => {
    const without = dynamic(0);
    expect(enableTdxNow(without)).toBe(0);
    const freeWithout = without.pages.freeBytes;
    for (const [how, least, most] of [
      ["contiguous", 25, 26],
      ["scattered", 12_800, 12_800],
    ] as const) {
      const host = dynamic(12_800, { extensionPages: how });
      const calls = countOf(host);
      expect(enableTdxNow(host)).toBe(0);
      expect(host.pool?.given).toBe(12_800);
      expect(calls()).toBeGreaterThanOrEqual(least);
      expect(calls()).toBeLessThanOrEqual(most);
      expect(host.pairedForGood.size).toBe(calls());
      // The pool, and two pages a pair.
      expect(freeWithout - host.pages.freeBytes).toBe(50 * MIB + 8192 * calls());
    }
  });
  it("without memory for the pairs is given back, and the initialisation fails", () => {
    const rig = { memory: [{ start: 0, end: 64 * MIB, node: 0 }] };
    const empty = dynamic(0, {}, rig);
    expect(enableTdxNow(empty)).toBe(0);
    // Two pages more are free while the pool is taken than are left in the end; 31 blocks would want 62.
    const pages = empty.pages.freeBytes / 4096 - 40;
    const host = dynamic(pages, { extensionPages: "scattered" }, rig);
    expect(enableTdxNow(host)).toBe(-12);
    expect([host.pool, host.state]).toEqual([undefined, "error"]);
  });
  it("leaves blocks with a pair to the host's TDs, which bring none for them", () => {
    const host = dynamic(100);
    expect(enableTdxNow(host)).toBe(0);
    const memory = new TdMemory(host.pages);
    const pairs = new DynamicPamt(host.module, memory, host.pairedForGood);
    const block = [...host.pairedForGood][0]!;
    expect([pairs.get(512 * block + 511), pairs.pairs]).toEqual([true, 0]);
    pairs.put(512 * block + 511);
    pairs.removeAll();
    expect(host.module.pairs?.has(512 * block)).toBe(true);
  });
});

describe("pages that the host wrote before it gave them away", () => {
  const corrupted = (extensionFlush: boolean, mustFlush: boolean): number => {
    const features = mustFlush ? [...FEATURES, "CLFLUSH_BEFORE_ALLOC" as const] : FEATURES;
    const host = withPool(512, { extensionFlush }, { features });
    enableTdxNow(host);
    return host.caches.corrupted.length;
  };
  it("are destroyed by lines written back later, if the platform needs a flush and gets none", () => {
    expect(corrupted(false, true)).toBe(512);
    expect(corrupted(true, true)).toBe(0);
    expect(corrupted(false, false)).toBe(0);
  });
});

/** Brings TDX up step by step, and makes a page of the pool a TD's as soon as the pool is allocated. */
const failAt = (host: TdxHost, index: number): number => {
  const task = hostTask();
  task.start(enableTdx);
  let isSpoiled = false;
  while (!task.idle) {
    task.step(host);
    if (isSpoiled || host.pool === undefined) continue;
    host.seamcall("TDH.MNG.CREATE", { RCX: host.pool.pages[index]!, RDX: 33 });
    isSpoiled = true;
  }
  return task.result;
};
