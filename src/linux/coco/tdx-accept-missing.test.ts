import { expect, it } from "vitest";
import { RESULT_PENDING_HI } from "../../abi/tdx/gpa-mapping.ts";
import { RCX, setHalves } from "../../abi/tdx/regs.ts";
import { fakeKernel, run } from "../testing/fake-kernel.ts";
import { tdxAcceptMissing } from "./tdx-accept-missing.ts";

const MIB = 2 ** 20;
const START = 2 ** 32;
const ATTR_RD = 23;

/** Two units mapped at 2 MiB and then one at 4 KiB; `accepted` says which pages are not PENDING. */
const start = (accepted: (page: number) => boolean, refuses = false) => {
  const { k, hw } = fakeKernel({ top: 2 ** 33 });
  const accepts: [number, number][] = [];
  hw.script = ({ leaf, rcx }) => {
    const level = rcx % 4096 === 1 || (leaf === ATTR_RD && rcx < START + 4 * MIB) ? 1 : 0;
    if (leaf === ATTR_RD) {
      const pending = accepted((rcx - START) / 4096) ? 0 : RESULT_PENDING_HI;
      setHalves(hw.regs(0), RCX, ((rcx % 2 ** 32) | level) >>> 0, Math.floor(rcx / 2 ** 32) | pending);
      return 0;
    }
    accepts.push([(rcx - level - START) / 4096, level]);
    return refuses ? 0xc000_0100 : 0;
  };
  return { result: run(k, tdxAcceptMissing, START, START + 6 * MIB), accepts };
};

it("accepts each page that is PENDING at the size it is mapped with, and no other", () => {
  // Unit 0 is accepted, unit 1 is not; of unit 2 the last page is not.
  const { result, accepts } = start((page) => page < 512 || (page >= 1024 && page !== 1535));
  expect(result).toBe(1);
  expect(accepts).toEqual([
    [512, 1],
    [1535, 0],
  ]);
});

it("asks once a mapping and changes nothing where everything is accepted", () => {
  expect(start(() => true)).toEqual({ result: 1, accepts: [] });
});

it("answers FAILED at the first page that cannot be accepted", () => {
  expect(start((page) => page !== 512, true)).toEqual({
    result: START + 2 * MIB,
    accepts: [[512, 1]],
  });
});
