import { expect, it } from "vitest";
import { REGISTER_NAMES } from "./regs.ts";
import { LINUX_GPR_MASK, TDVMCALL, TDVMCALL_STATUS, tdvmcallName } from "./tdvmcall.ts";

it("exposes the registers that Linux exposes", () => {
  const exposed = REGISTER_NAMES.filter((_, r) => ((LINUX_GPR_MASK >> r) & 1) === 1);
  expect(exposed.join(" ")).toBe("RDX RBX RSI RDI R8 R9 R10 R11 R12 R13 R14 R15");
});
it("names sub-functions, and prints those that have no name", () => {
  expect([TDVMCALL.MapGPA, tdvmcallName(0x10001), tdvmcallName(0x63)]).toEqual([
    0x10001,
    "MapGPA",
    "TDVMCALL 0x63",
  ]);
});
it("has errors with bit 63 and RETRY without", () => {
  expect(TDVMCALL_STATUS.RETRY).toBe(1n);
  expect(TDVMCALL_STATUS.ALIGN_ERROR).toBe(0x8000_0000_0000_0002n);
});
