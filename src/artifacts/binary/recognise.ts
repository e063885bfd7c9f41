import { ACPI_TABLE_HEADER, byteSum } from "../../abi/acpi/table-header.ts";
import { LISTED_SIGNATURES } from "../../abi/acpi/table-listing.ts";
import { RMP_ENTRY_BYTES, RMP_HEAD_BYTES } from "../../abi/snp/rmp-entry.ts";
import { looksLikeRmp } from "../../snp/read-rmp.ts";
import { readCutHeader, readHeader } from "./unaccepted-table.ts";

/** Bytes from the start of a file by which its kind is told. */
export const HEAD_BYTES = 2 ** 16;

export type BinaryKind = "ACPI table" | "unaccepted-memory table" | "tar archive" | "RMP dump" | "binary";
export type Recognised =
  | { readonly kind: BinaryKind }
  | { readonly kind: "text" }
  | { readonly kind: "empty" };

/** Why a file is not of a kind, for the message about a file that is nothing known. */
export interface NoFit {
  readonly kind: string;
  readonly why: string;
}

const quoted = (bytes: Uint8Array): string =>
  JSON.stringify(String.fromCharCode(...bytes).replace(/[^ -~]/g, "?"));

const acpiTable = (head: Uint8Array): string | undefined => {
  if (head.length < ACPI_TABLE_HEADER.size) return `${head.length} bytes, fewer than a header of 36`;
  const { signature, length } = ACPI_TABLE_HEADER.decode(head);
  if (!/^[A-Z0-9_]{4}$/.test(signature)) return `${quoted(head.subarray(0, 4))} at byte 0 is no signature`;
  if (LISTED_SIGNATURES.includes(signature)) return undefined;
  if (length < ACPI_TABLE_HEADER.size) return `a length of ${length} at byte 4, below that of a header`;
  const whole = length <= head.length && byteSum(head.subarray(0, length)) === 0;
  return whole || head.length === HEAD_BYTES ? undefined : "the bytes do not sum to 0 as those of a table do";
};

/** Where a tar header has its magic number, and the number. */
const MAGIC_AT = 257;
const TAR_BLOCK = 512;

const tarArchive = (head: Uint8Array): string | undefined => {
  if (head.length < TAR_BLOCK) return `${head.length} bytes, fewer than a block of 512`;
  const magic = String.fromCharCode(...head.subarray(MAGIC_AT, MAGIC_AT + 5));
  return magic === "ustar" ? undefined : 'no "ustar" at byte 257';
};

const unaccepted = (head: Uint8Array, size: number | undefined): string | undefined => {
  const header = readHeader(head, size ?? Number.MAX_SAFE_INTEGER);
  if (typeof header !== "string") return undefined;
  return size !== undefined && readCutHeader(head, size) !== undefined ? undefined : header;
};

const rmp = (head: Uint8Array, size: number | undefined): string | undefined => {
  const odd = size !== undefined && size % RMP_ENTRY_BYTES !== 0;
  if (odd) return `${size} bytes, no multiple of ${RMP_ENTRY_BYTES}`;
  if (head.length <= RMP_HEAD_BYTES) return `${head.length} bytes, no more than a head of ${RMP_HEAD_BYTES}`;
  return looksLikeRmp(head)
    ? undefined
    : `from byte ${RMP_HEAD_BYTES} on nothing that is assigned, or other than entries (--rmp reads it all the same)`;
};

const NUL = 0;
/** One byte in so many may be no text: serial lines lose bits. */
const NOISE = 16;

const isText = (head: Uint8Array): boolean => {
  let odd = 0;
  for (const byte of head) {
    if (byte === NUL) odd += NOISE;
    else if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d && byte !== 0x1b) odd++;
  }
  return odd * NOISE <= head.length;
};

/**
 * Tells what a file is by its first bytes.
 *
 * @param size bytes of the whole file, where it is known
 * @returns the kind, and why each kind that was tried before it did not fit
 */
export const recognise = (
  head: Uint8Array,
  size: number | undefined,
): { readonly is: Recognised; readonly not: readonly NoFit[] } => {
  if (head.length === 0) return { is: { kind: "empty" }, not: [] };
  const not: NoFit[] = [];
  const tries: readonly (readonly [BinaryKind, string | undefined])[] = [
    ["ACPI table", acpiTable(head)],
    ["tar archive", tarArchive(head)],
    ["unaccepted-memory table", unaccepted(head, size)],
    ["RMP dump", rmp(head, size)],
  ];
  // A text may start with four capitals.
  const text = isText(head);
  for (const [kind, why] of tries) {
    if (why === undefined && (kind !== "ACPI table" || !text)) return { is: { kind }, not };
    not.push({ kind, why: why ?? "the bytes are those of a text" });
  }
  return { is: { kind: text ? "text" : "binary" }, not };
};
