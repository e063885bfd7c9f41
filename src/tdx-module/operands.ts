import { type Status, status, withDetails } from "../abi/tdx/status.ts";
import { LIFECYCLE, PAGE_TYPE } from "../abi/tdx/td-state.ts";
import { assert } from "../assert.ts";
import { LOCK } from "./locks.ts";
import type { TdxModule } from "./module.ts";
import { OP_STATES_ALLOWED } from "./op-states.ts";
import { NO_OWNER, SIZE_4K } from "./pamt.ts";
import { TD_WORD, type Td, VCPU_WORD } from "./td.ts";
import { COVERED, OUTSIDE } from "./tdmr.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID");
const OUT_OF_RANGE = status("OPERAND_ADDR_RANGE_ERROR");
const BUSY = status("OPERAND_BUSY");
const BAD_METADATA = status("PAGE_METADATA_INCORRECT");
const NO_PAIR = status("MISSING_PAMT_PAGE_PAIR");
const BUSY_TDR = status("OPERAND_BUSY", "TDR");
const FATAL = status("TD_FATAL");
const NO_KEYS = status("TD_KEYS_NOT_CONFIGURED");
const NO_TDCS = status("TDCS_NOT_ALLOCATED");
const BUSY_OP_STATE = status("OPERAND_BUSY", "OP_STATE");
const WRONG_OP_STATE = status("OP_STATE_INCORRECT");
const TDCX_INCORRECT = status("TDCX_NUM_INCORRECT");

/** Pages of a TDCS without L2 VMs, and the most there can be. */
export const TDCS_PAGES = 6;
export const MAX_TDCS_PAGES = 9;
/** Pages of a TDVPS without L2 VMs, its TDVPR included, and the most there can be. */
export const TDVPS_PAGES = 6;
export const MAX_TDVPS_PAGES = 15;

/** How a call takes a lock. */
export const TAKE_SHARED = 0;
export const TAKE_EXCLUSIVE = 1;
export const NO_LOCK = 2;

/**
 * A host page that an operand names: aligned, no key id, below MAXPA, in a TDMR, its metadata entry free of
 * locks, of size 4 KiB and of the type expected. Leaves its number in `m.frame`.
 *
 * A page inside a reserved area has metadata of type RSVD, hence PAGE_METADATA_INCORRECT. With dynamic PAMT a page whose block of
 * 2 MiB has no pair of pages for metadata answers MISSING_PAMT_PAGE_PAIR, a page of such a pair PAGE_METADATA_INCORRECT.
 *
 * @source TDX module 1.5.25, checks of an explicit private address
 */
export const checkPage = (m: TdxModule, lo: number, hi: number, type: number, op: number): Status => {
  if ((lo & 0xfff) !== 0 || hi >>> m.hpaShift !== 0) return withDetails(INVALID, op);
  const frame = (lo >>> 12) + hi * 2 ** 20;
  const kind = m.pamt.kindOf(frame);
  if (kind === OUTSIDE) return withDetails(OUT_OF_RANGE, op);
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return withDetails(BUSY, op);
  if (kind !== COVERED || m.pamt.type4K(frame) !== type) return withDetails(BAD_METADATA, op);
  if (m.pairs !== undefined) {
    if (m.pairs.isPamtPage(frame)) return withDetails(BAD_METADATA, op);
    if (!m.pairs.has(frame)) return withDetails(NO_PAIR, op);
  }
  m.frame = frame;
  return SUCCESS;
};

/** A free 2 MiB page: as `checkPage`, but aligned to 2 MiB and free throughout. */
export const checkFreeBlock = (m: TdxModule, lo: number, hi: number, op: number): Status => {
  if ((lo & 0x1f_ffff) !== 0 || hi >>> m.hpaShift !== 0) return withDetails(INVALID, op);
  const frame = (lo >>> 12) + hi * 2 ** 20;
  if (m.pamt.kindOf(frame) === OUTSIDE) return withDetails(OUT_OF_RANGE, op);
  if (m.frameLocks.any && m.frameLocks.isBusy(frame)) return withDetails(BUSY, op);
  if (!m.pamt.isBlockFree(frame)) return withDetails(BAD_METADATA, op);
  if (m.pairs !== undefined && (m.pairs.has(frame) || m.pairs.anyIn(frame)))
    return withDetails(BAD_METADATA, op);
  m.frame = frame;
  return SUCCESS;
};

/** The TD whose TDR an operand names. Leaves it in `m.td`. */
export const checkTdr = (m: TdxModule, lo: number, hi: number, op: number, take: number): Status => {
  const last = m.td.words;
  const tdr = last[TD_WORD.TDR_FRAME]!;
  const isLast = last[TD_WORD.ALIVE] === 1 && (lo | 0) === tdr << 12 && hi === tdr >>> 20;
  if (!isLast || m.frameLocks.any) {
    const refused = checkPage(m, lo, hi, PAGE_TYPE.TDR, op);
    if (refused !== SUCCESS) return refused;
    m.td = ownerOf(m, m.frame);
  }
  return isTdrBusy(m.td, take) ? withDetails(BUSY, op) : SUCCESS;
};

/** Whether taking the TDR fails: somebody holds it, as every vCPU does, shared, while it runs its guest. */
const isTdrBusy = (td: Td, take: number): boolean => {
  const exclusive = take === TAKE_EXCLUSIVE;
  if (exclusive && td.vcpusInside !== 0) return true;
  return td.locks.any && td.locks.isBusy(LOCK.TDR, exclusive);
};

/** The TD that owns the 4 KiB page at `frame`. */
const ownerOf = (m: TdxModule, frame: number): Td => {
  const owner = m.pamt.ownerAt(frame, SIZE_4K);
  assert(owner !== NO_OWNER, "a page of a TD has an owner");
  return m.tds[owner - 1]!;
};

/** The vCPU whose TDVPR an operand names, and its TD. Leaves them in `m.vcpu` and `m.td`. */
export const checkTdvpr = (m: TdxModule, lo: number, hi: number, op: number, take: number): Status => {
  const refused = checkPage(m, lo, hi, PAGE_TYPE.TDVPR, op);
  if (refused !== SUCCESS) return refused;
  m.td = ownerOf(m, m.frame);
  m.vcpu = vcpuOf(m.td, m.frame);
  return isTdrBusy(m.td, take) ? BUSY_TDR : SUCCESS;
};

const vcpuOf = (td: Td, frame: number): number => {
  for (let vcpu = 0; vcpu < td.vcpuCount; vcpu++) {
    if (td.vcpu(vcpu, VCPU_WORD.TDVPR_FRAME) === frame) return vcpu;
  }
  throw new Error("a TDVPR page belongs to a vCPU");
};

/** Whether the vCPU in `m.vcpu` has all pages of its TDVPS. */
export const checkTdvps = (m: TdxModule): Status =>
  m.td.vcpu(m.vcpu, VCPU_WORD.PAGES) < TDVPS_PAGES ? TDCX_INCORRECT : SUCCESS;

/** Life cycle, TDCS and operation state of `m.td`, as every leaf that works on a built TD checks them. */
export const checkTdState = (m: TdxModule, leaf: number, take: number): Status => {
  const words = m.td.words;
  if (words[TD_WORD.FATAL] !== 0) return FATAL;
  if (words[TD_WORD.LIFECYCLE] !== LIFECYCLE.KEYS_CONFIGURED) return NO_KEYS;
  if (words[TD_WORD.TDCX_COUNT]! < TDCS_PAGES) return NO_TDCS;
  const { locks } = m.td;
  if (locks.any && take !== NO_LOCK && locks.isBusy(LOCK.OP_STATE, take === TAKE_EXCLUSIVE))
    return BUSY_OP_STATE;
  const opState = words[TD_WORD.OP_STATE]!;
  if (((OP_STATES_ALLOWED[leaf]! >> opState) & 1) === 0) return withDetails(WRONG_OP_STATE, opState);
  return SUCCESS;
};
