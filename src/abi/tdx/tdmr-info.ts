import { assert } from "../../assert.ts";

/** Bytes of TDMR_INFO, which is also its alignment. */
export const TDMR_INFO_BYTES = 512;
/** Reserved areas that fit the structure. The module reports how many it takes (MAX_RESERVED_PER_TDMR). */
export const MAX_RESERVED_AREAS = 28;

/** A run of bytes by its start and its length. */
export interface Region {
  readonly base: bigint;
  readonly size: bigint;
}

/**
 * TDMR_INFO: one trust domain memory region, where its metadata tables lie, and the parts of it that stay
 * outside TDX.
 *
 * @source TDX module 1.5.25, TDMR_INFO
 */
export interface TdmrInfo {
  readonly base: bigint;
  readonly size: bigint;
  readonly pamt1G: Region;
  readonly pamt2M: Region;
  readonly pamt4K: Region;
  /** Offsets from `base`. A size of zero ends the list. */
  readonly reserved: readonly { readonly offset: bigint; readonly size: bigint }[];
}

const RESERVED_AT = 64;

/** The structure as bytes. */
export const encodeTdmrInfo = (info: TdmrInfo): Uint8Array => {
  const bytes = new Uint8Array(TDMR_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  assert(
    info.reserved.length <= MAX_RESERVED_AREAS,
    () => `at most ${MAX_RESERVED_AREAS} reserved areas fit`,
  );
  const { pamt1G, pamt2M, pamt4K } = info;
  const words = [info.base, info.size];
  for (const region of [pamt1G, pamt2M, pamt4K]) words.push(region.base, region.size);
  for (const area of info.reserved) words.push(area.offset, area.size);
  words.forEach((value, i) => {
    view.setBigUint64(8 * i, value, true);
  });
  return bytes;
};

/** Reads the structure. Total: any 512 bytes decode. */
export const decodeTdmrInfo = (bytes: Uint8Array): TdmrInfo => {
  assert(bytes.length === TDMR_INFO_BYTES, () => `TDMR_INFO is ${TDMR_INFO_BYTES} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = (offset: number): bigint => view.getBigUint64(offset, true);
  const region = (offset: number): Region => ({ base: at(offset), size: at(offset + 8) });
  const reserved: { offset: bigint; size: bigint }[] = [];
  for (let offset = RESERVED_AT; offset < TDMR_INFO_BYTES; offset += 16) {
    if (at(offset + 8) === 0n) break;
    reserved.push({ offset: at(offset), size: at(offset + 8) });
  }
  return { ...region(0), pamt1G: region(16), pamt2M: region(32), pamt4K: region(48), reserved };
};

/**
 * The first `count` reserved areas as they stand, empty ones among them, for whoever must find an empty one in front of
 * another.
 */
export const decodeReservedAreas = (bytes: Uint8Array, count: number): TdmrInfo["reserved"] => {
  assert(bytes.length === TDMR_INFO_BYTES && count <= MAX_RESERVED_AREAS, "the areas lie in the structure");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: count }, (_, i) => ({
    offset: view.getBigUint64(RESERVED_AT + 16 * i, true),
    size: view.getBigUint64(RESERVED_AT + 16 * i + 8, true),
  }));
};

/** Bytes of one PAMT entry, of each size class. */
export const PAMT_ENTRY_BYTES = 16n;
const PAMT_GRAIN = 4096n;

/** Bytes that a TDMR's metadata table for pages of `pageBytes` needs, in whole 4 KiB pages. */
export const pamtBytes = (tdmrSize: bigint, pageBytes: bigint): bigint => {
  const bytes = (tdmrSize / pageBytes) * PAMT_ENTRY_BYTES;
  return ((bytes + PAMT_GRAIN - 1n) / PAMT_GRAIN) * PAMT_GRAIN;
};

/** Entries of a convertible memory range list. */
export const MAX_CMRS = 32;
export const CMR_LIST_BYTES = 16 * MAX_CMRS;

/**
 * The convertible memory ranges: the memory that may become private at all. A size of zero ends the list.
 *
 * @source TDX module 1.5.25, CMR_INFO
 */
export const decodeCmrList = (bytes: Uint8Array): readonly Region[] => {
  assert(bytes.length === CMR_LIST_BYTES, () => `a CMR list is ${CMR_LIST_BYTES} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const list: Region[] = [];
  for (let at = 0; at < CMR_LIST_BYTES; at += 16) {
    const size = view.getBigUint64(at + 8, true);
    if (size === 0n) break;
    list.push({ base: view.getBigUint64(at, true), size });
  }
  return list;
};

export const encodeCmrList = (list: readonly Region[]): Uint8Array => {
  assert(list.length <= MAX_CMRS, () => `at most ${MAX_CMRS} convertible memory ranges fit`);
  const bytes = new Uint8Array(CMR_LIST_BYTES);
  const view = new DataView(bytes.buffer);
  list.forEach(({ base, size }, i) => {
    view.setBigUint64(16 * i, base, true);
    view.setBigUint64(16 * i + 8, size, true);
  });
  return bytes;
};
