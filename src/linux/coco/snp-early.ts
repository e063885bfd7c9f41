import { GHCB_MSR_CODE, PSC_OPERATION, TERMINATE_REASONS } from "../../abi/snp/ghcb.ts";
import { RMP_4K } from "../../abi/snp/rmp-entry.ts";
import { AGAIN } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES } from "../kernel.ts";
import { snpOf } from "./snp-instructions.ts";
import { sevEsTerminate } from "./snp-terminate.ts";

const { v, at, define } = KERNEL_PROCEDURES.declare("early_set_pages_state", {
  args: ["start", "end"],
  locals: ["at"],
  steps: ["enter", "request", "answered", "validate"],
});

/**
 * snp_accept_memory(start, end) in bytes before there is a GHCB page: one exit by the MSR protocol and one PVALIDATE for each
 * 4 KiB. All memory is mapped there.
 *
 * Returns 1; a page state change that fails, and any PVALIDATE that does, ends the guest by request.
 *
 * @source Linux arch/x86/boot/compressed/sev.c, __page_state_change
 */
export const earlyAccept = define({
  enter: (_k, f) => {
    f.set(v.at, f.get(v.start));
    return at.request;
  },
  request: (k, f) => {
    const page = f.get(v.at);
    if (page >= f.get(v.end)) return f.returns(1);
    const snp = snpOf(k);
    const high = Math.floor(page / 2 ** 32) + PSC_OPERATION.PRIVATE * 2 ** 20;
    snp.setMsr(f.vcpu, (page >>> 0) + GHCB_MSR_CODE.PSC_REQUEST, high);
    snp.vmgexit(f.vcpu);
    return at.answered;
  },
  answered: (k, f) => {
    const [low, high] = snpOf(k).msr(f.vcpu);
    const response = low! & 0xfff;
    if (response !== GHCB_MSR_CODE.PSC_RESPONSE || high !== 0)
      return sevEsTerminate(k, f.vcpu, TERMINATE_REASONS.LINUX_PSC);
    return at.validate;
  },
  validate: (k, f) => {
    const page = f.get(v.at);
    const result = snpOf(k).pvalidate(f.vcpu, page, RMP_4K, 1);
    if (result < 0) return AGAIN;
    if (result !== 0) return sevEsTerminate(k, f.vcpu, TERMINATE_REASONS.LINUX_PVALIDATE);
    f.set(v.at, page + k.geometry.pageSize);
    return at.request;
  },
});
