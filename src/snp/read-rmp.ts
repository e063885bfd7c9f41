import { RMP_ENTRY, RMP_ENTRY_BYTES, RMP_HEAD_BYTES } from "../abi/snp/rmp-entry.ts";

/** A dump of an RMP contradicts itself. One line: where in it, what stands there, and why that cannot be. */
export class RmpError extends Error {
  override name = "RmpError";
  /** Bytes from the start of the dump. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;

  constructor(what: string, offset: number, expected: string, found: string) {
    super(`${what}: expected ${expected}, found ${found}`);
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }
}

/** An entry that is assigned. */
export interface RmpDumpEntry {
  /** Host frame, from the first one that the table describes. */
  readonly frame: number;
  readonly pages: 1 | 512;
  readonly gfn: number;
  readonly asid: number;
  readonly validated: boolean;
}

const PAGES = 512;
/** Address space numbers of guests begin at 1; 0 is firmware's. */
const FIRMWARE = 0n;
/** Guest-physical pages have 39 bits. */
const GFNS = 2 ** 39;

const offsetOf = (index: number): number => RMP_HEAD_BYTES + index * RMP_ENTRY_BYTES;

const refuse = (index: number, found: string, expected: string): never => {
  const offset = offsetOf(index);
  throw new RmpError(`RMP entry ${index} at offset 0x${offset.toString(16)}`, offset, expected, found);
};

/** What one entry says by itself. */
const readEntry = (view: DataView, offset: number, index: number): RmpDumpEntry | undefined => {
  const raw = view.getBigUint64(offset, true);
  const high = view.getBigUint64(offset + 8, true);
  if (raw === 0n && high === 0n) return undefined;
  const fields = RMP_ENTRY.decode(raw);
  const found = `0x${raw.toString(16)}`;
  if ((raw & RMP_ENTRY.reserved) !== 0n) refuse(index, found, "no reserved bit set");
  if (high !== 0n) refuse(index, `0x${high.toString(16)} there`, "a high quadword of 0");
  const large = fields.pageSize === 1n;
  if (fields.assigned === 0n) {
    if (fields.validated === 1n || fields.vmsa === 1n)
      refuse(index, found, "an assigned page where it is validated");
    return undefined;
  }
  if (large && index % PAGES !== 0) refuse(index, found, "a 2 MiB entry at a multiple of 512");
  if (large && fields.gpaPage % BigInt(PAGES) !== 0n)
    refuse(index, found, "a 2 MiB entry of a 2 MiB guest page");
  if (large && fields.vmsa === 1n) refuse(index, found, "a save area of 4 KiB");
  if (fields.validated === 1n && fields.asid === FIRMWARE)
    refuse(index, found, "a guest's page where it is validated");
  const [gfn, asid] = [Number(fields.gpaPage), Number(fields.asid)];
  return { frame: index, pages: large ? PAGES : 1, gfn, asid, validated: fields.validated === 1n };
};

/**
 * Reads a dump of an RMP as it lies in memory, piece by piece: 16 KiB of head, then 16 bytes a page of 4 KiB.
 *
 * The first contradiction ends it: a length that is no whole number of entries, a reserved bit, a page that is validated and
 * not assigned, a 2 MiB entry off its place or with assigned pages inside, two validated pages for one guest address.
 *
 * @source Linux arch/x86/virt/svm/sev.c
 */
export class RmpReader {
  private readonly onEntry: (entry: RmpDumpEntry) => void;
  private readonly claims = new Claims();
  private tail = new Uint8Array();
  /** Bytes taken, those of `tail` left out. */
  private taken = 0;
  private largeEnd = 0;

  constructor(onEntry: (entry: RmpDumpEntry) => void) {
    this.onEntry = onEntry;
  }

  /** Pages that the table describes, as far as it was read. */
  get pages(): number {
    return Math.max(0, Math.floor((this.taken - RMP_HEAD_BYTES) / RMP_ENTRY_BYTES));
  }

  /** @throws RmpError at the first contradiction */
  push(chunk: Uint8Array): void {
    const bytes = this.tail.length === 0 ? chunk : joined(this.tail, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = Math.min(bytes.length, Math.max(0, RMP_HEAD_BYTES - this.taken));
    for (; at + RMP_ENTRY_BYTES <= bytes.length; at += RMP_ENTRY_BYTES) {
      const index = (this.taken + at - RMP_HEAD_BYTES) / RMP_ENTRY_BYTES;
      const entry = readEntry(view, at, index);
      if (entry !== undefined) this.take(entry);
    }
    this.taken += at;
    this.tail = bytes.slice(at);
  }

  /** @throws RmpError for a table that is cut */
  end(): void {
    const length = this.taken + this.tail.length;
    if (length >= RMP_HEAD_BYTES && this.tail.length === 0) return;
    const expected = `${RMP_HEAD_BYTES} bytes and a multiple of ${RMP_ENTRY_BYTES}`;
    throw new RmpError("RMP", this.taken, expected, `${length} bytes`);
  }

  private take(entry: RmpDumpEntry): void {
    const { frame } = entry;
    if (frame < this.largeEnd)
      refuse(frame, "an assigned page", `none inside the 2 MiB entry ${this.largeEnd - PAGES}`);
    if (entry.pages === PAGES) this.largeEnd = frame + PAGES;
    if (entry.validated) this.claims.claim(entry);
    this.onEntry(entry);
  }
}

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
};

/** Two validated pages for one address of one guest are what the RMP exists to prevent. */
class Claims {
  /** By guest and page, or guest and 2 MiB: the entry that has it validated. */
  private readonly small = new Map<number, number>();
  private readonly large = new Map<number, number>();
  /** Guest and 2 MiB in which there are small pages. */
  private readonly mixed = new Set<number>();

  claim({ frame, pages, gfn, asid }: RmpDumpEntry): void {
    const key = asid * GFNS + gfn;
    const unit = asid * GFNS + Math.floor(gfn / PAGES);
    const other = this.large.get(unit);
    if (other !== undefined) this.refuse(frame, asid, gfn, other);
    if (pages === PAGES) {
      if (this.mixed.has(unit)) this.refuseMixed(frame, asid, gfn);
      this.large.set(unit, frame);
      return;
    }
    const same = this.small.get(key);
    if (same !== undefined) this.refuse(frame, asid, gfn, same);
    this.small.set(key, frame);
    this.mixed.add(unit);
  }

  private refuseMixed(frame: number, asid: number, first: number): void {
    for (let gfn = first; gfn < first + PAGES; gfn++) {
      const other = this.small.get(asid * GFNS + gfn);
      if (other !== undefined) this.refuse(frame, asid, gfn, other);
    }
  }

  private refuse(frame: number, asid: number, gfn: number, other: number): never {
    const address = `0x${(gfn * 4096).toString(16)} of guest ${asid}`;
    return refuse(
      frame,
      `a page that is validated for ${address}`,
      `one such page, and entry ${other} is one`,
    );
  }
}

/** The assigned entries of a whole dump, in order. @throws RmpError as RmpReader */
export const readRmp = (bytes: Uint8Array): RmpDumpEntry[] => {
  const entries: RmpDumpEntry[] = [];
  const reader = new RmpReader((entry) => entries.push(entry));
  reader.push(bytes);
  reader.end();
  return entries;
};

/**
 * Whether the bytes from the start of a file on can be those of an RMP: every entry is one as far as it can tell by itself, and at
 * least one is assigned. Memory that is all zero could be anything.
 */
export const looksLikeRmp = (head: Uint8Array): boolean => {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let assigned = 0;
  try {
    for (let index = 0; offsetOf(index + 1) <= head.length; index++)
      if (readEntry(view, offsetOf(index), index) !== undefined) assigned++;
  } catch (error) {
    if (!(error instanceof RmpError)) throw error;
    return false;
  }
  return assigned > 0;
};
