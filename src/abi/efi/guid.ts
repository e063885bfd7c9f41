import { assert } from "../../assert.ts";
import { DecodeError } from "../bytes.ts";

/** A GUID in its text form, lower case: "d5d1de3c-105c-44f9-9ea9-bcef98120031". */
export type Guid = string;
export const GUID_BYTES = 16;

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** The first three groups lie little-endian in memory, the rest as written. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** The 16 bytes of a GUID as they lie in memory. The text must be in lower case. */
export const guidBytes = (guid: Guid): Uint8Array => {
  assert(FORM.test(guid), () => `${guid} is a GUID`);
  const digits = guid.replaceAll("-", "");
  return Uint8Array.from(ORDER, (i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
};

/** The text of the GUID at byte `at`. @throws DecodeError if fewer than 16 bytes lie there */
export const guidText = (bytes: Uint8Array, at = 0): Guid => {
  if (bytes.length - at < GUID_BYTES) {
    throw new DecodeError("GUID", at, "16 bytes", `${Math.max(0, bytes.length - at)}`);
  }
  const digits = ORDER.map((i) => bytes[at + i]!.toString(16).padStart(2, "0")).join("");
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(1)
    .map((end, i) => digits.slice(cuts[i], end))
    .join("-");
};

/**
 * The GUIDs this project meets.
 *
 * @source Linux include/linux/efi.h; UEFI 2.10; the SEV protocol: EDK2 OvmfPkg
 */
export const EFI_GUID = {
  LINUX_UNACCEPTED_MEM_TABLE: "d5d1de3c-105c-44f9-9ea9-bcef98120031",
  ACPI_20_TABLE: "8868e871-e4f1-11d3-bc22-0080c73c8881",
  ACPI_10_TABLE: "eb9d2d30-2d88-11d3-9a16-0090273fc14d",
  SEV_MEMORY_ACCEPTANCE_PROTOCOL: "c5a010fe-38a7-4531-8a4a-0500d2fd1649",
} as const satisfies Record<string, Guid>;
