import { expect, it } from "vitest";
import { deviceOfDriver } from "./driver-device.ts";

const DEVICES = [
  { addr: 0x1_0000_0000, regionSize: 0x1000_0000 },
  { addr: 0x1_2000_0000, regionSize: 0x2000_0000 },
];

it("a driver's structure tells its device by the region's address and size side by side", () => {
  const words = [0xffff_8880_0123_0000n, 0x1_0000_0000n, 7n, 0x1_2000_0000n, 0x2000_0000n, 0x1000_0000n];
  expect(deviceOfDriver(words, DEVICES)).toBe(1);
});

it("words that are no region name no device", () => {
  expect(deviceOfDriver([0x1_0000_0000n, 0x2000_0000n], DEVICES)).toBe(-1);
  expect(deviceOfDriver([0x1_0000_0000n], DEVICES)).toBe(-1);
  expect(deviceOfDriver([], DEVICES)).toBe(-1);
});
