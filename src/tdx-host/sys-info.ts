import { TDX_FEATURES0_BITS } from "../abi/tdx/td-controls.ts";
import { ERRNO } from "./errno.ts";
import type { TdxHost } from "./host-kernel.ts";
import type { ByteRange } from "./memory-range.ts";

const NO_RBP_MOD = 1n << BigInt(TDX_FEATURES0_BITS.NO_RBP_MOD);

const DYNAMIC_PAMT = 1n << BigInt(TDX_FEATURES0_BITS.DYNAMIC_PAMT);

/**
 * get_tdx_sys_info(): reads what the kernel needs of the module's metadata.
 *
 * @returns 0; -EIO after the first field that cannot be read; -EINVAL for a module that clobbers RBP
 * @source Linux arch/x86/virt/vmx/tdx/tdx_global_metadata.c; the kernel prints no convertible ranges
 * @missing fields about TDs
 */
export const readSysInfo = (host: TdxHost): number => {
  const features = host.readField("TDX_FEATURES0");
  if (features === undefined) return ERRNO.EIO;
  if ((BigInt(features) & NO_RBP_MOD) === 0n) {
    host.log.tdx("err", "frame pointer (RBP) clobber bug present, upgrade TDX module");
    return ERRNO.EINVAL;
  }
  const maxTdmrs = host.readField("MAX_TDMRS");
  if (maxTdmrs === undefined) return ERRNO.EIO;
  const maxReserved = host.readField("MAX_RESERVED_PER_TDMR");
  const small = host.readField("PAMT_4K_ENTRY_SIZE");
  const middle = host.readField("PAMT_2M_ENTRY_SIZE");
  const large = host.readField("PAMT_1G_ENTRY_SIZE");
  const count = host.readField("NUM_CMRS");
  const isDynamic = host.policy.dynamicPamt && (BigInt(features) & DYNAMIC_PAMT) !== 0n;
  const bitmapBits = isDynamic ? host.readField("PAMT_PAGE_BITMAP_ENTRY_BITS") : 0;
  const known = [bitmapBits, maxReserved, small, middle, large, count].every((value) => value !== undefined);
  if (!known) return ERRNO.EIO;
  host.limits = {
    maxTdmrs,
    maxReserved: maxReserved ?? 0,
    entryBytes: { "4K": small ?? 0, "2M": middle ?? 0, "1G": large ?? 0 },
    bitmapBits: bitmapBits ?? 0,
  };
  const cmrs = readCmrs(host, count ?? 0);
  host.cmrs = cmrs ?? [];
  return cmrs === undefined ? ERRNO.EIO : 0;
};

/** The convertible ranges that are not empty, or undefined after the first that cannot be read. */
const readCmrs = (host: TdxHost, count: number): ByteRange[] | undefined => {
  const cmrs: ByteRange[] = [];
  for (let i = 0; i < count; i++) {
    const start = host.readField("CMR_BASE", i);
    const size = start === undefined ? undefined : host.readField("CMR_SIZE", i);
    if (start === undefined || size === undefined) return undefined;
    if (size > 0) cmrs.push({ start, end: start + size });
  }
  return cmrs;
};
