import { GHCB_MSR_CODE } from "../../abi/snp/ghcb.ts";
import { AGAIN, type Next } from "../../flat/procedure.ts";
import type { Kernel } from "../kernel.ts";
import { snpOf } from "./snp-instructions.ts";

/** Why a guest asks to be ended. */
export interface TerminateReason {
  readonly set: number;
  readonly code: number;
}

/**
 * sev_es_terminate(): asks the hypervisor to end the guest, for ever. The answer of the step that calls it.
 *
 * @source Linux arch/x86/coco/sev/shared.c
 */
export const sevEsTerminate = (k: Kernel, vcpu: number, { set, code }: TerminateReason): Next => {
  const snp = snpOf(k);
  snp.setMsr(vcpu, GHCB_MSR_CODE.TERMINATE + set * 2 ** 12 + code * 2 ** 16, 0);
  snp.vmgexit(vcpu);
  return AGAIN;
};
