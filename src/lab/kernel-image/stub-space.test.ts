import { expect, it } from "vitest";
import { stubSpaces } from "./stub-space.ts";
import { TEXT, tinyKernel } from "./testing/tiny-kernel.ts";

const NOPS = Array.from({ length: 0x1e00 }, () => 0x90);
const filled = { 0: NOPS };

it("padding behind the text comes first, then the longest function of another hypervisor", () => {
  const image = tinyKernel(
    { vmware_tdx_hypercall: 0x100, tdx_hypercall: 0x180, xen_longer: 0x200, after: 0x300 },
    filled,
  );
  expect(stubSpaces(image, 100)).toEqual([
    { address: TEXT + 0x1e10n, length: 0x1f0, kind: "padding behind the text", name: "after" },
    { address: TEXT + 0x210n, length: 0xf0, kind: "idle function", name: "xen_longer" },
    { address: TEXT + 0x110n, length: 0x70, kind: "idle function", name: "vmware_tdx_hypercall" },
  ]);
  expect(stubSpaces(image, 0x80)).toHaveLength(2);
  expect(stubSpaces(image, 0x1000)).toEqual([]);
});

it("a function is used only up to the first place that the kernel rewrites", () => {
  // The table lies at RODATA, 0x1000000 behind the text: its entry names 0x140 relative to itself.
  const table = new Uint8Array(Int32Array.of(0x140 - 0x100_0000).buffer);
  const sites = { __return_sites: 0x100_0000, __return_sites_end: 0x100_0004 };
  const image = tinyKernel({ vmware_tdx_hypercall: 0x100, after: 0x200, ...sites }, filled, table);
  expect(stubSpaces(image, 1)[1]).toMatchObject({ address: TEXT + 0x110n, length: 0x30 });
});
