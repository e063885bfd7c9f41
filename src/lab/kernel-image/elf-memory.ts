import { type Elf, SEGMENT_TYPE, type Segment } from "./elf.ts";
import type { SymbolTable } from "./symbol-table.ts";

/** Which of a segment's two addresses is meant. */
export type AddressKind = "vaddr" | "paddr";

const holds = (segment: Segment, kind: AddressKind, address: bigint, length: number): boolean =>
  segment.type === SEGMENT_TYPE.LOAD &&
  segment[kind] <= address &&
  address + BigInt(length) <= segment[kind] + segment.filesz;

/**
 * The image's bytes at an address it is linked for, before any relocation.
 *
 * @returns a view of the file; undefined if the range is not wholly in the file's part of one segment
 */
export const bytesAt = (
  elf: Elf,
  address: bigint,
  length: number,
  kind: AddressKind = "vaddr",
): Uint8Array | undefined => {
  const segment = elf.segments.find((each) => holds(each, kind, address, length));
  if (segment === undefined) return undefined;
  const start = Number(address - segment[kind]);
  return segment.bytes.subarray(start, start + length);
};

/** The address that a byte of the file is linked for; undefined if it is in no loaded segment. */
export const addressOfOffset = (
  elf: Elf,
  offset: number,
  kind: AddressKind = "vaddr",
): bigint | undefined => {
  const at = BigInt(offset);
  const inside = (each: Segment): boolean =>
    each.type === SEGMENT_TYPE.LOAD && each.offset <= at && at < each.offset + each.filesz;
  const segment = elf.segments.find(inside);
  return segment === undefined ? undefined : segment[kind] + (at - segment.offset);
};

/** Physical address that a virtual address of the image is linked for; undefined if no segment has it. */
export const physicalOf = (elf: Elf, address: bigint): bigint | undefined => {
  const inside = (each: Segment): boolean =>
    each.type === SEGMENT_TYPE.LOAD && each.vaddr <= address && address < each.vaddr + each.memsz;
  const segment = elf.segments.find(inside);
  return segment === undefined ? undefined : address - segment.vaddr + segment.paddr;
};

/** The image's bytes from one symbol up to another, as linked; undefined if it does not have both, or not the bytes. */
export const bytesBetween = (
  elf: Elf,
  symbols: SymbolTable,
  first: string,
  last: string,
): Uint8Array | undefined => {
  const start = symbols.addressOf(first);
  const end = symbols.addressOf(last);
  if (start === undefined || end === undefined || end < start) return undefined;
  return bytesAt(elf, start, Number(end - start));
};
