import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GIB, MIB } from "../units.ts";
import { GuestMemfdPages } from "./guest-memfd-pages.ts";
import { HOST_WORD, type HostPolicy } from "./host-kernel.ts";
import { enableTdxNow } from "./init-module.ts";
import { HostMemoryHotplug } from "./memory-hotplug.ts";
import { bytesInside } from "./memory-range.ts";
import { type HostRig, hostRig } from "./testing/host-rig.ts";

const BLOCK = 128 * MIB;
const CXL = { start: 64 * GIB, end: 128 * GIB, node: 1 };
const FIRST = CXL.start / BLOCK;

const ready = (policy: Partial<HostPolicy> = {}, rig: HostRig = {}) => {
  const host = hostRig({ policy, ...rig });
  expect(enableTdxNow(host)).toBe(0);
  return { host, hotplug: new HostMemoryHotplug(host, BLOCK), before: host.log.dmesg().length };
};

describe("64 GiB of CXL memory on a TDX host", () => {
  it("under the notifier is added, and each of its 512 blocks refuses to go online without a word in the log", () => {
    const { host, hotplug, before } = ready();
    expect(hotplug.hotAdd(CXL)).toEqual({ error: 0, convertible: 0 });
    const errors = hotplug.added.map(({ number }) => hotplug.online(number));
    expect(errors.length).toBe(512);
    expect(new Set(errors)).toEqual(new Set([-1]));
    expect(host.log.dmesg().length).toBe(before);
    expect(host.log.entries.filter(({ level }) => level === "debug").length).toBe(512);
    expect(hotplug.devdaxBytes).toBe(64 * GIB);
  });
  it("under the range check is refused as a whole, with one line", () => {
    const { host, hotplug, before } = ready({ hotplugCheck: "range-check" });
    expect(hotplug.hotAdd(CXL)).toEqual({ error: -22, convertible: 0 });
    expect(host.log.dmesg().slice(before)).toEqual([
      "virt/tdx: Reject hot-adding memory range: 0x1000000000-0x2000000000 for TDX compatibility.",
    ]);
    expect([hotplug.added.length, hotplug.devdaxBytes]).toEqual([0, 64 * GIB]);
    expect(hotplug.online(FIRST)).toBe(-2);
  });
  it("partly convertible is refused all the same: it was not there at boot", () => {
    const cmrs = [
      { start: MIB, end: 2 * GIB },
      { start: 4 * GIB, end: 10 * GIB },
      { start: 64 * GIB, end: 96 * GIB },
    ];
    for (const hotplugCheck of ["notifier", "range-check"] as const) {
      const { hotplug } = ready({ hotplugCheck }, { cmrs });
      expect(hotplug.hotAdd(CXL).convertible).toBe(32 * GIB);
      expect(hotplug.online(FIRST)).not.toBe(0);
    }
  });
  it("goes online on a host without TDX, and on one whose TDX failed", () => {
    const off = hostRig();
    const hotplug = new HostMemoryHotplug(off, BLOCK);
    expect(hotplug.hotAdd(CXL).error).toBe(0);
    expect(hotplug.online(FIRST)).toBe(0);
    expect(hotplug.online(FIRST)).toBe(0);
    expect(off.pages.freeBytes).toBe(8 * GIB - MIB + BLOCK);
    const failed = hostRig({ policy: { hotplugCheck: "range-check" }, sys: { maxTdmrs: 1 } });
    expect(enableTdxNow(failed)).toBe(-28);
    expect(new HostMemoryHotplug(failed, BLOCK).hotAdd(CXL).error).toBe(0);
  });
  it("goes online where a security protocol vouches for it from boot on, at the price of its metadata", () => {
    const secure = {
      cmrs: [{ start: MIB, end: 2 * GIB }, { start: 4 * GIB, end: 10 * GIB }, CXL],
      secureWindows: [CXL],
    };
    for (const hotplugCheck of ["notifier", "range-check"] as const) {
      const { host, hotplug } = ready({ hotplugCheck }, secure);
      const free = host.pages.freeBytes;
      expect(hotplug.hotAdd(CXL)).toEqual({ error: 0, convertible: 64 * GIB });
      expect(hotplug.online(FIRST)).toBe(0);
      expect(host.pages.freeBytes).toBe(free + BLOCK);
      expect(host.tdmrs.length).toBe(3);
      expect(host.pamtBytes).toBeGreaterThan(72 * 4 * MIB);
    }
  });
});

describe("hot-added ranges", () => {
  it("are whole blocks, and not there yet", () => {
    const { host, hotplug } = ready();
    expect(hotplug.hotAdd({ ...CXL, start: CXL.start + MIB }).error).toBe(-22);
    expect(host.log.dmesg().at(-1)).toBe(
      "Block size [0x8000000] unaligned hotplug range: start 0x1000100000, size 0xffff00000",
    );
    expect(hotplug.hotAdd({ start: GIB, end: 2 * GIB, node: 0 }).error).toBe(-17);
    expect(hotplug.hotAdd(CXL).error).toBe(0);
    expect(hotplug.hotAdd(CXL).error).toBe(-17);
    // What is there already is told of before its size is looked at.
    expect(hotplug.hotAdd({ start: GIB, end: GIB + MIB, node: 0 }).error).toBe(-17);
  });
  it("that a driver kept are counted once, however often it offers them, and what Linux has is not its own", () => {
    const { hotplug } = ready({ hotplugCheck: "range-check" });
    for (let i = 0; i < 3; i++) hotplug.hotAdd(CXL);
    hotplug.hotAdd({ ...CXL, start: CXL.start + 60 * GIB, end: CXL.end + 4 * GIB });
    hotplug.hotAdd({ start: GIB, end: 2 * GIB, node: 0 });
    expect(hotplug.devdaxBytes).toBe(68 * GIB);
  });
});

describe("a write to a block's online file", () => {
  it("succeeds on a block that is online, from boot or since, and finds no file where there is no memory", () => {
    const { host, hotplug } = ready({ hotplugCheck: "none" });
    hotplug.hotAdd(CXL);
    const free = host.pages.freeBytes;
    expect([hotplug.online(0), hotplug.online(FIRST), hotplug.online(FIRST)]).toEqual([0, 0, 0]);
    expect(host.pages.freeBytes).toBe(free + BLOCK);
    expect(hotplug.online(3 * 8)).toBe(-2);
  });
});

describe("memory added before TDX comes up", () => {
  it("is part of it, and so goes online afterwards", () => {
    const late = { start: 16 * GIB, end: 17 * GIB, node: 0 };
    const cmrs = [{ start: MIB, end: 2 * GIB }, { start: 4 * GIB, end: 10 * GIB }, late];
    const host = hostRig({ cmrs });
    const hotplug = new HostMemoryHotplug(host, BLOCK);
    expect(hotplug.hotAdd(late).error).toBe(0);
    expect(enableTdxNow(host)).toBe(0);
    expect(host.tdmrs.length).toBe(3);
    expect(hotplug.online(late.start / BLOCK)).toBe(0);
  });
  it("fails TDX if it is not convertible", () => {
    const host = hostRig();
    new HostMemoryHotplug(host, BLOCK).hotAdd({ start: 16 * GIB, end: 17 * GIB, node: 0 });
    expect(enableTdxNow(host)).toBe(-5);
    expect(host.log.dmesg()[2]).toContain("failed: 0xc0000a0200000002");
  });
});

describe("the page allocator of a TDX host", () => {
  const at = fc.integer({ min: 0, max: 200 }).map((unit) => unit * 128 * MIB);
  const deed = fc.oneof(
    fc.tuple(fc.constant("enable" as const), fc.constant(0)),
    fc.tuple(fc.constant("add" as const), at),
    fc.tuple(fc.constant("online" as const), at),
    fc.tuple(fc.constant("private" as const), at),
  );
  const inside = (ranges: readonly { start: number; end: number }[], start: number, end: number): boolean =>
    bytesInside(ranges, start, end) === end - start;
  it("holds nothing but TDX memory while TDX is up (I43), and no page of the pool ever (I44)", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("notifier", "range-check"),
        fc.array(deed, { maxLength: 12 }),
        (check, deeds) => {
          const host = hostRig({
            policy: { hotplugCheck: check },
            features: ["NO_RBP_MOD", "EXT", "QUOTE"],
            addOnFeatures: 1n << 50n,
            sys: { extensionPages: 300 },
            cmrs: [{ start: MIB, end: 64 * GIB }],
          });
          host.words[HOST_WORD.CALLS_PER_STEP] = 2 ** 16;
          const hotplug = new HostMemoryHotplug(host, BLOCK);
          const memfd = new GuestMemfdPages(host);
          for (const [what, where] of deeds) {
            if (what === "add") hotplug.hotAdd({ start: where, end: where + BLOCK, node: 0 });
            if (what === "online") hotplug.online(where / BLOCK);
            if (what === "private") memfd.allocate(where / 100);
            if (what === "enable" && host.state === "uninitialized") enableTdxNow(host);
            const { freeRanges } = host.pages;
            for (const { start, end } of host.state === "initialized" ? freeRanges : []) {
              expect(inside(host.memlist, start, end)).toBe(true);
            }
            for (const page of host.pool?.pages ?? [])
              expect(bytesInside(freeRanges, page, page + 4096)).toBe(0);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("private memory of a TD", () => {
  it("comes from the page allocator only: devdax memory beside it does not help", () => {
    const { host, hotplug } = ready();
    hotplug.hotAdd(CXL);
    const guest = new GuestMemfdPages(host);
    expect(hotplug.devdaxBytes).toBe(64 * GIB);
    expect(guest.allocate(16 * GIB)).toBe(-12);
    expect(guest.privateBytes).toBe(0);
    expect(guest.allocate(4 * GIB)).toBe(0);
    expect(guest.privateBytes).toBe(4 * GIB);
  });
});
