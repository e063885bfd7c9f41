import { hi, RAX, RCX, type Regs, setNumber } from "../../abi/tdx/regs.ts";
import { AGAIN } from "../../flat/procedure.ts";
import { KERNEL_PROCEDURES, type Kernel, panic } from "../kernel.ts";
import { isDone, PLATFORM_OUTCOME, platformResult } from "./platform.ts";

export const TDG_MEM_PAGE_ACCEPT = 6;
export const TDG_MEM_PAGE_RELEASE = 30;
/** TD metadata CONFIG_FLAGS bit 6: the TD was made with TDG.MEM.PAGE.RELEASE. */
export const CONFIG_PAGE_RELEASE = 0x40;

export const LEVEL_BYTES = [2 ** 12, 2 ** 21, 2 ** 30] as const;
const ALIGN_MASK = [2 ** 12 - 1, 2 ** 21 - 1, 2 ** 30 - 1] as const;

/** Largest level not above `highest` whose page starts at `at` and ends by `end`; -1 if none does. */
export const fittingLevel = (at: number, end: number, highest: number): number => {
  let level = highest;
  while (level >= 0 && ((at & ALIGN_MASK[level]!) !== 0 || end - at < LEVEL_BYTES[level]!)) level--;
  return level;
};

/** One TDCALL on the page of `level` at `at`. Negative: did not retire; otherwise the packed status. */
export const pageCall = (k: Kernel, vcpu: number, leaf: number, at: number, level: number): number => {
  const regs: Regs = k.hw.regs(vcpu);
  setNumber(regs, RAX, leaf);
  setNumber(regs, RCX, at + level);
  return k.hw.tdcall(vcpu);
};

/** Bit 31 of a packed status, bit 63 of RAX: an error, and not a warning. PAGE_ALREADY_ACCEPTED lacks it. */
const ERROR_BIT = 0x8000_0000;
const hasErrorBit = (k: Kernel, vcpu: number): boolean => (hi(k.hw.regs(vcpu), RAX) & ERROR_BIT) !== 0;

/** An accept loop. Some callers take a warning for success. */
const acceptLoop = (name: string, warningsPass: boolean) => {
  const {
    v,
    at: label,
    define,
  } = KERNEL_PROCEDURES.declare(name, {
    args: ["at", "end"],
    locals: ["refused"],
    steps: ["page"],
  });
  return define({
    page: (k, f) => {
      const at = f.get(v.at);
      const end = f.get(v.end);
      if (at >= end) return f.returns(1);
      const level = fittingLevel(at, end, 2 - f.get(v.refused));
      if (level < 0) return f.returns(platformResult(PLATFORM_OUTCOME.FAILED, at));
      const ahead = level < 2 ? (k.hw.acceptAtOnce?.(f.vcpu, at, end) ?? at) : at;
      if (ahead > at) {
        f.set(v.at, ahead);
        f.set(v.refused, 0);
        return label.page;
      }
      const status = pageCall(k, f.vcpu, TDG_MEM_PAGE_ACCEPT, at, level);
      if (status < 0) return AGAIN;
      if (status === 0 || (warningsPass && !hasErrorBit(k, f.vcpu))) {
        f.set(v.at, at + LEVEL_BYTES[level]!);
        f.set(v.refused, 0);
      } else f.set(v.refused, 3 - level);
      return label.page;
    },
  });
};

/**
 * tdx_accept_memory(start, end) in bytes: accepts page by page, trying 1 GiB, 2 MiB and 4 KiB at each place.
 * Any non-zero RAX counts as a refusal, PAGE_ALREADY_ACCEPTED too.
 *
 * DONE when all was accepted; FAILED at a place that refused every size, pages before it staying accepted.
 * A start off 4 KiB is refused without a call.
 *
 * @source Linux arch/x86/coco/tdx/tdx-shared.c
 */
export const tdxAcceptMemory = acceptLoop("tdx_accept_memory", false);

/**
 * tdxAcceptMemory with a test of RAX bit 63 instead of zero: a page that is accepted already passes, with
 * whatever it holds.
 *
 * @source "x86/tdx: Fix memory hotplug in TDX guests", 2026-03, as posted; its reviewers refused this test
 */
export const tdxAcceptMemoryBit63 = acceptLoop("tdx_accept_memory, bit 63 tested", true);

const release = KERNEL_PROCEDURES.declare("tdx_release_memory", {
  args: ["start", "end"],
  locals: ["at", "refused"],
  steps: ["enter", "page", "restored"],
});

/**
 * tdx_unaccept_memory(start, end) in bytes: gives the pages back with TDG.MEM.PAGE.RELEASE, 1 GiB, 2 MiB,
 * then 4 KiB.
 *
 * DONE when all was released, and also, without a call, when the TD has no PAGE_RELEASE: the caller
 * cannot tell. A place that refuses every size makes it accept again what it had released and answer FAILED at the start;
 * if that fails the machine panics.
 *
 * @source RFCv2 "Support memory hotplug/unplug for TDX CoCo guests", patch 2
 */
export const tdxReleaseMemory = release.define({
  enter: (k, f) => {
    const { v, at: label } = release;
    if ((k.cpus.configFlags & CONFIG_PAGE_RELEASE) === 0) return f.returns(1);
    f.set(v.at, f.get(v.start));
    return label.page;
  },
  page: (k, f) => {
    const { v, at: label } = release;
    const at = f.get(v.at);
    const end = f.get(v.end);
    if (at >= end) return f.returns(1);
    const level = fittingLevel(at, end, 2 - f.get(v.refused));
    if (level < 0) return f.call(tdxAcceptMemory, label.restored, f.get(v.start), at);
    const status = pageCall(k, f.vcpu, TDG_MEM_PAGE_RELEASE, at, level);
    if (status < 0) return AGAIN;
    if (status === 0) {
      f.set(v.at, at + LEVEL_BYTES[level]!);
      f.set(v.refused, 0);
    } else f.set(v.refused, 3 - level);
    return label.page;
  },
  restored: (k, f) =>
    isDone(f.result)
      ? f.returns(platformResult(PLATFORM_OUTCOME.FAILED, f.get(release.v.start)))
      : panic(k, "TDX: Failed to accept memory released before"),
});
