import { expect, it } from "vitest";
import { MIB } from "../../units.ts";
import { Bench } from "../../vmm/testing/bench.ts";
import { judgeShared, sharedRam } from "./shared-ram.ts";

const PAGES = { stateName: () => "FREE" };
const SHARED = [{ start: 4 * MIB, end: 4 * MIB + 8192 }];

it("boot memory that nobody converted is not shared", () => {
  expect(sharedRam(new Bench().vmm)).toEqual([]);
});

it("what the guest shares is found run by run, to the page", () => {
  const { vmm } = new Bench();
  vmm.setAttribute(0, 10, 12, false);
  vmm.setAttribute(0, 1023, 1537, false);
  const end = vmm.map.end(0) - vmm.map.start(0);
  vmm.setAttribute(0, end - 1, end, false);
  expect(sharedRam(vmm)).toEqual([
    { start: 10 * 4096, end: 12 * 4096 },
    { start: 1023 * 4096, end: 1537 * 4096 },
    { start: (end - 1) * 4096, end: end * 4096 },
  ]);
  vmm.setAttribute(0, 0, end, true);
  expect(sharedRam(vmm)).toEqual([]);
});

it("memory of a device that starts shared is not counted: nobody shared it", () => {
  const virtioMem = [{ id: "vm0", size: 32 * MIB, requestedSize: 32 * MIB }];
  expect(sharedRam(new Bench({ virtioMem, policy: { start: "shared" } }).vmm)).toEqual([]);
});

it("memory that stays shared at a kexec breaks I40", () => {
  expect(judgeShared([], "", PAGES)).toEqual([]);
  expect(judgeShared(SHARED, "tdx: Guest detected", PAGES)).toMatchObject([
    { invariant: "I40", range: SHARED[0], septState: "FREE" },
  ]);
});

it.each([
  "virt/tdx: Failed to unshare range 0x1000-0x2000",
  "tdx: shared page accounting is off",
  "tdx: Failed to stop shared<->private conversions",
])("what the kernel itself says of it is no violation: %s", (line) => {
  expect(judgeShared(SHARED, `before\n${line}\nafter`, PAGES)).toEqual([]);
});
