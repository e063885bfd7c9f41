import { readFileSync } from "node:fs";
import { ownData, sharedFiles } from "../shared-data.ts";

/** Artifacts to damage: our own recordings, and the collection beside the repository where it is there. */
export const samples = (): Uint8Array[] =>
  [
    ownData("acpi", "rec-pcdimm-2node.SRAT.dat"),
    ownData("acpi", "rec-pcdimm-2node.APIC.dat"),
    ...["acpi", "logs", "proc", "qmp"].flatMap((folder) => sharedFiles(folder, /./)),
  ].map((path) => Uint8Array.from(readFileSync(path)));
