import { expect, it } from "vitest";
import { getBig, newRegs, R10, R11, R12, RAX, RBP, RCX, RDX, regsOf } from "../abi/tdx/regs.ts";
import { type Status, statusText } from "../abi/tdx/status.ts";
import { LINUX_GPR_MASK, TDVMCALL } from "../abi/tdx/tdvmcall.ts";
import { access, READ } from "./access.ts";
import { hex, OneTd } from "./one-td.ts";
import { TD_EXIT_VMCALL } from "./outcome.ts";
import { VCPU_STATE, VCPU_WORD } from "./td.ts";
import { finishVmcall } from "./tdg/vp-vmcall.ts";

it("shows the host the registers that the guest chose, and only those", () => {
  const one = new OneTd();
  const operands = {
    RCX: LINUX_GPR_MASK,
    RDX: 2,
    RBX: 3,
    RSP: 4,
    RBP: 5,
    R10: 0,
    R11: TDVMCALL.MapGPA,
    R12: 2 ** 47,
    R13: 2 ** 21,
  };
  expect(one.tdcall("TDG.VP.VMCALL", operands)).toBe(TD_EXIT_VMCALL);
  expect(Array.from({ length: 16 }, (_, r) => hex(one.td.exitRegs(0), r))).toEqual(
    "4d ffcc 2 3 0 0 0 0 0 0 0 10001 800000000000 200000 0 0".split(" "),
  );
  expect(one.td.vcpu(0, VCPU_WORD.STATE)).toBe(VCPU_STATE.READY);
  expect(getBig(one.guest, RAX)).toBe(0n);
});
it.each([
  ["RAX", 1n << 0n],
  ["RCX", 1n << 1n],
  ["RSP", 1n << 4n],
  ["RBP in a TD with NO_RBP_MOD", 1n << 5n],
  ["bit 32", 1n << 32n],
  ["bit 63", 1n << 63n],
])("refuses %s in the mask without an exit", (_what, mask) => {
  const one = new OneTd();
  expect(statusText(one.tdcall("TDG.VP.VMCALL", { RCX: mask }) as Status)).toBe("OPERAND_INVALID(RCX)");
  expect(one.td.vcpu(0, VCPU_WORD.STATE)).toBe(VCPU_STATE.ACTIVE);
});
it("shares RBP with the host of a TD without NO_RBP_MOD, and passes the XMM mask on", () => {
  const one = new OneTd({ configFlags: 2n });
  expect(one.tdcall("TDG.VP.VMCALL", { RCX: 0xffff_0020, RBP: 7 })).toBe(TD_EXIT_VMCALL);
  expect([hex(one.td.exitRegs(0), RCX), hex(one.td.exitRegs(0), RBP)]).toEqual(["ffff0020", "7"]);
});
it("gives the guest what the host answers in the shared registers", () => {
  const one = new OneTd();
  one.tdcall("TDG.VP.VMCALL", { RCX: LINUX_GPR_MASK, RDX: 2, R10: 9, R11: 8, RBP: 5 });
  const host = regsOf({ RAX: 77, RCX: 1, RDX: 22, RBP: 55, R10: 1, R11: 0x1234, R12: 0 });
  finishVmcall(one.td, 0, host, one.guest);
  expect([RAX, RCX, RDX, RBP, R10, R11, R12].map((r) => hex(one.guest, r))).toEqual(
    "0 ffcc 16 5 1 1234 0".split(" "),
  );
  expect(newRegs().every((half) => half === 0)).toBe(true);
});

it("leaves nothing of one exit in the registers of the next", () => {
  const one = new OneTd();
  one.tdcall("TDG.VP.VMCALL", { RCX: LINUX_GPR_MASK, RDX: 2, R10: 9, R15: 15 });
  one.enter();
  access(one.td, 0, 0x4000_0000, READ);
  expect(Array.from({ length: 16 }, (_, r) => hex(one.td.exitRegs(0), r))).toEqual(
    "30 1 0 0 0 0 0 0 40000000 0 0 0 0 0 0 0".split(" "),
  );
  one.enter();
  one.tdcall("TDG.VP.VMCALL", { RCX: 4, RDX: 2 });
  expect(Array.from({ length: 16 }, (_, r) => hex(one.td.exitRegs(0), r))).toEqual(
    "4d 4 2 0 0 0 0 0 0 0 0 0 0 0 0 0".split(" "),
  );
});
