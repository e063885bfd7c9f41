import { expect, it } from "vitest";
import { R10, setHalves } from "../abi/tdx/regs.ts";
import { ERRNO } from "../linux/errno.ts";
import { USE } from "../linux/mem-map.ts";
import { VM } from "../linux/virtio-mem/driver.ts";
import { GIB, MIB, oneDevice, REGION } from "../linux/virtio-mem/testing/one-device.ts";
import { shared } from "./shared.ts";

const VMCALL = 0;
const ACCEPT = 6;
const UNPLUG = 1;
const BUSY = 2;
const PFN = REGION / 4096;

/** Start-shared on one device at 8 GiB, and what the VMM answers to conversions. */
const start = () => {
  const fake = oneDevice({ design: shared });
  const { hw, k } = fake;
  hw.accepted.fill(0, REGION / 4096 / 8, (REGION + 4 * GIB) / 4096 / 8);
  k.cpus.gpaWidth = 48;
  const refuse = (): void => {
    hw.script = ({ leaf }) => {
      if (leaf === VMCALL) setHalves(hw.regs(0), R10, 0, 0x8000_0000);
      return leaf === VMCALL ? 0 : undefined;
    };
  };
  const leaves = (): number[] => hw.calls.map(({ leaf }) => leaf).filter((leaf) => leaf <= ACCEPT);
  return { ...fake, refuse, leaves };
};

it("converts and accepts chunk by chunk before the allocator gets it, sub-blocks that are not plugged left out", () => {
  const { hw, k, resize, leaves } = start();
  expect(resize(6 * MIB)).toBe(0);
  expect(leaves()).toEqual([VMCALL, ACCEPT, ACCEPT, VMCALL, ACCEPT]);
  expect([0, 1, 2, 3].map((unit) => k.mm.useAt(PFN + unit * 512) === USE.FREE)).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(hw.isAccepted(REGION + 6 * MIB, REGION + 8 * MIB)).toBe(false);
});

it("memory whose unplug was refused is converted to private again and goes back into use", () => {
  const { hw, device, k, resize } = start();
  resize(128 * MIB);
  device.script = (type) => (type === UNPLUG ? BUSY : undefined);
  // The first conversion is the one to shared, for which the VMM removes the pages.
  let converted = false;
  hw.script = ({ leaf }) => {
    if (leaf === VMCALL && !converted) hw.accepted.fill(0, PFN / 8, (PFN + 32768) / 8);
    converted ||= leaf === VMCALL;
    return undefined;
  };
  expect(resize(0)).toBe(ERRNO.ETXTBSY);
  expect([k.mm.useAt(PFN), k.mm.isMapped(PFN), hw.doubles.length]).toEqual([USE.FREE, true, 0]);
  expect(hw.isAccepted(REGION, REGION + 128 * MIB)).toBe(true);
});

it("memory that cannot be converted either way is leaked, and the device is broken", () => {
  const { device, k, resize, refuse, vm } = start();
  resize(128 * MIB);
  const managed = k.zones.sum(k.zones.managed);
  refuse();
  expect(resize(0)).toBe(ERRNO.EIO);
  expect([device.log, vm.has(VM.BROKEN)]).toEqual([["PLUG 0+64 ACK"], true]);
  expect([k.mm.useAt(PFN), k.zones.sum(k.zones.managed) - managed]).toEqual([USE.FAKE_OFFLINE, -32768]);
});

it("memory that cannot be converted to private stays offline", () => {
  const { k, resize, refuse } = start();
  refuse();
  expect(resize(128 * MIB)).toBe(0);
  expect(k.mm.useAt(PFN)).toBe(USE.OFFLINE);
});
