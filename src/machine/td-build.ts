import { TDH } from "../abi/tdx/leaves.ts";
import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { ERRNO } from "../linux/errno.ts";
import { TDCS_PAGES, TDVPS_PAGES } from "../tdx-module/operands.ts";
import { GIB, KIB, MIB, PAGE_SIZE } from "../units.ts";

/** What is asked for while a TD is made and is no SEAMCALL of a leaf that is made at no other time. Behind the numbers of leaves. */
export const TD_BUILD = {
  KEY_ID: 0x1000,
  CONTROL_PAGE: 0x1001,
  IMAGE_TABLE: 0x1002,
  IMAGE_TABLE_PAGE: 0x1003,
  IMAGE_PAGE: 0x1004,
} as const;

/** Why a TD was not made: what QEMU's ioctl answers, and the call behind it. */
export interface UnmadeTd {
  readonly errno: number;
  readonly ioctl: string;
  readonly code: number;
  readonly answer: number;
}

/** Asks whether a call fails: its code, guest-physical bytes [start, end) that it is about. 0 if it does not. */
export type BuildAnswer = (code: number, start: number, end: number) => number;

/** Firmware volume and variables: the 4 MiB of flash below 4 GiB. */
const IMAGE = { start: 4 * GIB - 4 * MIB, end: 4 * GIB } as const;
/** The variables come first and are not measured; the volume behind them is, in chunks. */
const MEASURED = IMAGE.start + 528 * KIB;
const CHUNK = 256;
const UNIT = 2 * MIB;
/** seamcall() of Linux calls again so often while there is no entropy, QEMU its ioctl. */
const KVM_TRIES = 10;
const QEMU_TRIES = 10_000;

const NO_ENTROPY = status("RND_NO_ENTROPY");
const BUSY = status("OPERAND_BUSY");
const INVALID = status("OPERAND_INVALID");
const CREATE = TDH["TDH.MNG.CREATE"];
const INIT = TDH["TDH.MNG.INIT"];
const PAGE_ADD = TDH["TDH.MEM.PAGE.ADD"];
const EXTEND = TDH["TDH.MR.EXTEND"];
const FINALIZE = TDH["TDH.MR.FINALIZE"];

interface Call {
  readonly code: number;
  readonly start: number;
}
const call = (code: number): Call => ({ code, start: 0 });
const times = (count: number, code: number): Call[] => Array.from({ length: count }, () => call(code));

const INIT_VM: readonly Call[] = [
  call(TD_BUILD.KEY_ID),
  ...times(1 + TDCS_PAGES, TD_BUILD.CONTROL_PAGE),
  call(CREATE),
  call(TDH["TDH.MNG.KEY.CONFIG"]),
  ...times(TDCS_PAGES, TDH["TDH.MNG.ADDCX"]),
  call(INIT),
];
const INIT_VCPU: readonly Call[] = [
  ...times(TDVPS_PAGES, TD_BUILD.CONTROL_PAGE),
  call(TDH["TDH.VP.CREATE"]),
  ...times(TDVPS_PAGES - 1, TDH["TDH.VP.ADDCX"]),
  call(TDH["TDH.VP.INIT"]),
];

/** Page by page: the host's page, the tables that one needs before it, and its measurement. @param levels of the secure EPT */
const initMemRegion = (levels: number): Call[] => {
  const calls: Call[] = [];
  for (let start: number = IMAGE.start; start < IMAGE.end; start += PAGE_SIZE) {
    const tables = start === IMAGE.start ? levels - 1 : start % UNIT === 0 ? 1 : 0;
    calls.push({ code: TD_BUILD.IMAGE_PAGE, start });
    // The pages of all tables that may be wanted are taken before the first is hung in.
    for (let table = 0; table < tables; table++) calls.push({ code: TD_BUILD.IMAGE_TABLE_PAGE, start });
    for (let table = 0; table < tables; table++) calls.push({ code: TD_BUILD.IMAGE_TABLE, start });
    calls.push({ code: PAGE_ADD, start });
    if (start < MEASURED) continue;
    for (let at = start; at < start + PAGE_SIZE; at += CHUNK) calls.push({ code: EXTEND, start: at });
  }
  return calls;
};

/** What KVM answers its caller when a call was refused. */
const errnoOf = (code: number, answer: number): number => {
  if (answer < 0) return answer;
  const kind = withoutDetails(answer as Status);
  if (kind === NO_ENTROPY && code === CREATE) return ERRNO.EAGAIN;
  if (kind === INVALID && code === INIT) return ERRNO.EINVAL;
  return kind === BUSY && (code === PAGE_ADD || code === FINALIZE) ? ERRNO.EBUSY : ERRNO.EIO;
};

/** One call, made again where KVM makes it again. @returns what it answers in the end */
const settled = ({ code, start }: Call, answerOf: BuildAnswer): number => {
  const bytes = code === EXTEND ? CHUNK : PAGE_SIZE;
  const end = start === 0 ? 0 : start + bytes;
  for (let left = KVM_TRIES; ; left--) {
    const answer = answerOf(code, start, end);
    if (answer <= 0) return answer;
    const kind = withoutDetails(answer as Status);
    // A fault that meets a busy tree is handled again, however often.
    if (code === TD_BUILD.IMAGE_TABLE && kind === BUSY) left = KVM_TRIES;
    else if (kind !== NO_ENTROPY || left === 1) return answer;
  }
};

const play = (ioctl: string, calls: readonly Call[], answerOf: BuildAnswer): UnmadeTd | undefined => {
  for (const each of calls) {
    const answer = settled(each, answerOf);
    if (answer !== 0) return { errno: errnoOf(each.code, answer), ioctl, code: each.code, answer };
  }
  return undefined;
};

/**
 * What KVM and QEMU make of the answers to the calls that make a TD. A call that fails does nothing, KVM takes back what those before
 * it made, and QEMU ends: a TD that was not made leaves nothing.
 *
 * @returns undefined if the TD is made
 * @source Linux arch/x86/kvm/vmx/tdx.c: __tdx_td_init, tdx_td_vcpu_init, tdx_gmem_post_populate, tdx_td_finalize; arch/x86/include/asm/tdx.h,
 *   sc_retry; QEMU target/i386/kvm/tdx.c, tdx_pre_create_vcpu; OVMF with 4 MiB of flash, of which 528 KiB are
 *   variables that its metadata does not have measured
 * @missing pages of the image beside the flash (TD HOB, temporary memory); key configuration on several packages; what the calls that
 *   went well did is not seen, nor are the image and its measurement: nobody reads them
 */
export const unmadeTd = (vcpus: number, levels: number, answerOf: BuildAnswer): UnmadeTd | undefined => {
  let failed = play("KVM_TDX_INIT_VM", INIT_VM, answerOf);
  for (let left = QEMU_TRIES; failed?.errno === ERRNO.EAGAIN && left > 1; left--)
    failed = play("KVM_TDX_INIT_VM", INIT_VM, answerOf);
  for (let vcpu = 0; vcpu < vcpus && failed === undefined; vcpu++)
    failed = play(`KVM_TDX_INIT_VCPU of vCPU ${vcpu}`, INIT_VCPU, answerOf);
  failed ??= play("KVM_TDX_INIT_MEM_REGION", initMemRegion(levels), answerOf);
  return failed ?? play("KVM_TDX_FINALIZE_VM", [call(FINALIZE)], answerOf);
};
