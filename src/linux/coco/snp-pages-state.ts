import { PSC_OPERATION, TERMINATE_REASONS } from "../../abi/snp/ghcb.ts";
import { PVALIDATE_RESULT, RMP_2M, RMP_4K } from "../../abi/snp/rmp-entry.ts";
import { AGAIN, type Frame, type Next } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../kernel.ts";
import { snpOf } from "./snp-instructions.ts";
import { batchEnd, entryBytes, readPscAnswer, writePscBuffer, writePscExit } from "./snp-psc-buffer.ts";
import { sevEsTerminate } from "./snp-terminate.ts";

const UNIT = 2 ** 21;
const { SUCCESS, FAIL_SIZEMISMATCH } = PVALIDATE_RESULT;
const { PRIVATE } = PSC_OPERATION;
/** Start of the direct map, four-level paging, without KASLR. */
const DIRECT_MAP = 0xffff_8880_0000_0000n;

/** Whether the kernel has a virtual address for a page: PVALIDATE takes no other. */
const isMapped = (k: Kernel, at: number): boolean =>
  k.design.reachesUnmapped === true || k.mm.isMapped(at / k.geometry.pageSize);

const pageFault = (k: Kernel, at: number): Next => {
  const address = (DIRECT_MAP + BigInt(at)).toString(16);
  k.printk(`BUG: unable to handle page fault for address: ${address}`);
  return panic(k, "Fatal exception");
};

/** __pval_terminate(): everything but a size mismatch ends the guest, an entry that did not change too. */
const pvalidateFailed = (
  k: Kernel,
  vcpu: number,
  at: number,
  size: number,
  validate: number,
  result: number,
): Next => {
  const pfn = (at / k.geometry.pageSize).toString(16);
  k.printk(
    `PVALIDATE failure: pfn: 0x${pfn}, action: ${validate}, size: ${size}, ret: ${result}, svsm_ret: 0x0`,
  );
  return sevEsTerminate(k, vcpu, TERMINATE_REASONS.LINUX_PVALIDATE);
};

const { v, at, define } = KERNEL_PROCEDURES.declare("set_pages_state", {
  args: ["start", "end", "operation", "anywhere"],
  locals: ["from", "stop", "at", "small", "last", "current"],
  steps: ["enter", "batch", "pages", "request", "exit", "answered", "next"],
});

const validating = (f: Frame<Kernel>): number => (f.get(v.operation) === PRIVATE ? 1 : 0);

const failed = (k: Kernel, f: Frame<Kernel>, why: string): Next => {
  k.printk(`SNP: ${why}`);
  return sevEsTerminate(k, f.vcpu, TERMINATE_REASONS.LINUX_PSC);
};

/**
 * set_pages_state(start, end, operation, anywhere) in bytes, operation of PSC_OPERATION: batches of up to 64 entries, of 2 MiB where that
 * fits. To private: page state change, then PVALIDATE; to shared: PVALIDATE rescinds, then page state change. The host may do a
 * part of a batch and is asked again.
 *
 * PVALIDATE takes a virtual address, so the range is in the direct map, or the kernel meets a page fault and panics;
 * `anywhere` is 1 where all addresses are mapped, as in firmware. A 2 MiB page
 * that answers FAIL_SIZEMISMATCH is done in 4 KiB. Everything else that fails, NO_UPDATE too, ends the guest by request.
 *
 * Returns 1.
 *
 * @source Linux arch/x86/coco/sev/core.c, set_pages_state, __set_pages_state, vmgexit_psc
 */
export const setPagesState = define({
  enter: (_k, f) => {
    f.set(v.from, f.get(v.start));
    return at.batch;
  },
  batch: (_k, f) => {
    const from = f.get(v.from);
    const end = f.get(v.end);
    if (from >= end) return f.returns(1);
    f.set(v.stop, batchEnd(from, end));
    f.set(v.at, from);
    f.set(v.small, 0);
    return validating(f) === 1 ? at.request : at.pages;
  },
  pages: (k, f) => {
    const page = f.get(v.at);
    const stop = f.get(v.stop);
    const validate = validating(f);
    if (page >= stop) return validate === 1 ? at.next : at.request;
    if (f.get(v.anywhere) === 0 && !isMapped(k, page)) return pageFault(k, page);
    const large = page >= f.get(v.small) && entryBytes(page, stop) === UNIT;
    const size = large ? RMP_2M : RMP_4K;
    const result = snpOf(k).pvalidate(f.vcpu, page, size, validate);
    if (result < 0) return AGAIN;
    if (result === SUCCESS) f.set(v.at, page + (large ? UNIT : k.geometry.pageSize));
    else if (large && result === FAIL_SIZEMISMATCH) f.set(v.small, page + UNIT);
    else return pvalidateFailed(k, f.vcpu, page, size, validate, result);
    return at.pages;
  },
  request: (k, f) => {
    f.set(v.last, writePscBuffer(k, f.vcpu, f.get(v.from), f.get(v.stop), f.get(v.operation)));
    f.set(v.current, 0);
    return at.exit;
  },
  exit: (k, f) => {
    writePscExit(k, f.vcpu);
    snpOf(k).vmgexit(f.vcpu);
    return at.answered;
  },
  answered: (k, f) => {
    const { current, end, reserved, errorHi, errorLo } = readPscAnswer(k, f.vcpu);
    if (errorHi !== 0 || errorLo !== 0)
      return failed(
        k,
        f,
        `PSC failed ret=0 exit_info_2=${(BigInt(errorHi) * 2n ** 32n + BigInt(errorLo)).toString(16)}`,
      );
    if (reserved !== 0) return failed(k, f, "Reserved bit is set in the PSC header");
    const last = f.get(v.last);
    const before = f.get(v.current);
    if (end > last || before > current)
      return failed(
        k,
        f,
        `PSC processing going backward, end_entry ${last} (got ${end}) cur_entry ${before} (got ${current})`,
      );
    f.set(v.current, current);
    if (current <= end) return at.exit;
    return validating(f) === 1 ? at.pages : at.next;
  },
  next: (_k, f) => {
    f.set(v.from, f.get(v.stop));
    return at.batch;
  },
});
