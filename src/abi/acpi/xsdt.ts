import { DecodeError, struct } from "../bytes.ts";
import {
  ACPI_TABLE_HEADER,
  type AcpiTableMaker,
  acpiTable,
  byteSum,
  decodeTableHeader,
} from "./table-header.ts";

/** One pointer. They start at byte 36 and so are never aligned. @source ACPI 6.5, 5.2.8 */
export const XSDT_ENTRY = struct("XSDT entry", 8, { address: [0, "u64"] });

/** An XSDT that points to these guest-physical byte addresses. */
export const xsdt = (addresses: readonly bigint[], maker?: AcpiTableMaker): Uint8Array => {
  const body = new Uint8Array(addresses.length * XSDT_ENTRY.size);
  for (const [i, address] of addresses.entries())
    body.set(XSDT_ENTRY.encode({ address }), i * XSDT_ENTRY.size);
  return acpiTable("XSDT", 1, body, maker);
};

/** The pointers in an XSDT. @throws DecodeError unless signature, length and checksum are right */
export const decodeXsdt = (bytes: Uint8Array): bigint[] => {
  const { length } = decodeTableHeader(bytes, "XSDT", ACPI_TABLE_HEADER.size);
  const sum = byteSum(bytes.subarray(0, length));
  if (sum !== 0) throw new DecodeError("XSDT", 9, "bytes that sum to 0", `a sum of ${sum}`);
  const count = Math.floor((length - ACPI_TABLE_HEADER.size) / XSDT_ENTRY.size);
  return Array.from({ length: count }, (_, i) =>
    XSDT_ENTRY.get(bytes, "address", ACPI_TABLE_HEADER.size + i * XSDT_ENTRY.size),
  );
};
