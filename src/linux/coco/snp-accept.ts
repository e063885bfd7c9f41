import { PSC_OPERATION } from "../../abi/snp/ghcb.ts";
import { PVALIDATE_RESULT, RMP_2M, RMP_4K } from "../../abi/snp/rmp-entry.ts";
import { AGAIN, type Procedure } from "../../flat/procedure.ts";
import { hideFromDirectMap, showInDirectMap } from "../direct-map.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../kernel.ts";
import type { Platform } from "./platform.ts";
import { earlyAccept } from "./snp-early.ts";
import { snpOf } from "./snp-instructions.ts";
import { setPagesState } from "./snp-pages-state.ts";

const { PRIVATE, SHARED } = PSC_OPERATION;
const UNIT = 2 ** 21;

/** set_pages_state() over (start, end) for one operation. */
const oneWay = (name: string, operation: number, anywhere: 0 | 1): Procedure<Kernel> => {
  const { v, at, define } = KERNEL_PROCEDURES.declare(name, {
    args: ["start", "end"],
    locals: [],
    steps: ["enter", "done"],
  });
  return define({
    enter: (_k, f) => f.call(setPagesState, at.done, f.get(v.start), f.get(v.end), operation, anywhere),
    done: (_k, f) => f.returns(f.result),
  });
};

/** snp_accept_memory(start, end): page state change to private, then PVALIDATE. */
export const snpAcceptMemory = oneWay("snp_accept_memory", PRIVATE, 0);
/** set_pages_state to shared: PVALIDATE rescinds, then page state change. What the hotplug series for SNP calls at removal. */
export const snpRescindMemory = oneWay("snp_unaccept_memory", SHARED, 0);
const firmwareAccept = oneWay("firmware accepts", PRIVATE, 1);

const unknown = KERNEL_PROCEDURES.declare("arch_unaccept_memory", {
  args: ["start", "end"],
  locals: [],
  steps: ["enter"],
});

/**
 * arch_unaccept_memory() of RFC v2, which knows TDX only.
 *
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", patch 2
 */
const snpReleaseMemory = unknown.define({
  enter: (k) => panic(k, "Cannot unaccept memory: unknown platform"),
});

const change = KERNEL_PROCEDURES.declare("snp_set_memory_shared", {
  args: ["start", "end", "toPrivate"],
  locals: [],
  steps: ["enter", "done"],
});

/**
 * What set_memory_decrypted() and its inverse ask of the platform: (start, end, 1 for private, 0 for shared). To shared: rescind, then
 * page state change. To private nothing happens yet: the accept that follows does both. Returns end.
 *
 * @source Linux arch/x86/mm/mem_encrypt_amd.c
 */
const snpConvert = change.define({
  enter: (_k, f) => {
    const [start, end] = [f.get(change.v.start), f.get(change.v.end)];
    return f.get(change.v.toPrivate) !== 0
      ? f.returns(end)
      : f.call(setPagesState, change.at.done, start, end, SHARED, 0);
  },
  done: (_k, f) => f.returns(f.get(change.v.end)),
});

const missing = KERNEL_PROCEDURES.declare("snp_accept_missing", {
  args: ["start", "end"],
  locals: ["at"],
  steps: ["enter", "rescind", "accepted"],
});

/**
 * Accepts what of (start, end) is not accepted. The guest cannot ask what is: it rescinds every page, which changes nothing where
 * nothing was validated, and accepts all of them. So a page is never validated twice, whatever the host does. Returns 1.
 *
 * @source none: no kernel does this
 */
const snpAcceptMissing = missing.define({
  enter: (_k, f) => {
    f.set(missing.v.at, f.get(missing.v.start));
    return missing.at.rescind;
  },
  rescind: (k, f) => {
    const [page, end] = [f.get(missing.v.at), f.get(missing.v.end)];
    if (page >= end)
      return f.call(setPagesState, missing.at.accepted, f.get(missing.v.start), end, PRIVATE, 0);
    const fits = page % UNIT === 0 && end - page >= UNIT;
    const large = fits ? snpOf(k).pvalidate(f.vcpu, page, RMP_2M, 0) : PVALIDATE_RESULT.FAIL_SIZEMISMATCH;
    if (large < 0) return AGAIN;
    if (large !== PVALIDATE_RESULT.FAIL_SIZEMISMATCH) {
      f.set(missing.v.at, page + UNIT);
      return missing.at.rescind;
    }
    if (snpOf(k).pvalidate(f.vcpu, page, RMP_4K, 0) < 0) return AGAIN;
    f.set(missing.v.at, page + k.geometry.pageSize);
    return missing.at.rescind;
  },
  accepted: (_k, f) => f.returns(f.result),
});

/** What SEV-SNP gives Linux for accepting and releasing memory. Nothing of it answers a failure: it ends the guest. */
export const SNP_PLATFORM: Platform = {
  name: "snp",
  reachesByMapping: true,
  accept: snpAcceptMemory,
  acceptOrKeep: snpAcceptMemory,
  release: snpReleaseMemory,
  rescind: snpRescindMemory,
  convert: snpConvert,
  acceptMissing: snpAcceptMissing,
  firmwareAccept,
  earlyAccept,
  hide: hideFromDirectMap,
  show: showInDirectMap,
  acceptPanic: "SEV: Failed to accept memory",
};
