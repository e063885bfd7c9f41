import { expect, it } from "vitest";
import {
  ATTRIBUTES,
  ATTRIBUTES_LO,
  CONFIG_FLAGS,
  CONFIG_FLAGS_LO,
  TD_CTLS,
  TD_CTLS_LO,
  TD_CTLS_LOCK_HI,
  tdxFeatures0,
} from "./td-controls.ts";

it("agrees with the codecs on the low halves", () => {
  expect(CONFIG_FLAGS.decode(BigInt(CONFIG_FLAGS_LO.PAGE_RELEASE)).pageRelease).toBe(1n);
  expect(CONFIG_FLAGS.decode(BigInt(CONFIG_FLAGS_LO.FLEXIBLE_PENDING_VE)).flexiblePendingVe).toBe(1n);
  expect(CONFIG_FLAGS.decode(BigInt(CONFIG_FLAGS_LO.MAXGPA_VIRT)).maxgpaVirt).toBe(1n);
  expect(ATTRIBUTES.decode(BigInt(ATTRIBUTES_LO.SEPT_VE_DISABLE)).septVeDisable).toBe(1n);
  expect(TD_CTLS.decode(BigInt(TD_CTLS_LO.REDUCE_VE)).reduceVe).toBe(1n);
  expect(TD_CTLS.decode(BigInt(TD_CTLS_LOCK_HI) << 32n).lock).toBe(1n);
});
it("has the flags of a Linux TD at the bits that Linux reads", () => {
  expect(CONFIG_FLAGS.decode(0x46n)).toMatchObject({ flexiblePendingVe: 1n, noRbpMod: 1n, pageRelease: 1n });
  expect(ATTRIBUTES.decode(0x1000_0000n).septVeDisable).toBe(1n);
});
it("sets feature bits by name", () => {
  expect(tdxFeatures0(["NO_RBP_MOD", "PAGE_RELEASE", "EXT"])).toBe(0xc0_0004_0000n);
});
