import fc from "fast-check";
import { expect, it } from "vitest";
import {
  decodeTdParams,
  EPTP_CONTROLS,
  encodeTdParams,
  TD_PARAMS_BYTES,
  type TdParams,
} from "./td-params.ts";

const measurement = fc.uint8Array({ minLength: 48, maxLength: 48 });
const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
const nonZeroLeaf = fc.tuple(fc.integer({ min: 1, max: 2 ** 31 }), fc.nat(), fc.nat(), fc.nat());
const params: fc.Arbitrary<TdParams> = fc.record({
  attributes: u64,
  xfam: u64,
  maxVcpus: fc.nat(0xffff),
  numL2Vms: fc.nat(0xff),
  msrConfig: fc.nat(0xff),
  eptpControls: u64,
  configFlags: u64,
  tscFrequency: fc.nat(0xffff),
  mrConfigId: measurement,
  mrOwner: measurement,
  mrOwnerConfig: measurement,
  archCapabilities: u64,
  cpuid: fc.array(nonZeroLeaf, { maxLength: 48 }),
});

it("puts the fields at the offsets of the structure", () => {
  const zeros = new Uint8Array(48);
  const bytes = encodeTdParams({
    attributes: 0x1000_0000n,
    xfam: 0xe7n,
    maxVcpus: 0x102,
    numL2Vms: 3,
    msrConfig: 1,
    eptpControls: EPTP_CONTROLS.encode({ memoryType: 6n, levelsLessOne: 3n }),
    configFlags: 0x46n,
    tscFrequency: 0x28,
    mrConfigId: zeros.with(0, 0xaa),
    mrOwner: zeros.with(47, 0xbb),
    mrOwnerConfig: zeros.with(0, 0xcc),
    archCapabilities: 0xddn,
    cpuid: [[1, 2, 3, 4]],
  });
  const set = [...bytes.entries()].filter(([, byte]) => byte !== 0);
  expect(set).toEqual([
    [3, 0x10],
    [8, 0xe7],
    [16, 0x02],
    [17, 0x01],
    [18, 3],
    [19, 1],
    [24, 0x1e],
    [32, 0x46],
    [40, 0x28],
    [80, 0xaa],
    [175, 0xbb],
    [176, 0xcc],
    [224, 0xdd],
    [256, 1],
    [260, 2],
    [264, 3],
    [268, 4],
  ]);
});
it("reads back what it wrote", () => {
  fc.assert(
    fc.property(params, (value) => {
      expect(decodeTdParams(encodeTdParams(value))).toEqual(value);
    }),
  );
});
it("decodes any 1024 bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: TD_PARAMS_BYTES, maxLength: TD_PARAMS_BYTES }), (bytes) => {
      expect(decodeTdParams(bytes).cpuid.length).toBeLessThanOrEqual(48);
    }),
  );
});
