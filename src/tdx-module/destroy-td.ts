import { TDH, type TdhLeaf, tdhName } from "../abi/tdx/leaves.ts";
import { newRegs, RAX, RCX, setNumber } from "../abi/tdx/regs.ts";
import { SUCCESS, statusText } from "../abi/tdx/status.ts";
import { PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { assert } from "../assert.ts";
import { tdrOf } from "./create-td.ts";
import type { TdxModule } from "./module.ts";
import { SIZE_2M } from "./pamt.ts";
import { seamcall } from "./seamcall.ts";
import { type Td, VCPU_WORD } from "./td.ts";

const PAGE = 4096;
const BLOCK_FRAMES = 512;

/** Makes one SEAMCALL with RCX that cannot fail unless its caller is wrong. */
const call = (m: TdxModule, leaf: TdhLeaf, rcx: number): void => {
  const regs = newRegs();
  setNumber(regs, RAX, TDH[leaf]);
  setNumber(regs, RCX, rcx);
  const result = seamcall(m, regs);
  assert(result === SUCCESS, () => `${tdhName(TDH[leaf])} answers SUCCESS, not ${statusText(result)}`);
};

/** Reclaims what is in use of frames [first, first + count), of the TDR not. */
const reclaim = (m: TdxModule, tdrFrame: number, first: number, count: number): void => {
  for (let frame = first; frame < first + count; ) {
    const size = m.pamt.sizeAt(frame);
    const inUse = frame !== tdrFrame && m.pamt.typeAt(frame, size) !== PAGE_TYPE.NDA;
    if (inUse) call(m, "TDH.PHYMEM.PAGE.RECLAIM", frame * PAGE);
    frame += size === SIZE_2M ? BLOCK_FRAMES : 1;
  }
};

/**
 * Tears a TD down through the SEAMCALLs that a host makes: each vCPU is flushed, the key id given back, every page reclaimed, the
 * TDR last.
 *
 * @param runs host frames that the TD has, in rows; a page of 2 MiB lies in one row
 * @source Linux arch/x86/kvm/vmx/tdx.c, tdx_mmu_release_hkid, tdx_vm_destroy
 */
export const destroyTd = (
  m: TdxModule,
  td: Td,
  runs: Iterable<{ readonly first: number; readonly count: number }>,
): void => {
  const tdr = tdrOf(td);
  for (let vcpu = 0; vcpu < td.vcpuCount; vcpu++)
    call(m, "TDH.VP.FLUSH", td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME) * PAGE);
  call(m, "TDH.MNG.VPFLUSHDONE", tdr);
  call(m, "TDH.PHYMEM.CACHE.WB", 0);
  call(m, "TDH.MNG.KEY.FREEID", tdr);
  for (const { first, count } of runs) reclaim(m, tdr / PAGE, first, count);
  call(m, "TDH.PHYMEM.PAGE.RECLAIM", tdr);
};
