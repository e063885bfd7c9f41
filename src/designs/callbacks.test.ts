import { expect, it } from "vitest";
import { ERRNO } from "../linux/errno.ts";
import { USE } from "../linux/mem-map.ts";
import { VM } from "../linux/virtio-mem/driver.ts";
import { GIB, MIB, oneDevice, REGION } from "../linux/virtio-mem/testing/one-device.ts";
import { callbacks } from "./callbacks.ts";

const ACCEPT = 6;
const RELEASE = 30;
const REFUSED = 0x8000_0200;
const BUSY = 2;
const ACK = 0;
const UNPLUG = 1;
/** CONFIG_FLAGS of a TD that may release pages. */
const PAGE_RELEASE = 0x40;

/** RFC v1 on one device at 8 GiB, whose memory is not accepted. */
const start = () => {
  const fake = oneDevice({ design: callbacks });
  const { hw, k } = fake;
  hw.accepted.fill(0, REGION / 4096 / 8, (REGION + 4 * GIB) / 4096 / 8);
  k.cpus.configFlags = PAGE_RELEASE;
  /** Which leaves are refused above REGION + `from` bytes. */
  const refuse = (leaf: number, from: number): void => {
    hw.script = (call) => (call.leaf === leaf && call.rcx >= REGION + from ? REFUSED : undefined);
  };
  const broken = () => fake.vm.has(VM.BROKEN);
  return { ...fake, refuse, broken };
};

it("accepts what was plugged before Linux has it, and releases it before the unplug", () => {
  const { hw, device, resize, k } = start();
  expect(resize(128 * MIB)).toBe(0);
  expect([hw.accepts, hw.isAccepted(REGION, REGION + 128 * MIB), hw.doubles.length]).toEqual([64, true, 0]);
  expect(k.mm.useAt(REGION / 4096)).toBe(USE.FREE);
  expect(resize(0)).toBe(0);
  expect([hw.releases, device.log]).toEqual([64, ["PLUG 0+64 ACK", "UNPLUG 0+64 ACK"]]);
});

it("an accept that fails after the plug breaks the device, leaks the memory and keeps what it accepted", () => {
  const { hw, device, vm, resize, refuse, broken, log } = start();
  refuse(ACCEPT, 64 * MIB);
  expect(resize(128 * MIB)).toBe(ERRNO.EINVAL);
  expect(broken()).toBe(true);
  expect(log).toContain("Failed to accept memory [0x200000000, 0x208000000)");
  expect(hw.isAccepted(REGION, REGION + 64 * MIB)).toBe(true);
  expect([device.pluggedSize(), vm.words[VM.PLUGGED], vm.plugged[0]]).toEqual([128 * MIB, 128 * MIB, 0]);
  hw.script = undefined;
  expect(resize(0)).toBe(ERRNO.EINVAL);
  expect(device.log).toEqual(["PLUG 0+64 ACK"]);
});

it("a release that fails before the unplug sends nothing and accepts again what it had released", () => {
  const { hw, device, resize, refuse, broken, log } = start();
  resize(128 * MIB);
  refuse(RELEASE, 64 * MIB);
  expect(resize(0)).toBe(ERRNO.EINVAL);
  expect([device.log, broken()]).toEqual([["PLUG 0+64 ACK"], true]);
  expect(log).toContain("Failed to release memory [0x200000000, 0x208000000)");
  expect(hw.isAccepted(REGION, REGION + 128 * MIB)).toBe(true);
});

it("a hypervisor that refuses after the release makes it accept again, and the driver tries again", () => {
  const { hw, device, resize, work, broken } = start();
  resize(128 * MIB);
  // The whole block, then sub-block by sub-block: one refusal of each ends the run.
  device.script = (type) => (type === UNPLUG ? BUSY : undefined);
  expect(resize(0)).toBe(ERRNO.ETXTBSY);
  expect([broken(), hw.isAccepted(REGION, REGION + 128 * MIB)]).toEqual([false, true]);
  device.script = () => ACK;
  expect(work()).toBe(0);
  expect(device.pluggedSize()).toBe(0);
});

it("an accept that fails after the hypervisor refused breaks the device", () => {
  const { device, resize, refuse, broken } = start();
  resize(128 * MIB);
  device.script = (type) => (type === UNPLUG ? BUSY : undefined);
  refuse(ACCEPT, 0);
  expect(resize(0)).toBe(ERRNO.EINVAL);
  expect([broken(), device.log]).toEqual([true, ["PLUG 0+64 ACK", "UNPLUG 0+64 BUSY"]]);
});
