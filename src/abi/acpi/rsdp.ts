import { DecodeError, type FieldsOf, struct } from "../bytes.ts";
import { byteSum, QEMU_TABLE_MAKER } from "./table-header.ts";

/** The root pointer of ACPI 2.0 and later. @source ACPI 6.5, 5.2.5.3 */
export const RSDP = struct("RSDP", 36, {
  signature: [0, "ascii:8"],
  checksum: [8, "u8"], // over the first 20 bytes
  oemId: [9, "ascii:6"],
  revision: [15, "u8"], // 2 or more
  rsdtAddress: [16, "u32"],
  length: [20, "u32"], // bytes
  xsdtAddress: [24, "u64"], // guest-physical byte address
  extendedChecksum: [32, "u8"], // over `length` bytes
  reserved: [33, "bytes:3"],
});
export type Rsdp = FieldsOf<typeof RSDP>;

export const RSDP_SIGNATURE = "RSD PTR ";
/** Bytes that the first checksum covers: the structure of ACPI 1.0. */
const FIRST_PART = 20;

/** An RSDP of revision 2 with right checksums. */
export const rsdp = (xsdtAddress: bigint, oemId: string = QEMU_TABLE_MAKER.oemId): Uint8Array => {
  const bytes = RSDP.encode({
    signature: RSDP_SIGNATURE,
    checksum: 0,
    oemId,
    revision: 2,
    rsdtAddress: 0,
    length: RSDP.size,
    xsdtAddress,
    extendedChecksum: 0,
    reserved: new Uint8Array(3),
  });
  RSDP.put(bytes, "checksum", (256 - byteSum(bytes.subarray(0, FIRST_PART))) & 0xff);
  RSDP.put(bytes, "extendedChecksum", (256 - byteSum(bytes)) & 0xff);
  return bytes;
};

/** @throws DecodeError unless signature, revision, length and both checksums are right */
export const decodeRsdp = (bytes: Uint8Array): Rsdp => {
  const fields = RSDP.decode(bytes);
  const { signature, revision, length } = fields;
  if (signature !== RSDP_SIGNATURE)
    throw new DecodeError("RSDP", 0, `"${RSDP_SIGNATURE}"`, JSON.stringify(signature));
  if (revision < 2) throw new DecodeError("RSDP", 15, "revision 2 or more", `${revision}`);
  if (length < RSDP.size || length > bytes.length) {
    throw new DecodeError("RSDP", 20, `a length of 36 to ${bytes.length}`, `${length}`);
  }
  const sums = [byteSum(bytes.subarray(0, FIRST_PART)), byteSum(bytes.subarray(0, length))];
  for (const [i, sum] of sums.entries()) {
    if (sum !== 0) throw new DecodeError("RSDP", i === 0 ? 8 : 32, "bytes that sum to 0", `a sum of ${sum}`);
  }
  return fields;
};
