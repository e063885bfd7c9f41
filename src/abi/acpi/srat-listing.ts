import { SRAT_HEADER } from "./srat.ts";
import { SRAT_SUBTABLE } from "./srat-subtables.ts";
import { structKind, type TableBody } from "./subtable-listing.ts";
import { listRows } from "./table-rows.ts";

const ENABLED = ["Flags (decoded below)", [["Enabled", 0, 0]]] as const;
const HEAD = { type: "Subtable Type", length: "Length" } as const;
const HEADER_ROWS = 36;

/** The parts of an SRAT under iasl's names. @source ACPICA source/common/dmtbinfo3.c */
export const SRAT_LISTING: TableBody = {
  title: "System Resource Affinity Table",
  fixed: {
    size: SRAT_HEADER.size,
    rows: (bytes) => [
      ...listRows("Table Revision", "u32", bytes, HEADER_ROWS, 1),
      ...listRows("Reserved", "u64", bytes, HEADER_ROWS + 4, 1),
    ],
  },
  type: [0, 1],
  length: [1, 1],
  kinds: [
    structKind("Processor Local APIC/SAPIC Affinity", SRAT_SUBTABLE.cpu, {
      ...HEAD,
      proximityLow: "Proximity Domain Low(8)",
      apicId: "Apic ID",
      flags: ENABLED,
      localSapicEid: "Local Sapic EID",
      proximityHigh: "Proximity Domain High(24)",
      clockDomain: "Clock Domain",
    }),
    structKind("Memory Affinity", SRAT_SUBTABLE.memory, {
      ...HEAD,
      proximityDomain: "Proximity Domain",
      reserved1: "Reserved1",
      base: "Base Address",
      rangeLength: "Address Length",
      reserved2: "Reserved2",
      flags: [
        "Flags (decoded below)",
        [
          ["Enabled", 0, 0],
          ["Hot Pluggable", 1, 1],
          ["Non-Volatile", 2, 2],
        ],
      ],
      reserved3: "Reserved3",
    }),
    structKind("Processor Local x2APIC Affinity", SRAT_SUBTABLE.x2apic, {
      ...HEAD,
      reserved1: "Reserved1",
      proximityDomain: "Proximity Domain",
      x2apicId: "Apic ID",
      flags: ENABLED,
      clockDomain: "Clock Domain",
      reserved2: "Reserved2",
    }),
    structKind("GICC Affinity", SRAT_SUBTABLE.gicc, {
      ...HEAD,
      proximityDomain: "Proximity Domain",
      processorUid: "Acpi Processor UID",
      flags: ENABLED,
      clockDomain: "Clock Domain",
    }),
    structKind("GIC ITS Affinity", SRAT_SUBTABLE.its, {
      ...HEAD,
      proximityDomain: "Proximity Domain",
      reserved: "Reserved",
      itsId: "ITS ID",
    }),
    structKind("Generic Initiator Affinity", SRAT_SUBTABLE.genericInitiator, {
      ...HEAD,
      reserved1: "Reserved1",
      deviceHandleType: "Device Handle Type",
      proximityDomain: "Proximity Domain",
      deviceHandle: "Device Handle",
      flags: ENABLED,
      reserved2: "Reserved2",
    }),
    structKind("Generic Port Affinity", SRAT_SUBTABLE.genericPort, {
      ...HEAD,
      reserved1: "Reserved1",
      deviceHandleType: "Device Handle Type",
      proximityDomain: "Proximity Domain",
      deviceHandle: "Device Handle",
      flags: ENABLED,
      reserved2: "Reserved2",
    }),
    structKind("RINTC Affinity", SRAT_SUBTABLE.rintc, {
      ...HEAD,
      reserved: "Reserved",
      proximityDomain: "Proximity Domain",
      processorUid: "Acpi Processor UID",
      flags: ENABLED,
      clockDomain: "Clock Domain",
    }),
  ],
};
