import { describe, expect, it } from "vitest";
import { TDH } from "../abi/tdx/leaves.ts";
import { status } from "../abi/tdx/status.ts";
import { seamcall } from "../tdx-module/seamcall.ts";
import { GIB, KIB, MIB } from "../units.ts";
import { HOST_WORD, hostTask } from "./host-kernel.ts";
import { enableTdx, enableTdxNow } from "./init-module.ts";
import { hostRig, SMALL_HOST } from "./testing/host-rig.ts";

describe("a host that brings TDX up", () => {
  it("builds one TDMR for each memory range, and says what the metadata costs", () => {
    const host = hostRig();
    expect(enableTdxNow(host)).toBe(0);
    expect(host.state).toBe("initialized");
    expect(host.tdmrs.map(({ start, end }) => [start / GIB, end / GIB])).toEqual([
      [0, 2],
      [4, 10],
    ]);
    // 8 GiB of 4 MiB, 8 KiB; and a page for each TDMR's 1 GiB entries.
    expect(host.log.dmesg()).toEqual([
      "virt/tdx: BIOS enabled: private KeyID range [32, 64)",
      "virt/tdx: Disable ACPI S3. Turn off TDX in the BIOS to use ACPI S3.",
      `virt/tdx: ${8 * 4096 + 8 * 8 + 2 * 4} KB allocated for PAMT`,
      "virt/tdx: TDX-Module initialized",
    ]);
  });
  it("leaves to a TDMR what the one before does not cover, and makes none for what it covers whole", () => {
    const memory = [
      { start: 0, end: 1.5 * GIB, node: 0 },
      { start: 1.6 * GIB - ((1.6 * GIB) % MIB), end: 3.25 * GIB, node: 0 },
      { start: 3.5 * GIB, end: 3.75 * GIB, node: 0 },
      { start: 4 * GIB, end: 5 * GIB, node: 0 },
    ];
    const host = hostRig({ memory });
    expect(enableTdxNow(host)).toBe(0);
    expect(host.tdmrs.map(({ start, end }) => [start / GIB, end / GIB])).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
    const holes = host.tdmrs[1]?.reserved.map(({ start, end }) => [start / GIB, end / GIB]);
    expect(holes).toEqual([
      [3.25, 3.5],
      [3.75, 4],
    ]);
  });
  it("puts metadata above 4 GiB, and reserves it there with the hole below 1 MiB", () => {
    const host = hostRig({ memory: [{ start: 0, end: 2 * GIB, node: 0 }, SMALL_HOST[1]!] });
    enableTdxNow(host);
    const [low, high] = host.tdmrs;
    expect(low?.reserved).toEqual([{ start: 0, end: MIB }]);
    // Both tables: 2 GiB and 6 GiB of memory.
    const bytes = [2, 6].map((gib) => gib * (4 * MIB + 8 * KIB) + 4 * KIB);
    expect(high?.reserved.map(({ start, end }) => end - start)).toEqual(bytes);
    expect(high?.reserved.every(({ start }) => start >= 4 * GIB)).toBe(true);
  });
  it("makes every SEAMCALL a step, 256 a GiB for the metadata", () => {
    const host = hostRig();
    const task = hostTask();
    task.start(enableTdx);
    let steps = 0;
    while (!task.idle) {
      task.step(host);
      steps++;
    }
    // INIT, 4 LP.INIT, 12 fields (features, 5 limits, count, 2 CMRs), CONFIG, 2 KEY.CONFIG, 8 GiB of TDMR.INIT.
    expect(host.words[HOST_WORD.SEAMCALLS]).toBe(1 + 4 + 11 + 1 + 2 + 8 * 256);
    expect(steps).toBeGreaterThan(8 * 256);
  });
  it("comes to the same module whether it stops after each call or not", () => {
    const [slow, quick] = [hostRig(), hostRig()];
    quick.words[HOST_WORD.CALLS_PER_STEP] = 1000;
    enableTdxNow(slow);
    enableTdxNow(quick);
    expect(quick.module.save()).toEqual(slow.module.save());
    expect(quick.words[HOST_WORD.SEAMCALLS]).toBe(slow.words[HOST_WORD.SEAMCALLS]);
  });
  it("with dynamic PAMT takes 32 KiB a GiB instead of 4 MiB, and 64 calls instead of 256", () => {
    const features = ["NO_RBP_MOD", "DYNAMIC_PAMT"] as const;
    const host = hostRig({ features, policy: { dynamicPamt: true } });
    expect(enableTdxNow(host)).toBe(0);
    expect(host.log.dmesg()[2]).toBe("virt/tdx: Enable Dynamic PAMT");
    expect(host.pamtBytes).toBe(8 * (32 + 8) * KIB + 2 * 4 * KIB);
    // INIT, 4 LP.INIT, 12 fields, CONFIG, 2 KEY.CONFIG.
    expect(host.words[HOST_WORD.SEAMCALLS]).toBe(1 + 4 + 12 + 1 + 2 + 8 * 64);
    const without = hostRig({ features: ["NO_RBP_MOD"], policy: { dynamicPamt: true } });
    enableTdxNow(without);
    expect(without.pamtBytes).toBe(8 * (4096 + 8) * KIB + 2 * 4 * KIB);
  });
  it("speaks as the kernel it is", () => {
    const host = hostRig({ policy: { kernel: "6.12" } });
    enableTdxNow(host);
    expect(host.log.dmesg().at(-1)).toBe("virt/tdx: module initialized");
  });
  it("can create a TD afterwards, and not before", () => {
    const host = hostRig();
    const create = (): number => {
      host.regs.fill(0);
      host.regs[0] = TDH["TDH.MNG.CREATE"];
      host.regs[2] = 8 * 2 ** 20;
      host.regs[3] = 2;
      host.regs[4] = 33;
      return seamcall(host.module, host.regs);
    };
    expect(create()).toBe(status("SYS_NOT_READY"));
    enableTdxNow(host);
    expect(create()).toBe(0);
  });
});

describe("a host that cannot bring TDX up", () => {
  it("has too few private key ids", () => {
    const host = hostRig({ platform: { hkidBits: 6, firstPrivateHkid: 63 } });
    expect(enableTdxNow(host)).toBe(-19);
    expect(host.log.dmesg()).toEqual([
      "virt/tdx: BIOS enabled: private KeyID range [63, 64)",
      "virt/tdx: initialization failed: too few private KeyIDs available.",
      "virt/tdx: TDX not supported by the host platform",
    ]);
  });
  it("runs out of TDMRs when memory is in more pieces than the module takes", () => {
    const memory = [0, 2, 4, 6].map((gib) => ({ start: gib * GIB, end: (gib + 1) * GIB, node: 0 }));
    const host = hostRig({ memory, sys: { maxTdmrs: 3 } });
    expect(enableTdxNow(host)).toBe(-28);
    expect(host.log.dmesg().slice(2)).toEqual([
      "virt/tdx: initialization failed: TDMRs exhausted.",
      "virt/tdx: TDX-Module initialization failed (-28)",
    ]);
    expect([host.state, host.memlist]).toEqual(["error", []]);
  });
  it("warns when it is close to that", () => {
    const host = hostRig({ sys: { maxTdmrs: 5 } });
    expect(enableTdxNow(host)).toBe(0);
    expect(host.log.dmesg()[2]).toBe("virt/tdx: consumed TDMRs reaching limit: 2 used out of 5");
  });
  it("runs out of reserved areas, and gives the metadata back", () => {
    const memory = Array.from({ length: 17 }, (_, i) => ({
      start: (64 * i + 1) * MIB,
      end: (64 * i + 40) * MIB,
      node: 0,
    }));
    const host = hostRig({ memory });
    const before = host.pages.freeBytes;
    expect(enableTdxNow(host)).toBe(-28);
    expect(host.log.dmesg()[2]).toBe(
      "virt/tdx: initialization failed: TDMR [0x0, 0x40000000): reserved areas exhausted.",
    );
    expect(host.pages.freeBytes).toBe(before);
  });
  it("finds no contiguous memory for metadata", () => {
    const memory = [{ start: 0, end: 2 * MIB, node: 0 }];
    const host = hostRig({ memory });
    expect(enableTdxNow(host)).toBe(-12);
    expect(host.log.dmesg().at(-1)).toBe("virt/tdx: TDX-Module initialization failed (-12)");
  });
  it("has memory that is not convertible, which the module refuses", () => {
    const host = hostRig({ cmrs: [{ start: MIB, end: 8 * GIB }], policy: { kernel: "6.12" } });
    expect(enableTdxNow(host)).toBe(-5);
    expect(host.log.dmesg().slice(2)).toEqual([
      // TDMR 1 of TDMRs 0 and 1; leaf 45.
      "virt/tdx: SEAMCALL (0x000000000000002d) failed: 0xc0000a0200000001",
      "virt/tdx: module initialization failed (-5)",
    ]);
  });
  it("has a module that clobbers RBP", () => {
    const host = hostRig({ features: [] });
    expect(enableTdxNow(host)).toBe(-22);
    expect(host.log.dmesg()[2]).toBe("virt/tdx: frame pointer (RBP) clobber bug present, upgrade TDX module");
  });
  it("prints the registers when a field cannot be read", () => {
    const host = hostRig();
    host.module.faults.nextSeamcall(TDH["TDH.SYS.RD"], status("SYS_NOT_READY"));
    expect(enableTdxNow(host)).toBe(-5);
    expect(host.log.dmesg().slice(2)).toEqual([
      "virt/tdx: SEAMCALL (0x0000000000000022) failed: 0xc000050500000000",
      "virt/tdx: RCX 0x0000000000000000 RDX 0x0a00000300000008 R08 0x0000000000000000",
      "virt/tdx: R09 0x0000000000000000 R10 0x0000000000000000 R11 0x0000000000000000",
      "virt/tdx: TDX-Module initialization failed (-5)",
    ]);
  });
  it("stops at whichever call fails", () => {
    for (const leaf of [
      "TDH.SYS.INIT",
      "TDH.SYS.LP.INIT",
      "TDH.SYS.KEY.CONFIG",
      "TDH.SYS.TDMR.INIT",
    ] as const) {
      const host = hostRig();
      host.module.faults.nextSeamcall(TDH[leaf], status("SYS_BUSY"));
      expect(enableTdxNow(host)).toBe(-5);
      const code = TDH[leaf].toString(16).padStart(16, "0");
      expect(host.log.dmesg()).toContain(`virt/tdx: SEAMCALL (0x${code}) failed: 0x8000020200000000`);
      const saysSo = host.log.dmesg().at(-1) === "virt/tdx: TDX-Module initialization failed (-5)";
      expect(saysSo).toBe(leaf === "TDH.SYS.KEY.CONFIG" || leaf === "TDH.SYS.TDMR.INIT");
    }
  });
});
