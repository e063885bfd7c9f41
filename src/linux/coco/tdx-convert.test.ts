import { expect, it } from "vitest";
import { getNumber, R10, R11, R12, R13, RCX, setHalves, setNumber } from "../../abi/tdx/regs.ts";
import { fakeKernel, run } from "../testing/fake-kernel.ts";
import { tdxMapGpa } from "./tdx-convert.ts";

const MIB = 2 ** 20;
const START = 2 ** 32;
const END = START + 8 * MIB;
const SHARED_BIT = 2 ** 47;

/** A TD with 48-bit addresses. The VMM's answers are R10 and, for RETRY, where to go on. */
const convert = (toPrivate: number, answers: readonly (readonly [code: number, next?: number])[]) => {
  const { k, hw } = fakeKernel({ top: 2 ** 33 });
  k.cpus.gpaWidth = 48;
  const asked: number[][] = [];
  hw.script = () => {
    const regs = hw.regs(0);
    const [code = 0, next = 0] = answers[asked.length] ?? [];
    asked.push([R10, R11, R12, R13, RCX].map((register) => getNumber(regs, register)));
    setHalves(regs, R10, code % 2 ** 32, Math.floor(code / 2 ** 32));
    setNumber(regs, R11, next);
    return 0;
  };
  return { reached: run(k, tdxMapGpa, START, END, toPrivate), asked };
};

const RETRY = 1;
const INVALID_OPERAND = 0x8000_0000 * 2 ** 32;

it("asks for the whole range, the shared bit set for shared", () => {
  expect(convert(0, [])).toEqual({
    reached: END,
    asked: [[0, 0x10001, START + SHARED_BIT, 8 * MIB, 0xffcc]],
  });
  expect(convert(1, []).asked[0]?.[2]).toBe(START);
});

it("goes on where RETRY says", () => {
  const { reached, asked } = convert(0, [[RETRY, START + SHARED_BIT + 2 * MIB]]);
  expect(reached).toBe(END);
  expect(asked.map(([, , from, size]) => [from, size])).toEqual([
    [START + SHARED_BIT, 8 * MIB],
    [START + SHARED_BIT + 2 * MIB, 6 * MIB],
  ]);
});

it("gives up after three answers without progress, and counts anew after progress", () => {
  const stuck = [RETRY, START] as const;
  expect(convert(1, [stuck, stuck, stuck, stuck])).toMatchObject({ reached: START, asked: { length: 3 } });
  const on = [RETRY, START + MIB] as const;
  expect(convert(1, [stuck, stuck, on, on, on, on])).toMatchObject({
    reached: START + MIB,
    asked: { length: 6 },
  });
});

it("a failure names the place it failed at", () => {
  const { reached } = convert(0, [[INVALID_OPERAND, START + SHARED_BIT + 4 * MIB]]);
  expect(reached).toBe(START + 4 * MIB);
  expect(convert(1, [[INVALID_OPERAND, 0]]).reached).toBe(START);
});

it.each([
  ["another code", INVALID_OPERAND, START + SHARED_BIT],
  ["RETRY below the range", RETRY, START + SHARED_BIT - 4096],
  ["RETRY at its end", RETRY, END + SHARED_BIT],
  ["RETRY without the shared bit", RETRY, START],
])("%s is a failure", (_, code, next) => {
  expect(convert(0, [[code, next]])).toMatchObject({ reached: START, asked: { length: 1 } });
});
