import {
  GHCB_MSR_CODE,
  GHCB_PAGE,
  NPF_HI,
  PSC_OPERATION,
  SVM_EXIT,
  VMGEXIT_PSC,
} from "../../abi/snp/ghcb.ts";
import { getNumber, hi, RAX, RCX } from "../../abi/tdx/regs.ts";
import type { Frame, Next } from "../../flat/procedure.ts";
import { NotModelled } from "../../not-modelled.ts";
import { EXIT_GPA } from "../../snp/snp-guest.ts";
import { PAGE_SIZE } from "../../units.ts";
import { convert } from "../convert.ts";
import { PAGE_STATE_CHANGE_EVENT, VM_END, VMEXIT_EVENT } from "../events.ts";
import { faultIn, resolve } from "../faults.ts";
import { NOT_ARRANGED } from "../injection.ts";
import { WANTS_2M } from "../map-page.ts";
import { NO_AREA } from "../memory-map.ts";
import { DEAD, DONE, UNRESOLVED, VMM_PROCEDURES } from "../procedures.ts";
import { split } from "../split.ts";
import { MAP_GPA_INJECTION } from "../vmcall.ts";
import type { Vmm } from "../vmm.ts";
import { changePageStates } from "./page-state-change.ts";

const x = VMM_PROCEDURES.declare("handle an exit of an SNP guest", {
  args: ["vcpu"],
  locals: ["frame"],
  steps: ["enter", "handled", "splitUp", "converted"],
});

/**
 * Handles the exit of an SNP guest whose record hardware holds. Returns as handleExit does.
 *
 * A nested page fault backs and maps the page; one for the size (SIZEM) splits the large page by PSMASH. VMGEXIT is a request by MSR
 * (page state change of one page, end of the guest), or by the GHCB page (page state change of a buffer).
 *
 * @throws NotModelled for another request
 * @source Linux arch/x86/kvm/svm/sev.c
 */
export const handleSnpExit = x.define({
  enter: (k, f) => {
    const vcpu = f.get(x.v.vcpu);
    const exit = k.snp!.guest.exits[vcpu]!;
    if (k.life.ended !== VM_END.NONE) return f.returns(DEAD);
    const code = getNumber(exit, RAX);
    const gpa = getNumber(exit, EXIT_GPA);
    k.sink?.emit(VMEXIT_EVENT, vcpu, code, gpa, hi(exit, RCX), 0);
    if (code === SVM_EXIT.VMGEXIT) return onVmgexit(k, f, vcpu);
    const frame = Math.floor(gpa / PAGE_SIZE);
    f.set(x.v.frame, frame);
    return (hi(exit, RCX) & NPF_HI.SIZE_MISMATCH) !== 0 ? onSizeMismatch(k, f, frame) : onFault(k, f, frame);
  },
  handled: (k, f) => resolve(k, f, f.get(x.v.vcpu), f.get(x.v.frame), f.result),
  splitUp: (_k, f) => f.returns(f.result),
  converted: (k, f) => {
    if (f.result === DEAD) return f.returns(DEAD);
    return respond(k, f, f.result === DONE ? 0 : 0x8000_0000);
  },
});

/** A page that is mapped and faults all the same is nothing that the host can help with. */
const onFault = (k: Vmm, f: Frame<Vmm>, frame: number): Next => {
  const vcpu = f.get(x.v.vcpu);
  const area = k.map.find(frame);
  const known = area !== NO_AREA && k.pieceOf(area).mapped.has(frame - k.map.start(area));
  if (known) return resolve(k, f, vcpu, frame, UNRESOLVED);
  return f.call(faultIn, x.at.handled, vcpu, frame, k.policy.augSize === "2M" ? WANTS_2M : 0, 0);
};

const onSizeMismatch = (k: Vmm, f: Frame<Vmm>, frame: number): Next => {
  const area = k.map.find(frame);
  if (area === NO_AREA) return resolve(k, f, f.get(x.v.vcpu), frame, UNRESOLVED);
  const start = k.map.start(area);
  return f.call(split, x.at.splitUp, start + Math.floor((frame - start) / 512) * 512);
};

const onVmgexit = (k: Vmm, f: Frame<Vmm>, vcpu: number): Next => {
  const { msrs, ghcbs } = k.snp!.guest;
  const [low, high] = [msrs[2 * vcpu]!, msrs[2 * vcpu + 1]!];
  const code = low & 0xfff;
  if (code === 0) {
    const ghcb = new DataView(ghcbs[vcpu]!.buffer, ghcbs[vcpu]!.byteOffset, GHCB_PAGE.BYTES);
    const request = ghcb.getUint32(GHCB_PAGE.EXIT_CODE, true);
    if (request === VMGEXIT_PSC) return f.call(changePageStates, x.at.splitUp, vcpu);
    throw new NotModelled(`VMGEXIT with exit code 0x${request.toString(16)}`);
  }
  if (code === GHCB_MSR_CODE.TERMINATE) {
    k.life.kill(VM_END.GUEST_TERMINATED, vcpu, 0, ((low >>> 12) & 15) * 256 + ((low >>> 16) & 255));
    return f.returns(DEAD);
  }
  if (code !== GHCB_MSR_CODE.PSC_REQUEST) throw new NotModelled(`GHCB MSR request 0x${code.toString(16)}`);
  if (k.injection.take(MAP_GPA_INJECTION) !== NOT_ARRANGED) return respond(k, f, 0x8000_0000);
  const gfn = (high & 0xf_ffff) * 2 ** 20 + (low >>> 12);
  const operation = (high >>> 20) & 15;
  if (operation !== PSC_OPERATION.PRIVATE && operation !== PSC_OPERATION.SHARED)
    return respond(k, f, 0x8000_0000);
  const toPrivate = operation === PSC_OPERATION.PRIVATE ? 1 : 0;
  k.sink?.emit(PAGE_STATE_CHANGE_EVENT, vcpu, gfn * PAGE_SIZE, PAGE_SIZE, toPrivate, 0);
  return f.call(convert, x.at.converted, vcpu, gfn, gfn + 1, toPrivate);
};

/** The answer to a page state change by MSR. */
const respond = (k: Vmm, f: Frame<Vmm>, error: number): Next => {
  const { msrs } = k.snp!.guest;
  const vcpu = f.get(x.v.vcpu);
  msrs[2 * vcpu] = GHCB_MSR_CODE.PSC_RESPONSE;
  msrs[2 * vcpu + 1] = error;
  return f.returns(DONE);
};
