import { expect, it } from "vitest";
import { getBig, getNumber, R10, R11, R12, R13, RAX, setNumber } from "../abi/tdx/regs.ts";
import { EXIT_REASON } from "../abi/tdx/td-exit.ts";
import { BLOCKED } from "../flat/procedure.ts";
import { MIB } from "../units.ts";
import { VM_END } from "./events.ts";
import { handleExit } from "./faults.ts";
import { DEAD, DONE, UNRESOLVED } from "./procedures.ts";
import { Bench, WINDOW } from "./testing/bench.ts";
import { INJECT_FAILURE, INJECT_RETRY, MAP_GPA_INJECTION } from "./vmcall.ts";
import { FREE_PRIVATE, MAKE_SHARED, zap } from "./zap.ts";

const SHARED = 2 ** 51;
const SUCCESS = 0n;
const RETRY = 1n;
const INVALID_OPERAND = 1n << 63n;
const ALIGN_ERROR = (1n << 63n) + 2n;
const SUBFUNC_UNSUPPORTED = (1n << 63n) + 3n;

const call = (b: Bench, sub: number, r12: number, r13: number): readonly [status: bigint, r11: number] => {
  const regs = b.regs[0]!;
  regs.fill(0);
  setNumber(regs, RAX, EXIT_REASON.TDCALL);
  setNumber(regs, R11, sub);
  setNumber(regs, R12, r12);
  setNumber(regs, R13, r13);
  expect(b.run(handleExit, 0)).toBe(DONE);
  return [getBig(regs, R10), getNumber(regs, R11)];
};
const mapGpa = (b: Bench, start: number, size: number) => call(b, 0x10001, start, size);

it("makes a range shared: its private pages are removed and freed, its attribute changes", () => {
  const b = new Bench();
  b.touch(512);
  b.touch(1024);
  expect(mapGpa(b, SHARED + 2 * MIB, 3 * MIB)[0]).toBe(SUCCESS);
  const piece = b.vmm.pieceOf(0);
  expect([piece.isPrivate.has(511), piece.isPrivate.has(512), piece.isPrivate.has(1279)]).toEqual([
    true,
    false,
    false,
  ]);
  expect([b.tdx.stateAt(512), b.tdx.stateAt(1279), b.tdx.stateAt(1280)]).toEqual(["FREE", "FREE", "PENDING"]);
  expect(b.vmm.use.privateBytes).toBe(MIB);
});

it("makes a range private: its shared memory is given back, and nothing is accepted or mapped", () => {
  const b = new Bench();
  mapGpa(b, SHARED, 4 * MIB);
  b.touch(SHARED / 4096 + 5);
  expect(b.vmm.use.sharedBytes).toBe(4096);
  b.tdx.calls.length = 0;
  expect(mapGpa(b, 0, 4 * MIB)[0]).toBe(SUCCESS);
  expect([b.vmm.use.sharedBytes, b.vmm.pieceOf(0).isPrivate.count, b.tdx.calls]).toEqual([0, 4096, []]);
});

it("maps a range that became private ahead where the policy says so", () => {
  const b = new Bench({ policy: { aug: "ahead" } });
  mapGpa(b, SHARED, 2 * MIB);
  mapGpa(b, 0, 2 * MIB);
  expect(b.tdx.stateAt(511)).toBe("PENDING");
});

it("grants what the range already is", () => {
  expect(mapGpa(new Bench(), 0, 2 * MIB)[0]).toBe(SUCCESS);
});

it.each([
  ["empty", 4096, 0, INVALID_OPERAND],
  ["past the address space", 0, 2 ** 52 + 4096, INVALID_OPERAND],
  ["of both polarities", SHARED - 4096, 8192, INVALID_OPERAND],
  ["past the shared half", 2 * SHARED - 4096, 8192, INVALID_OPERAND],
  ["misaligned in start", 0x1001, 4096, ALIGN_ERROR],
  ["misaligned in size", 4096, 100, ALIGN_ERROR],
])("refuses a range that is %s, and gives its address back", (_what, start, size, status) => {
  const b = new Bench();
  expect(mapGpa(b, start, size)).toEqual([status, start]);
  expect(b.vmm.pieceOf(0).isPrivate.count).toBe(4096);
});

it("tells polarities apart by the top bit of an address of the TD's width", () => {
  const b = new Bench({ gpaw: 25 });
  expect(mapGpa(b, 14 * MIB, 4 * MIB)).toEqual([INVALID_OPERAND, 14 * MIB]);
  expect(mapGpa(b, 16 * MIB + 14 * MIB, 2 * MIB)[0]).toBe(SUCCESS);
  expect(b.vmm.pieceOf(0).isPrivate.has(4095)).toBe(false);
});

it("takes a shared range where no memory lies, and refuses a private one there", () => {
  const b = new Bench();
  expect(mapGpa(b, SHARED + 512 * MIB, 16 * MIB)[0]).toBe(SUCCESS);
  expect(mapGpa(b, 512 * MIB, 4 * MIB)).toEqual([INVALID_OPERAND, 512 * MIB]);
  expect(mapGpa(b, 14 * MIB, 4 * MIB)).toEqual([INVALID_OPERAND, 16 * MIB]);
});

it("breaks off between pieces of 2 MiB when an event is pending, with the address of the next piece", () => {
  const b = new Bench({ hasEvent: () => true });
  expect(mapGpa(b, SHARED + MIB, 5 * MIB)).toEqual([RETRY, SHARED + 3 * MIB]);
  expect(mapGpa(b, SHARED + 3 * MIB, 2 * MIB)[0]).toBe(SUCCESS);
  expect(b.vmm.pieceOf(0).isPrivate.count).toBe(4096 - 1024);
});

it("answers as arranged: RETRY without progress, then a failure, then its own answer", () => {
  const b = new Bench();
  b.vmm.injection.arrange(MAP_GPA_INJECTION, INJECT_RETRY, 2);
  b.vmm.injection.arrange(MAP_GPA_INJECTION, INJECT_FAILURE, 1);
  const answers = [1, 2, 3, 4].map(() => mapGpa(b, SHARED, 2 * MIB));
  expect(answers.slice(0, 3)).toEqual([
    [RETRY, SHARED],
    [RETRY, SHARED],
    [INVALID_OPERAND, SHARED],
  ]);
  expect(answers[3]![0]).toBe(SUCCESS);
});

it("refuses to make a page shared that the guest did not release", () => {
  const b = new Bench();
  b.tdx.pageRelease = true;
  b.touch(0);
  b.tdx.accept(0, 512);
  expect(mapGpa(b, SHARED, 2 * MIB)).toEqual([INVALID_OPERAND, SHARED]);
  expect(b.vmm.pieceOf(0).isPrivate.has(0)).toBe(true);
});

it("does not support other sub-functions, nor other vendors' calls", () => {
  const b = new Bench();
  expect(call(b, 0x10002, 0, 0)[0]).toBe(SUBFUNC_UNSUPPORTED);
  expect(call(b, 12, 0, 0)[0]).toBe(SUBFUNC_UNSUPPORTED);
});

it("ends the VM when the guest reports a fatal error", () => {
  const b = new Bench();
  const regs = b.regs[1]!;
  setNumber(regs, RAX, EXIT_REASON.TDCALL);
  setNumber(regs, R11, 0x10003);
  setNumber(regs, R12, 7);
  expect([b.run(handleExit, 1), b.vmm.life.end]).toEqual([
    DEAD,
    { reason: VM_END.GUEST_FATAL_ERROR, gpa: 0, vcpu: 1, status: 7 },
  ]);
});

it("makes a shared access to pages that are being converted wait", () => {
  const b = new Bench();
  b.touch(0);
  const zapping = b.task(zap, [0, 512, FREE_PRIVATE | MAKE_SHARED]);
  zapping.step(b.vmm);
  b.setExit(1, SHARED / 4096 + 7, 0, 0);
  const fault = b.exitTask(1);
  fault.step(b.vmm);
  expect(fault.step(b.vmm)).toBe(BLOCKED);
  while (!zapping.idle) zapping.step(b.vmm);
  while (!fault.idle) fault.step(b.vmm);
  expect([fault.result, b.vmm.use.sharedBytes, b.vmm.use.privateBytes]).toEqual([DONE, 4096, 0]);
});

it("backs a shared page at its first touch, and converts a private one there by policy", () => {
  const b = new Bench({ virtioMem: [{ id: "vm0", size: 32 * MIB }], policy: { start: "shared" } });
  expect([b.touch(SHARED / 4096 + WINDOW), b.vmm.use.sharedBytes]).toEqual([DONE, 4096]);
  b.touch(700);
  expect([b.touch(SHARED / 4096 + 700), b.vmm.use.sharedBytes]).toEqual([DONE, 8192]);
  expect([b.tdx.stateAt(700), b.tdx.stateAt(701)]).toEqual(["FREE", "PENDING"]);
  expect(b.touch(SHARED / 4096 + 2 ** 20)).toBe(UNRESOLVED);
  expect(b.vmm.pieceOf(0).isPrivate.count).toBe(4095);
  const strict = new Bench({ policy: { implicitConversion: "kill" } });
  expect([strict.touch(SHARED / 4096), strict.vmm.life.ended]).toEqual([DEAD, VM_END.WRONG_POLARITY]);
});
