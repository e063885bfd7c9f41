import { RMP_ENTRY, RMP_ENTRY_BYTES, RMP_HEAD_BYTES } from "../abi/snp/rmp-entry.ts";

/** A dump of an RMP contradicts itself. One line: where in it, what stands there, and why that cannot be. */
export class RmpError extends Error {
  override name = "RmpError";
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

const at = (index: number): string => {
  const offset = RMP_HEAD_BYTES + index * RMP_ENTRY_BYTES;
  return `RMP entry ${index} at offset 0x${offset.toString(16)}`;
};

const refuse = (index: number, found: string, expected: string): never => {
  throw new RmpError(`${at(index)}: expected ${expected}, found ${found}`);
};

/** What one entry says by itself. */
const readEntry = (view: DataView, index: number): RmpDumpEntry | undefined => {
  const offset = RMP_HEAD_BYTES + index * RMP_ENTRY_BYTES;
  const raw = view.getBigUint64(offset, true);
  const fields = RMP_ENTRY.decode(raw);
  const found = `0x${raw.toString(16)}`;
  if ((raw & RMP_ENTRY.reserved) !== 0n) refuse(index, found, "no reserved bit set");
  if (view.getBigUint64(offset + 8, true) !== 0n)
    refuse(index, "another high quadword", "a high quadword of 0");
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
 * Reads a dump of an RMP as it lies in memory: 16 KiB of head, then 16 bytes a page of 4 KiB.
 *
 * @returns the assigned entries in order
 * @throws RmpError at the first contradiction: a length that is no whole number of entries, a reserved bit, a page that is validated and
 *   not assigned, a 2 MiB entry off its place or with assigned pages inside, two validated pages for one guest address
 * @source Linux arch/x86/virt/svm/sev.c
 */
export const readRmp = (bytes: Uint8Array): RmpDumpEntry[] => {
  const length = bytes.length - RMP_HEAD_BYTES;
  if (length < 0 || length % RMP_ENTRY_BYTES !== 0) {
    const expected = `${RMP_HEAD_BYTES} bytes and a multiple of ${RMP_ENTRY_BYTES}`;
    throw new RmpError(`RMP: expected ${expected}, found ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: RmpDumpEntry[] = [];
  const owners = new Map<string, number>();
  let largeEnd = 0;
  for (let index = 0; index < length / RMP_ENTRY_BYTES; index++) {
    const entry = readEntry(view, index);
    if (entry === undefined) continue;
    if (index < largeEnd)
      refuse(index, "an assigned page", `none inside the 2 MiB entry ${largeEnd - PAGES}`);
    if (entry.pages === PAGES) largeEnd = index + PAGES;
    entries.push(entry);
    if (entry.validated) claim(owners, entry);
  }
  return entries;
};

/** Two validated pages for one address of one guest are what the RMP exists to prevent. */
const claim = (owners: Map<string, number>, { frame, pages, gfn, asid }: RmpDumpEntry): void => {
  for (let page = 0; page < pages; page++) {
    const key = `${asid} ${gfn + page}`;
    const other = owners.get(key);
    if (other !== undefined) {
      const address = `0x${((gfn + page) * 4096).toString(16)} of guest ${asid}`;
      refuse(frame, `a page that is validated for ${address}`, `one such page, and entry ${other} is one`);
    }
    owners.set(key, frame);
  }
};
