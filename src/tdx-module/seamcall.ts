import { TDH, TDH_NAMES } from "../abi/tdx/leaves.ts";
import { RAX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { type Status, SUCCESS, status, statusToRegs } from "../abi/tdx/status.ts";
import { NotModelled } from "../not-modelled.ts";
import { tellFault } from "./faults.ts";
import type { TdxModule } from "./module.ts";
import { tdhExtInit } from "./tdh/ext-init.ts";
import { tdhExtMemAdd } from "./tdh/ext-mem-add.ts";
import { tdhMemPageAdd } from "./tdh/mem-page-add.ts";
import { tdhMemPageAug } from "./tdh/mem-page-aug.ts";
import { tdhMemPageDemote } from "./tdh/mem-page-demote.ts";
import { tdhMemPagePromote } from "./tdh/mem-page-promote.ts";
import { tdhMemPageRemove } from "./tdh/mem-page-remove.ts";
import { tdhMemRangeBlock } from "./tdh/mem-range-block.ts";
import { tdhMemRangeUnblock } from "./tdh/mem-range-unblock.ts";
import { tdhMemSeptAdd } from "./tdh/mem-sept-add.ts";
import { tdhMemSeptRd } from "./tdh/mem-sept-rd.ts";
import { tdhMemSeptRemove } from "./tdh/mem-sept-remove.ts";
import { tdhMemTrack } from "./tdh/mem-track.ts";
import { tdhMngAddcx } from "./tdh/mng-addcx.ts";
import { tdhMngCreate } from "./tdh/mng-create.ts";
import { tdhMngInit } from "./tdh/mng-init.ts";
import { tdhMngKeyConfig } from "./tdh/mng-key-config.ts";
import { tdhMngKeyFreeid } from "./tdh/mng-key-freeid.ts";
import { tdhMngVpflushdone } from "./tdh/mng-vpflushdone.ts";
import { tdhMrFinalize } from "./tdh/mr-finalize.ts";
import { tdhPhymemCacheWb } from "./tdh/phymem-cache-wb.ts";
import { tdhPhymemPageRdmd } from "./tdh/phymem-page-rdmd.ts";
import { tdhPhymemPageReclaim } from "./tdh/phymem-page-reclaim.ts";
import { tdhPhymemPageWbinvd } from "./tdh/phymem-page-wbinvd.ts";
import { tdhPhymemPamtAdd } from "./tdh/phymem-pamt-add.ts";
import { tdhPhymemPamtRemove } from "./tdh/phymem-pamt-remove.ts";
import { tdhSysConfig } from "./tdh/sys-config.ts";
import { tdhSysInit } from "./tdh/sys-init.ts";
import { tdhSysKeyConfig } from "./tdh/sys-key-config.ts";
import { tdhSysLpInit } from "./tdh/sys-lp-init.ts";
import { tdhSysRd } from "./tdh/sys-rd.ts";
import { tdhSysTdmrInit } from "./tdh/sys-tdmr-init.ts";
import { tdhVpAddcx } from "./tdh/vp-addcx.ts";
import { tdhVpCreate } from "./tdh/vp-create.ts";
import { tdhVpEnter } from "./tdh/vp-enter.ts";
import { tdhVpFlush } from "./tdh/vp-flush.ts";
import { tdhVpInit } from "./tdh/vp-init.ts";

type Leaf = (m: TdxModule, regs: Regs, version: number) => Status;

/** The leaves that are written, by number. */
const LEAVES: (Leaf | undefined)[] = [];
const WRITTEN: readonly (readonly [number, Leaf])[] = [
  [TDH["TDH.VP.ENTER"], tdhVpEnter],
  [TDH["TDH.MNG.ADDCX"], tdhMngAddcx],
  [TDH["TDH.MEM.PAGE.ADD"], tdhMemPageAdd],
  [TDH["TDH.MEM.SEPT.ADD"], tdhMemSeptAdd],
  [TDH["TDH.VP.ADDCX"], tdhVpAddcx],
  [TDH["TDH.MEM.PAGE.AUG"], tdhMemPageAug],
  [TDH["TDH.MEM.RANGE.BLOCK"], tdhMemRangeBlock],
  [TDH["TDH.MNG.KEY.CONFIG"], tdhMngKeyConfig],
  [TDH["TDH.MNG.CREATE"], tdhMngCreate],
  [TDH["TDH.VP.CREATE"], tdhVpCreate],
  [TDH["TDH.MEM.PAGE.DEMOTE"], tdhMemPageDemote],
  [TDH["TDH.MR.FINALIZE"], tdhMrFinalize],
  [TDH["TDH.VP.FLUSH"], tdhVpFlush],
  [TDH["TDH.MNG.VPFLUSHDONE"], tdhMngVpflushdone],
  [TDH["TDH.MNG.KEY.FREEID"], tdhMngKeyFreeid],
  [TDH["TDH.MNG.INIT"], tdhMngInit],
  [TDH["TDH.VP.INIT"], tdhVpInit],
  [TDH["TDH.MEM.PAGE.PROMOTE"], tdhMemPagePromote],
  [TDH["TDH.PHYMEM.PAGE.RDMD"], tdhPhymemPageRdmd],
  [TDH["TDH.MEM.SEPT.RD"], tdhMemSeptRd],
  [TDH["TDH.PHYMEM.PAGE.RECLAIM"], tdhPhymemPageReclaim],
  [TDH["TDH.MEM.PAGE.REMOVE"], tdhMemPageRemove],
  [TDH["TDH.MEM.SEPT.REMOVE"], tdhMemSeptRemove],
  [TDH["TDH.SYS.KEY.CONFIG"], tdhSysKeyConfig],
  [TDH["TDH.SYS.INIT"], tdhSysInit],
  [TDH["TDH.SYS.RD"], tdhSysRd],
  [TDH["TDH.SYS.LP.INIT"], tdhSysLpInit],
  [TDH["TDH.SYS.TDMR.INIT"], tdhSysTdmrInit],
  [TDH["TDH.SYS.CONFIG"], tdhSysConfig],
  [TDH["TDH.MEM.TRACK"], tdhMemTrack],
  [TDH["TDH.MEM.RANGE.UNBLOCK"], tdhMemRangeUnblock],
  [TDH["TDH.PHYMEM.CACHE.WB"], tdhPhymemCacheWb],
  [TDH["TDH.PHYMEM.PAGE.WBINVD"], tdhPhymemPageWbinvd],
  [TDH["TDH.PHYMEM.PAMT.ADD"], tdhPhymemPamtAdd],
  [TDH["TDH.PHYMEM.PAMT.REMOVE"], tdhPhymemPamtRemove],
  [TDH["TDH.EXT.INIT"], tdhExtInit],
  [TDH["TDH.EXT.MEM.ADD"], tdhExtMemAdd],
];
for (const [leaf, run] of WRITTEN) LEAVES[leaf] = run;
for (let leaf = 0; leaf < LEAVES.length; leaf++) LEAVES[leaf] ??= undefined;

/** Numbers of the leaves that a host can call here. */
export const SEAMCALL_LEAVES: readonly number[] = WRITTEN.map(([leaf]) => leaf);

/** Leaves that take a version above 0. */
const VERSIONED: ReadonlySet<number> = new Set([
  TDH["TDH.MEM.PAGE.PROMOTE"],
  TDH["TDH.MEM.SEPT.ADD"],
  TDH["TDH.MEM.SEPT.REMOVE"],
  TDH["TDH.MNG.RD"],
  TDH["TDH.VP.RD"],
  TDH["TDH.VP.INIT"],
  TDH["TDH.SYS.INIT"],
  TDH["TDH.SYS.CONFIG"],
  TDH["TDH.SYS.UPDATE"],
]);

/** Leaves that run before the module is ready. */
const BEFORE_READY: ReadonlySet<number> = new Set([
  TDH["TDH.SYS.KEY.CONFIG"],
  TDH["TDH.SYS.INFO"],
  TDH["TDH.SYS.INIT"],
  TDH["TDH.SYS.RD"],
  TDH["TDH.SYS.LP.INIT"],
  TDH["TDH.SYS.RDALL"],
  TDH["TDH.SYS.LP.SHUTDOWN"],
  TDH["TDH.SYS.CONFIG"],
  TDH["TDH.SYS.UPDATE"],
]);

const AUG = TDH["TDH.MEM.PAGE.AUG"];
const SYS_RD = TDH["TDH.SYS.RD"];
const BAD_RAX = status("OPERAND_INVALID", "RAX");
const NOT_READY = status("SYS_NOT_READY");

/**
 * One SEAMCALL, from registers to registers.
 *
 * @param regs RAX: leaf (15:0) and version (23:16); other operands by leaf. Written: RAX, and what the leaf defines;
 *   registers that it does not define are kept.
 * @returns the status, which is also in RAX. OPERAND_INVALID(RAX) for reserved bits, an unknown leaf, or a version that
 *   the leaf does not have; SYS_NOT_READY for a leaf that needs a module with TDMRs and global key.
 * @throws NotModelled for leaves that have a name and are not written
 * @source TDX module 1.5.25, SEAMCALL dispatcher
 * @missing SYS_SHUTDOWN, SYS_BUSY other than by injection
 */
export const seamcall = (m: TdxModule, regs: Regs): Status => {
  const rax = regs[2 * RAX]!;
  if (rax === AUG && regs[2 * RAX + 1] === 0 && !m.faults.any && m.ready) {
    const result = tdhMemPageAug(m, regs);
    if (result === 0) regs[2 * RAX] = 0;
    else statusToRegs(result, regs);
    return result;
  }
  if (rax >= LEAVES.length || regs[2 * RAX + 1] !== 0 || m.faults.any || !m.ready) return uncommon(m, regs);
  const run = LEAVES[rax];
  if (run === undefined) return uncommon(m, regs);
  const result = run(m, regs, 0);
  if (result === 0) regs[2 * RAX] = 0;
  else statusToRegs(result, regs);
  return result;
};

/**
 * The same SEAMCALL again and again, each with the other registers as the one before left them, until it does not succeed or
 * RDX has come to `end`. A host of terabytes makes millions of them while it initialises its TDMRs.
 *
 * @param regs RAX: leaf, version 0. Written as by the last call.
 * @param most calls to make at most, 1 or more
 * @returns calls made; the last one's status is in RAX
 */
export const seamcallsUpTo = (m: TdxModule, regs: Regs, most: number, end: number): number => {
  const leaf = regs[2 * RAX]!;
  const run = LEAVES[leaf];
  if (run === undefined || m.faults.any || !m.ready) {
    seamcall(m, regs);
    return 1;
  }
  let calls = 0;
  let result = SUCCESS;
  do {
    regs[2 * RAX] = leaf;
    result = run(m, regs, 0);
    calls++;
  } while (result === SUCCESS && calls < most && regs[2 * RDX + 1]! * 2 ** 32 + regs[2 * RDX]! < end);
  finish(regs, result);
  return calls;
};

/** Versions, faults, a module on its way up, and whatever is wrong with RAX. */
const uncommon = (m: TdxModule, regs: Regs): Status => {
  const rax = regs[2 * RAX]!;
  const leaf = rax & 0xffff;
  const version = (rax >>> 16) & 0xff;
  if (rax >>> 24 !== 0 || regs[2 * RAX + 1] !== 0) return finish(regs, BAD_RAX);
  if (version > 0 && !VERSIONED.has(leaf)) return finish(regs, BAD_RAX);
  if (!m.ready && !runsEarly(m, leaf)) return finish(regs, NOT_READY);
  if (m.faults.any) {
    const fault = m.faults.takeSeamcall(leaf);
    if (fault >= 0) return finish(regs, tellFault(m, regs, fault as Status));
  }
  const run = LEAVES[leaf];
  if (run !== undefined) return finish(regs, run(m, regs, version));
  const name = TDH_NAMES.get(leaf);
  if (name !== undefined) throw new NotModelled(name);
  return finish(regs, BAD_RAX);
};

const runsEarly = (m: TdxModule, leaf: number): boolean =>
  BEFORE_READY.has(leaf) && (leaf !== SYS_RD || m.sysInfo.readsEarly !== false);

const finish = (regs: Regs, result: Status): Status => {
  statusToRegs(result, regs);
  return result;
};
