import { DecodeError, type FieldsOf, struct } from "../bytes.ts";

/** The header of every ACPI table but the RSDP and the FACS. @source ACPI 6.5, 5.2.6 */
export const ACPI_TABLE_HEADER = struct("ACPI table header", 36, {
  signature: [0, "ascii:4"],
  length: [4, "u32"], // bytes of the whole table
  revision: [8, "u8"],
  checksum: [9, "u8"], // makes all bytes of the table sum to 0 modulo 256
  oemId: [10, "ascii:6"],
  oemTableId: [16, "ascii:8"],
  oemRevision: [24, "u32"],
  creatorId: [28, "ascii:4"],
  creatorRevision: [32, "u32"],
});
export type AcpiTableHeader = FieldsOf<typeof ACPI_TABLE_HEADER>;

/** Who made a table: the fields of its header that say so. */
export type AcpiTableMaker = Pick<
  AcpiTableHeader,
  "oemId" | "oemTableId" | "oemRevision" | "creatorId" | "creatorRevision"
>;

/** The maker's marks in QEMU's tables. @source QEMU include/hw/acpi/aml-build.h */
export const QEMU_TABLE_MAKER: AcpiTableMaker = {
  oemId: "BOCHS ",
  oemTableId: "BXPC    ",
  oemRevision: 1,
  creatorId: "BXPC",
  creatorRevision: 1,
};

/** Sum of bytes modulo 256. A good checksum makes it 0. */
export const byteSum = (bytes: Uint8Array): number => {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i]!;
  return sum & 0xff;
};

/** A table of this content: its header in front, length and checksum right. */
export const acpiTable = (
  signature: string,
  revision: number,
  body: Uint8Array,
  maker: AcpiTableMaker = QEMU_TABLE_MAKER,
): Uint8Array => {
  const length = ACPI_TABLE_HEADER.size + body.length;
  const bytes = new Uint8Array(length);
  bytes.set(ACPI_TABLE_HEADER.encode({ signature, length, revision, checksum: 0, ...maker }));
  bytes.set(body, ACPI_TABLE_HEADER.size);
  ACPI_TABLE_HEADER.put(bytes, "checksum", (256 - byteSum(bytes)) & 0xff);
  return bytes;
};

/**
 * The header of a table that must have this signature, be `least` bytes long at least, and lie whole in `bytes`.
 *
 * @throws DecodeError otherwise
 */
export const decodeTableHeader = (bytes: Uint8Array, signature: string, least: number): AcpiTableHeader => {
  const header = ACPI_TABLE_HEADER.decode(bytes);
  const quoted = JSON.stringify(header.signature);
  if (header.signature !== signature) throw new DecodeError(signature, 0, `signature "${signature}"`, quoted);
  if (header.length < least)
    throw new DecodeError(signature, 4, `a length of ${least} or more`, `${header.length}`);
  if (header.length > bytes.length) {
    throw new DecodeError(
      signature,
      4,
      `a length of at most ${bytes.length}, the bytes there are`,
      `${header.length}`,
    );
  }
  return header;
};
