import { expect, it } from "vitest";
import { TDG, TDH, type TdhLeaf } from "../abi/tdx/leaves.ts";
import { RAX } from "../abi/tdx/regs.ts";
import { type Status, status, statusText } from "../abi/tdx/status.ts";
import { EXCLUSIVE, type LockName, SHARED } from "./locks.ts";
import { hex, OneTd } from "./one-td.ts";
import { VCPU_WORD } from "./td.ts";

const A = 0x4000_0000;

const stage = (): OneTd => {
  const one = new OneTd({ enter: false, configFlags: 0x46n });
  one.aug(A);
  return one;
};

/** Leaf, lock held, how, status: the lock that each leaf takes, and how. */
const ROWS: readonly [TdhLeaf, LockName, "shared" | "exclusive", string][] = [
  ["TDH.MEM.PAGE.AUG", "TDR", "exclusive", "OPERAND_BUSY(RDX)"],
  ["TDH.MEM.PAGE.AUG", "TDR", "shared", "EPT_ENTRY_STATE_INCORRECT(RCX)"],
  ["TDH.MEM.PAGE.AUG", "OP_STATE", "exclusive", "OPERAND_BUSY(OP_STATE)"],
  ["TDH.MEM.PAGE.AUG", "OP_STATE", "shared", "EPT_ENTRY_STATE_INCORRECT(RCX)"],
  ["TDH.MEM.PAGE.AUG", "SEPT_TREE", "exclusive", "OPERAND_BUSY(SEPT_TREE)"],
  ["TDH.MEM.PAGE.AUG", "SEPT_TREE", "shared", "EPT_ENTRY_STATE_INCORRECT(RCX)"],
  ["TDH.MEM.SEPT.RD", "SEPT_TREE", "shared", "SUCCESS"],
  ["TDH.MEM.PAGE.REMOVE", "SEPT_TREE", "shared", "GPA_RANGE_NOT_BLOCKED(RCX)"],
  ["TDH.MEM.RANGE.BLOCK", "SEPT_TREE", "shared", "OPERAND_BUSY(SEPT_TREE)"],
  ["TDH.MEM.RANGE.UNBLOCK", "SEPT_TREE", "shared", "OPERAND_BUSY(SEPT_TREE)"],
  ["TDH.MEM.TRACK", "TDR", "exclusive", "OPERAND_BUSY(RCX)"],
  ["TDH.MEM.TRACK", "TD_EPOCH", "shared", "OPERAND_BUSY(TD_EPOCH)"],
  ["TDH.MEM.TRACK", "TD_EPOCH", "exclusive", "OPERAND_BUSY(TD_EPOCH)"],
  ["TDH.MR.FINALIZE", "TDR", "shared", "OPERAND_BUSY(RCX)"],
  ["TDH.MNG.KEY.CONFIG", "TDR", "shared", "OPERAND_BUSY(RCX)"],
];
it.each(ROWS)("%s while somebody holds %s %s answers %s", (leaf, lock, how, expected) => {
  const one = stage();
  one.td.locks.hold(lock, how === "shared" ? SHARED : EXCLUSIVE);
  const takesTdr = ["TDH.MEM.TRACK", "TDH.MR.FINALIZE", "TDH.MNG.KEY.CONFIG"].includes(leaf);
  const result = takesTdr ? one.seamcall(leaf, { RCX: one.tdr }) : one.onPage(leaf, A);
  expect(statusText(result)).toBe(expected);
});

it("tables are merged and removed only under the exclusive tree lock", () => {
  const one = stage();
  one.td.locks.hold("SEPT_TREE", SHARED);
  for (const leaf of ["TDH.MEM.PAGE.PROMOTE", "TDH.MEM.SEPT.REMOVE"] as const) {
    expect(statusText(one.onPage(leaf, A, 1))).toBe("OPERAND_BUSY(SEPT_TREE)");
  }
  expect(statusText(one.onPage("TDH.MEM.PAGE.DEMOTE", A, 1))).toBe("EPT_ENTRY_STATE_INCORRECT(RCX)");
});
it("a held entry stops host and guest at exactly its GPA and level", () => {
  const one = stage();
  one.aug(A + 4096);
  one.td.locks.holdEntry(A / 4096, 0);
  expect(statusText(one.block(A))).toBe("OPERAND_BUSY(RCX)");
  expect(hex(one.host, 2)).toBe("200");
  expect(one.block(A + 4096)).toBe(0);
  one.enter();
  expect(statusText(one.accept(A) as Status)).toBe("OPERAND_BUSY(RCX)");
  expect(hex(one.guest, RAX)).toBe("8000020000000001");
  for (const leaf of ["TDG.MEM.PAGE.RELEASE", "TDG.MEM.PAGE.ATTR.RD", "TDG.MEM.PAGE.ATTR.WR"] as const) {
    expect(statusText(one.tdcall(leaf, { RCX: A }) as Status)).toBe("OPERAND_BUSY(RCX)");
  }
  one.td.locks.releaseEntries();
  expect(one.accept(A)).toBe(0);
});
it("a held entry of a large page is held for every address inside", () => {
  const one = new OneTd();
  one.aug(A, 1);
  one.td.locks.holdEntry(A / 4096, 1);
  expect(statusText(one.accept(A, 1) as Status)).toBe("OPERAND_BUSY(RCX)");
  expect(statusText(one.tdcall("TDG.MEM.PAGE.ATTR.RD", { RCX: A + 0x5000 }) as Status)).toBe(
    "OPERAND_BUSY(RCX)",
  );
});
it("a guest does not take the tree lock", () => {
  const one = stage();
  one.enter();
  one.td.locks.hold("SEPT_TREE", EXCLUSIVE);
  expect(one.accept(A)).toBe(0);
});
it("a held metadata entry stops the calls that need the page", () => {
  const one = stage();
  const page = one.page();
  one.module.frameLocks.hold(page / 4096);
  expect(statusText(one.onPage("TDH.MEM.PAGE.AUG", A + 4096, 0, { R8: page }))).toBe("OPERAND_BUSY(R8)");
  expect(statusText(one.seamcall("TDH.PHYMEM.PAGE.RDMD", { RCX: page }))).toBe("OPERAND_BUSY(RCX)");
  expect(statusText(one.seamcall("TDH.PHYMEM.PAGE.WBINVD", { RCX: page }))).toBe("OPERAND_BUSY(RCX)");
  one.module.frameLocks.releaseAll();
  expect(one.onPage("TDH.MEM.PAGE.AUG", A + 4096, 0, { R8: page })).toBe(0);
});
it("entering waits for a TRACK, and a TRACK for nobody else's entry", () => {
  const one = stage();
  const tdvpr = one.td.vcpu(0, VCPU_WORD.TDVPR_FRAME) * 4096;
  one.td.locks.hold("TD_EPOCH", SHARED);
  expect(one.seamcall("TDH.VP.ENTER", { RCX: tdvpr })).toBe(0);
  one.td.locks.hold("TD_EPOCH", EXCLUSIVE);
  expect(statusText(one.seamcall("TDH.VP.ENTER", { RCX: tdvpr }))).toBe("VCPU_STATE_INCORRECT(4)");
});
it("an injected answer is given once, in order, and nothing else happens", () => {
  const one = stage();
  one.enter();
  const { faults } = one.module;
  const busy = status("OPERAND_BUSY", "RCX");
  const interrupted = status("INTERRUPTED_RESTARTABLE");
  faults.nextTdcall(TDG["TDG.MEM.PAGE.ACCEPT"], busy);
  faults.nextTdcall(TDG["TDG.MEM.PAGE.ACCEPT"], status("PAGE_SIZE_MISMATCH", 1));
  faults.nextSeamcall(TDH["TDH.MEM.TRACK"], interrupted);
  expect(one.accept(A)).toBe(busy);
  expect(hex(one.guest, RAX)).toBe("8000020000000001");
  expect(one.stateOf(A)).toBe("PENDING");
  expect(one.accept(A)).toBe(status("PAGE_SIZE_MISMATCH", 1));
  expect(one.accept(A)).toBe(0);
  expect(one.track()).toBe(interrupted);
  expect(one.td.epoch).toBe(1);
  expect(one.track()).toBe(0);
  expect(faults.any).toBe(false);
});
it("a vCPU that runs holds the TDR, shared, against those who want it alone", () => {
  const one = stage();
  one.enter();
  expect(statusText(one.seamcall("TDH.MNG.VPFLUSHDONE", { RCX: one.tdr }))).toBe("OPERAND_BUSY(RCX)");
  expect(statusText(one.onPage("TDH.MEM.PAGE.ADD", A))).toBe("OPERAND_BUSY(RDX)");
  expect(statusText(one.onPage("TDH.MEM.SEPT.RD", A))).toBe("SUCCESS");
});
