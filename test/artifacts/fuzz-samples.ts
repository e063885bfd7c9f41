import { readFileSync } from "node:fs";
import { RMP_ENTRY_BYTES } from "../../src/abi/snp/rmp-entry.ts";
import { ownData, sharedFiles } from "../shared-data.ts";

const ASSIGNED = 1n;
const LARGE = 2n;
const VALIDATED = 1n << 62n;
const entry = (asid: bigint, gfn: bigint): bigint => ASSIGNED | (asid << 51n) | (gfn << 12n);

/** Entries of an RMP for 6 MiB: pages of firmware, of two guests in 4 KiB and one in 2 MiB, and none. */
export const RMP_ENTRIES = ((): Uint8Array => {
  const bytes = new Uint8Array(1536 * RMP_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  for (let n = 0; n < 512; n++) {
    const guest = BigInt(1 + (n % 2));
    const raw = n < 16 ? ASSIGNED : entry(guest, BigInt(1024 + n)) | (n % 3 === 0 ? VALIDATED : 0n);
    if (n % 5 !== 0) view.setBigUint64(n * RMP_ENTRY_BYTES, raw, true);
  }
  view.setBigUint64(512 * RMP_ENTRY_BYTES, entry(3n, 2048n) | LARGE | VALIDATED, true);
  return bytes;
})();

/** Artifacts to damage: our own recordings, and the collection beside the repository where it is there. */
export const samples = (): Uint8Array[] =>
  [
    ownData("acpi", "rec-pcdimm-2node.SRAT.dat"),
    ownData("acpi", "rec-pcdimm-2node.APIC.dat"),
    ...["acpi", "logs", "proc", "qmp"].flatMap((folder) => sharedFiles(folder, /./)),
  ].map((path) => Uint8Array.from(readFileSync(path)));
