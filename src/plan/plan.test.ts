import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DESIGN_NAMES } from "../designs/designs.ts";
import { GIB, MIB } from "../units.ts";
import { grownBill, memoryGrowth, pluggedGrowth } from "./growth.ts";
import { measure } from "./measured-run.ts";
import { makePlan } from "./plan.ts";
import {
  PLAN_ACCEPTS,
  PLAN_DISCARDS,
  PLAN_FIRMWARE,
  PLAN_PLATFORMS,
  type PlanRequest,
  wholeSize,
} from "./plan-request.ts";
import { type PlannedPhase, plannedScenario } from "./planned-scenario.ts";

const request = (rest: Partial<PlanRequest> = {}): PlanRequest => ({
  memory: 4 * GIB,
  hotplug: GIB,
  vcpus: 2,
  nodes: 1,
  platform: "tdx",
  design: "bitmaps",
  accept: "lazy",
  device: "virtio-mem",
  blockSize: 2 * MIB,
  dimms: 1,
  discard: "both",
  unaccepted: "above-4g",
  extensionPages: 12800,
  ...rest,
});

const OPTIONS = { version: "test" };

/** Two designs are described for SNP: not all that they do on TDX is modelled. */
const NOT_ON_TDX = ["snp-hotplug", "uhp"];
const PLAYED = DESIGN_NAMES.filter((name) => !NOT_ON_TDX.includes(name));

const machine = fc
  .record({
    memory: fc.integer({ min: 2, max: 9 }).map((halves) => (halves * GIB) / 2),
    blocks: fc.integer({ min: 1, max: 5 }),
    vcpus: fc.integer({ min: 1, max: 12 }),
    nodes: fc.constantFrom(1, 1, 2),
    platform: fc.constantFrom(...PLAN_PLATFORMS),
    design: fc.constantFrom(...PLAYED),
    accept: fc.constantFrom(...PLAN_ACCEPTS),
    device: fc.constantFrom("virtio-mem" as const, "dimm" as const),
    blockSize: fc.constantFrom(2 * MIB, 16 * MIB, 128 * MIB, 256 * MIB),
    discard: fc.constantFrom(...PLAN_DISCARDS),
    unaccepted: fc.constantFrom(...PLAN_FIRMWARE),
    dimms: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ blocks, blockSize, dimms, ...rest }) =>
    rest.device === "dimm"
      ? request({ ...rest, blockSize, hotplug: dimms * blocks * 64 * MIB, dimms })
      : request({ ...rest, blockSize, hotplug: blocks * 256 * MIB, dimms: 1 }),
  );

describe("a plan of a machine that can be run", () => {
  it("says the virtual times that a run of its scenario measures", async () => {
    await fc.assert(
      fc.asyncProperty(machine, async (wanted) => {
        const plan = await makePlan(wanted, OPTIONS);
        const run = await measure(plannedScenario(wanted, wholeSize(wanted)));
        const spent = (phase: PlannedPhase): number =>
          run.phases.reduce((sum, one) => sum + (one.phase === phase ? one.bill.ns : 0), 0);
        expect([plan.boot[wanted.accept].ns, plan.plug?.ns, plan.unplug?.ns]).toEqual([
          spent("boot"),
          spent("plug"),
          spent("unplug"),
        ]);
        expect([plan.boot.lazy.from, plan.plug?.from]).toEqual([[], []]);
      }),
      { numRuns: 16 },
    );
  });

  it("has times of a plug, or names what of the design is not modelled", async () => {
    for (const design of NOT_ON_TDX) {
      const { boot, plug, unplug, limits } = await makePlan(request({ design }), OPTIONS);
      expect(boot.lazy.status).toBe("SUCCESS");
      const named = limits.find(({ id }) => id === "not-modelled");
      expect([plug === null, unplug === null]).toEqual([named !== undefined, named !== undefined]);
    }
  });

  it("bills every nanosecond of a plug and an unplug that no timer was waited for", async () => {
    await fc.assert(
      fc.asyncProperty(machine, async (wanted) => {
        const { plug, unplug } = await makePlan(wanted, OPTIONS);
        for (const timing of [plug!, unplug!]) {
          const billed =
            timing.bill.reduce((sum, { ns }) => sum + ns, 0) + timing.waitNs - timing.sideBySideNs;
          expect(Math.abs(billed - timing.ns)).toBeLessThan(2);
          // A driver's retry waits for at least five seconds.
          if (timing.waitNs > 0 && timing.waitNs < 1e9) expect([wanted, timing]).toEqual([]);
          expect(timing.lowNs).toBeLessThanOrEqual(timing.ns);
          expect(timing.highNs).toBeGreaterThanOrEqual(timing.ns);
        }
      }),
      { numRuns: 16 },
    );
  });

  it("bills a boot what its slowest vCPU did, whatever the platform", async () => {
    for (const platform of PLAN_PLATFORMS) {
      const { boot } = await makePlan(request({ platform, memory: 4 * GIB, vcpus: 3, hotplug: 0 }), OPTIONS);
      for (const timing of [boot.lazy, boot.eager]) {
        const billed = timing.bill.reduce((sum, { ns }) => sum + ns, 0);
        // The rest is less than a hundredth: vCPUs that wait for each other, and pages that are firmware's.
        expect(Math.abs(timing.ns - billed) / timing.ns).toBeLessThan(0.01);
        expect(Math.abs(billed + timing.waitNs - timing.sideBySideNs - timing.ns)).toBeLessThan(2);
      }
    }
  });
});

describe("a machine too large to run", () => {
  it("boots in the time that follows from two smaller ones", async () => {
    for (const accept of PLAN_ACCEPTS)
      for (const [gib, vcpus, nodes, platform] of [
        [74, 4, 1, "tdx"],
        [77, 8, 2, "tdx"],
        [74, 4, 1, "snp"],
      ] as const) {
        const wanted = request({ memory: gib * GIB, vcpus, nodes, platform, hotplug: 0, accept });
        const by = memoryGrowth(wanted)!;
        const at = async (memory: number) =>
          (await measure(plannedScenario(wanted, { memory, plugged: 0, devices: 1 }))).phases[0]!.bill;
        const [small, large, real] = [await at(by.small), await at(by.large), await at(wanted.memory)];
        const grown = grownBill(small, large, by);
        expect([accept, gib, Math.abs(grown.ns / real.ns - 1) < 1e-3]).toEqual([accept, gib, true]);
      }
  });

  it("grows and shrinks in the time that follows from growing less", async () => {
    for (const [device, design, platform] of [
      ["virtio-mem", "bitmaps", "tdx"],
      ["dimm", "tide", "tdx"],
      ["dimm", "none", "tdx"],
      ["virtio-mem", "tide", "snp"],
    ] as const) {
      const hotplug = (device === "dimm" ? 65 : 25) * GIB;
      const wanted = request({ memory: 8 * GIB, hotplug, device, design, platform });
      const by = pluggedGrowth(wanted, wanted.hotplug)!;
      const at = async (plugged: number) =>
        (await measure(plannedScenario(wanted, { memory: wanted.memory, plugged, devices: 1 }))).phases;
      const [small, large, real] = [await at(by.small), await at(by.large), await at(wanted.hotplug)];
      for (const n of [1, 2]) {
        const grown = grownBill(small[n]!.bill, large[n]!.bill, by);
        const off = grown.ns / real[n]!.bill.ns - 1;
        expect([device, design, platform, n, Math.abs(off) < 0.02 ? 0 : off]).toEqual([
          device,
          design,
          platform,
          n,
          0,
        ]);
      }
    }
  });
});

describe("figures of a plan, worked out by hand", () => {
  it("4 GiB and 8 GiB more under bitmaps: the worked example", async () => {
    const { machine, host, extensions } = await makePlan(
      request({ hotplug: 8 * GIB, vcpus: 1, design: "bitmaps" }),
      OPTIONS,
    );
    // 2 GiB of RAM above 4 GiB and 8 GiB of window: 5120 units, 640 bytes a bitmap, 24 bytes of header.
    expect(machine.table).toMatchObject({
      version: 2,
      physBase: 4 * GIB,
      unitSize: 2 * MIB,
      units: 5120,
      bitmapBytes: 640,
      tableBytes: 1304,
      coversWindow: true,
    });
    expect(machine.window).toEqual({ start: 6 * GIB, end: 14 * GIB });
    expect(machine.blocks).toEqual({ size: 128 * MIB, boot: 32, hotplug: 64 });
    // 64 bytes for each page of 4 KiB.
    expect(machine.memmap).toEqual({ boot: 64 * MIB, hotplug: 128 * MIB });
    expect(host).toEqual({
      // 12 GiB of 4 MiB, 8 KiB and 16 bytes a GiB, each table in whole pages.
      pamt: 12 * (4 * MIB + 8192) + 4096,
      // The bitmap of the 4 KiB table is 32 KiB a GiB; each of 6144 blocks in 4 KiB pages takes two pages more.
      pamtDynamic: 12 * (32 * 1024 + 8192) + 4096,
      pamtDynamicSmall: 12 * (32 * 1024 + 8192) + 4096 + 6144 * 8192,
      // RAM lies in 2 GiB and 2 GiB, the window in 8 GiB: 12 tables of a GiB, one of 512 GiB, one above.
      sept: 14 * 4096,
      septSmall: (14 + 12 * 512) * 4096,
      // TDR, 6 pages of TDCS, 6 of TDVPS.
      control: 13 * 4096,
      // 6 % of 4 GiB.
      shared: 257_699_840,
    });
    expect(extensions).toEqual({
      pages: 12800,
      bytes: 50 * MIB,
      lists: 25,
      blocksContiguous: 25,
      blocksScattered: 12800,
    });
  });

  it("the same machine on SEV-SNP", async () => {
    const { formatVersion, host, extensions, limits } = await makePlan(
      request({ hotplug: 8 * GIB, vcpus: 3, platform: "snp", design: "tide", extensionPages: 0 }),
      OPTIONS,
    );
    expect([formatVersion, extensions]).toEqual([2, null]);
    expect(host).toEqual({
      // 12 GiB are 3 Mi pages of 16 bytes.
      rmp: 48 * MIB,
      // The tables that a secure EPT has as well: 12 of a GiB, one of 512 GiB, the root.
      nested: 14 * 4096,
      nestedSmall: (14 + 12 * 512) * 4096,
      // The context page and three save areas.
      control: 4 * 4096,
      shared: 257_699_840,
    });
    expect(limits.find(({ id }) => id === "address-width")).toMatchObject({ severity: "ok", limit: 2 ** 51 });
  });

  it("64 GiB of RAM that ends at 66 GiB has memory blocks of 2 GiB", async () => {
    const { machine } = await makePlan(request({ memory: 64 * GIB, hotplug: 0, design: "none" }), OPTIONS);
    expect(machine.blocks).toEqual({ size: 2 * GIB, boot: 32, hotplug: 0 });
    expect(machine.window).toBeNull();
    // Firmware leaves what is above 4 GiB: 62 GiB are 31744 units.
    expect(machine.table).toMatchObject({ version: 1, units: 31744, bitmapBytes: 3968 });
  });

  it("a DIMM whose struct pages do not fit is an error that says what to do", async () => {
    const plan = await makePlan(
      request({ memory: GIB, hotplug: 128 * GIB, device: "dimm", design: "none" }),
      OPTIONS,
    );
    const limit = plan.limits.find(({ id }) => id === "memmap");
    expect(limit).toMatchObject({ severity: "error", value: 2 * GIB });
    expect(limit?.text).toContain("memmap_on_memory");
  });
});
