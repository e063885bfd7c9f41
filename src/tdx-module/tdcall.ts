import { TDG, TDG_NAMES } from "../abi/tdx/leaves.ts";
import { RAX, RCX, type Regs } from "../abi/tdx/regs.ts";
import { type Status, status, statusToRegs } from "../abi/tdx/status.ts";
import { NotModelled } from "../not-modelled.ts";
import type { TdxModule } from "./module.ts";
import { isStatus, type Outcome } from "./outcome.ts";
import type { Td } from "./td.ts";
import { tdgMemPageAccept } from "./tdg/mem-page-accept.ts";
import { tdgMemPageAttrRd } from "./tdg/mem-page-attr-rd.ts";
import { tdgMemPageAttrWr } from "./tdg/mem-page-attr-wr.ts";
import { tdgMemPageRelease } from "./tdg/mem-page-release.ts";
import { tdgSysRd } from "./tdg/sys-rd.ts";
import { tdgVmRd } from "./tdg/vm-rd.ts";
import { tdgVmWr } from "./tdg/vm-wr.ts";
import { tdgVpCpuidveSet } from "./tdg/vp-cpuidve-set.ts";
import { tdgVpInfo } from "./tdg/vp-info.ts";
import { tdgVpVeInfoGet } from "./tdg/vp-veinfo-get.ts";
import { tdgVpVmcall } from "./tdg/vp-vmcall.ts";

type Leaf = (m: TdxModule, td: Td, vcpu: number, regs: Regs, version: number) => Outcome;

const accept: Leaf = (m, td, vcpu, regs) => tdgMemPageAccept(m, td, vcpu, regs[2 * RCX]!, regs[2 * RCX + 1]!);

/** The leaves that are written, by number. */
const LEAVES = new Map<number, Leaf>([
  [TDG["TDG.VP.VMCALL"], tdgVpVmcall],
  [TDG["TDG.VP.INFO"], tdgVpInfo],
  [TDG["TDG.VP.VEINFO.GET"], tdgVpVeInfoGet],
  [TDG["TDG.VP.CPUIDVE.SET"], tdgVpCpuidveSet],
  [TDG["TDG.MEM.PAGE.ACCEPT"], accept],
  [TDG["TDG.VM.RD"], tdgVmRd],
  [TDG["TDG.VM.WR"], tdgVmWr],
  [TDG["TDG.SYS.RD"], tdgSysRd],
  [TDG["TDG.MEM.PAGE.ATTR.RD"], tdgMemPageAttrRd],
  [TDG["TDG.MEM.PAGE.ATTR.WR"], tdgMemPageAttrWr],
  [TDG["TDG.MEM.PAGE.RELEASE"], tdgMemPageRelease],
]);

/** Numbers of the leaves that a guest can call here. */
export const TDCALL_LEAVES: readonly number[] = [...LEAVES.keys()];

/** Leaves that no module in this range of versions has: they answer as an unknown number does. */
const ABSENT: ReadonlySet<number> = new Set([13, 14, 15, 16, 17, 19, 21, 28, 29, 71]);
/** The only leaves that take a version above 0. */
const VERSIONED: ReadonlySet<number> = new Set([TDG["TDG.VM.RD"], TDG["TDG.VP.VEINFO.GET"]]);

const BAD_RAX = status("OPERAND_INVALID", "RAX");
const ACCEPT = TDG["TDG.MEM.PAGE.ACCEPT"];

/**
 * One TDCALL of a vCPU that runs its guest, from registers to registers.
 *
 * @param regs RAX: leaf (15:0) and version (23:16); other operands by leaf. Written: RAX, and what the leaf
 *   defines; registers that it does not define are kept.
 * @returns a status, which is also in RAX; or TD_EXIT, TD_EXIT_VMCALL or INTERRUPTED, with `regs` untouched.
 *   OPERAND_INVALID(RAX) for reserved bits, an unknown leaf, or a version that the leaf does not have.
 * @throws NotModelled for leaves that 1.5.25 has and this project has not: MR.RTMR.EXTEND, MR.REPORT,
 *   VP.RD and VP.WR, SYS.RDALL, SERVTD.*, MR.VERIFYREPORT, partitioning
 * @source TDX module 1.5.25, TDCALL dispatcher
 * @missing the check for 64-bit mode (#GP) and for CPL 0, the host-priority timeout
 */
export const tdcall = (m: TdxModule, td: Td, vcpu: number, regs: Regs): Outcome => {
  if (regs[2 * RAX] === ACCEPT && regs[2 * RAX + 1] === 0 && !m.faults.any) {
    const outcome = tdgMemPageAccept(m, td, vcpu, regs[2 * RCX]! | 0, regs[2 * RCX + 1]! | 0);
    if (outcome === 0) regs[2 * RAX] = 0;
    else if (isStatus(outcome)) statusToRegs(outcome, regs);
    return outcome;
  }
  return anyLeaf(m, td, vcpu, regs);
};

const anyLeaf = (m: TdxModule, td: Td, vcpu: number, regs: Regs): Outcome => {
  const rax = regs[2 * RAX]!;
  const leaf = rax & 0xffff;
  const version = (rax >>> 16) & 0xff;
  if (rax >>> 24 !== 0 || regs[2 * RAX + 1] !== 0) return finish(regs, BAD_RAX);
  if (version > 0 && !VERSIONED.has(leaf)) return finish(regs, BAD_RAX);
  if (m.faults.any) {
    const fault = m.faults.takeTdcall(leaf);
    if (fault >= 0) return finish(regs, fault as Status);
  }
  const run = LEAVES.get(leaf);
  if (run === undefined) {
    const name = TDG_NAMES.get(leaf);
    if (name === undefined || ABSENT.has(leaf)) return finish(regs, BAD_RAX);
    throw new NotModelled(name);
  }
  return finish(regs, run(m, td, vcpu, regs, version));
};

const finish = (regs: Regs, outcome: Outcome): Outcome => {
  if (isStatus(outcome)) statusToRegs(outcome, regs);
  return outcome;
};
