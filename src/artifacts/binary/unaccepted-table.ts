import { DecodeError } from "../../abi/bytes.ts";
import {
  EFI_UNACCEPTED_UNIT_SIZE,
  UNACCEPTED_TABLE_HEADER,
  type UnacceptedTableVersion,
  unacceptedTableBytes,
} from "../../abi/efi/unaccepted-table.ts";
import { ADDRESS_LIMIT, type FactBody, type Range } from "../facts.ts";

/** Bytes of a file or a dump, by offset. It answers fewer where the file ends. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/** Runs that are kept of one bitmap; a bitmap with more is read to its end all the same. */
export const MOST_RUNS = 10_000;
const PIECE = 2 ** 20;
const SMALLEST_UNIT = 4096;

export interface UnacceptedHeader {
  readonly version: UnacceptedTableVersion;
  readonly unit: number;
  readonly physBase: number;
  /** Bytes of one bitmap. */
  readonly size: number;
}

/** The header by itself, or why the bytes are none. */
const headerOf = (bytes: Uint8Array): UnacceptedHeader | string => {
  if (bytes.length < UNACCEPTED_TABLE_HEADER.size) return `${bytes.length} bytes, fewer than a header of 24`;
  const { version, unitSize, physBase, size } = UNACCEPTED_TABLE_HEADER.decode(bytes);
  if (version !== 1 && version !== 2) return `version ${version} at byte 0, not 1 or 2`;
  if (unitSize < SMALLEST_UNIT || (unitSize & (unitSize - 1)) !== 0)
    return `unit size ${unitSize} at byte 4, no power of two of a page or more`;
  if (physBase % BigInt(unitSize) !== 0n) return "a base at byte 8 that is no multiple of the unit";
  const end = physBase + size * 8n * BigInt(unitSize);
  if (end > BigInt(ADDRESS_LIMIT)) return "a window at byte 8 that ends behind 2^52";
  return { version, unit: unitSize, physBase: Number(physBase), size: Number(size) };
};

/** The header, or why the bytes are no table. @param there bytes that the table may take, header included */
export const readHeader = (bytes: Uint8Array, there: number): UnacceptedHeader | string => {
  const header = headerOf(bytes);
  if (typeof header === "string") return header;
  const { version, size } = header;
  const whole = unacceptedTableBytes(version, size);
  return whole > there ? `bitmaps of ${size} bytes at byte 16, in ${there} bytes in all` : header;
};

/**
 * The header of a table whose bitmaps are cut off; undefined if the bytes are that of no table.
 *
 * Little speaks for a table that is not whole, so its unit has to be the one that Linux uses on x86.
 */
export const readCutHeader = (bytes: Uint8Array, there: number): UnacceptedHeader | undefined => {
  const header = headerOf(bytes);
  if (typeof header === "string" || header.unit !== EFI_UNACCEPTED_UNIT_SIZE || header.size === 0)
    return undefined;
  const isCut =
    UNACCEPTED_TABLE_HEADER.size < there && there < unacceptedTableBytes(header.version, header.size);
  return isCut ? header : undefined;
};

/** Puts together runs of set bits that come bit by bit and byte by byte. */
class Runs {
  readonly runs: Range[] = [];
  private start = -1;

  byte(value: number, firstBit: number, header: UnacceptedHeader): void {
    if (value === 0 || value === 0xff) this.bits(value !== 0, firstBit, header);
    else for (let bit = 0; bit < 8; bit++) this.bits((value & (1 << bit)) !== 0, firstBit + bit, header);
  }

  bits(set: boolean, bit: number, header: UnacceptedHeader): void {
    if (set === this.start >= 0) return;
    const at = header.physBase + bit * header.unit;
    if (set) this.start = at;
    else {
      if (this.runs.length < MOST_RUNS) this.runs.push({ start: this.start, end: at });
      this.start = -1;
    }
  }
}

const readRuns = (readAt: ReadAt, offset: number, header: UnacceptedHeader): Range[] => {
  const runs = new Runs();
  for (let done = 0; done < header.size; done += PIECE) {
    const want = Math.min(PIECE, header.size - done);
    const bytes = readAt(offset + done, want);
    if (bytes.length < want)
      throw new DecodeError("unaccepted-memory table", offset + done, `${want} bytes`, `${bytes.length}`);
    for (let i = 0; i < want; i++) runs.byte(bytes[i]!, (done + i) * 8, header);
  }
  runs.bits(false, header.size * 8, header);
  return runs.runs;
};

/**
 * The unaccepted-memory table at `offset`, version 1 or 2.
 *
 * @returns why it is none, if it is none
 * @throws DecodeError if the file got shorter meanwhile
 */
export const readUnacceptedTable = (readAt: ReadAt, offset: number, there: number): FactBody | string => {
  const header = readHeader(readAt(offset, UNACCEPTED_TABLE_HEADER.size), there);
  if (typeof header === "string") return header;
  const { version, unit, physBase, size } = header;
  const first = offset + UNACCEPTED_TABLE_HEADER.size;
  return {
    kind: "unaccepted-table",
    version,
    unit,
    size,
    start: physBase,
    end: physBase + size * 8 * unit,
    unaccepted: readRuns(readAt, first, header),
    plugged: version === 2 ? readRuns(readAt, first + size, header) : undefined,
  };
};

/** What is there of a table that is cut off: the bits that come before its end. Undefined if it is no such table. */
export const readCutTable = (readAt: ReadAt, there: number): FactBody | undefined => {
  const header = readCutHeader(readAt(0, UNACCEPTED_TABLE_HEADER.size), there);
  if (header === undefined) return undefined;
  const { version, unit, physBase } = header;
  const first = UNACCEPTED_TABLE_HEADER.size;
  const size = Math.min(header.size, there - first);
  const unaccepted = readRuns(readAt, first, { ...header, size });
  const end = physBase + size * 8 * unit;
  return {
    kind: "unaccepted-table",
    version,
    unit,
    size,
    start: physBase,
    end,
    unaccepted,
    plugged: undefined,
  };
};
