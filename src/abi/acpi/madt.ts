import { struct } from "../bytes.ts";
import { MADT_GIC_KINDS } from "./madt-gic.ts";
import { type SubtableKind, structKind, type TableBody } from "./subtable-listing.ts";
import { rowReader } from "./table-rows.ts";

const MADT_FIXED = struct("MADT", 44, { localApicAddress: [36, "u32"], flags: [40, "u32"] }, "holes");

/**
 * The structures of a MADT that count processors and route their interrupts.
 *
 * @source ACPI 6.5, 5.2.12
 * @missing SAPIC, multiprocessor wake-up and RISC-V structures, which are listed as bytes
 */
export const MADT_STRUCTURE = {
  localApic: struct("MADT local APIC", 8, {
    type: [0, "u8"],
    length: [1, "u8"],
    processorId: [2, "u8"],
    apicId: [3, "u8"],
    flags: [4, "u32"],
  }),
  ioApic: struct("MADT I/O APIC", 12, {
    type: [0, "u8"],
    length: [1, "u8"],
    id: [2, "u8"],
    reserved: [3, "u8"],
    address: [4, "u32"],
    interrupt: [8, "u32"],
  }),
  override: struct("MADT interrupt source override", 10, {
    type: [0, "u8"],
    length: [1, "u8"],
    bus: [2, "u8"],
    source: [3, "u8"],
    interrupt: [4, "u32"],
    flags: [8, "u16"],
  }),
  nmiSource: struct("MADT NMI source", 8, {
    type: [0, "u8"],
    length: [1, "u8"],
    flags: [2, "u16"],
    interrupt: [4, "u32"],
  }),
  addressOverride: struct("MADT local APIC address override", 12, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    address: [4, "u64"],
  }),
  localNmi: struct("MADT local APIC NMI", 6, {
    type: [0, "u8"],
    length: [1, "u8"],
    processorId: [2, "u8"],
    flags: [3, "u16"],
    lint: [5, "u8"],
  }),
  x2apic: struct("MADT local x2APIC", 16, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    x2apicId: [4, "u32"],
    flags: [8, "u32"],
    processorUid: [12, "u32"],
  }),
  x2apicNmi: struct("MADT local x2APIC NMI", 12, {
    type: [0, "u8"],
    length: [1, "u8"],
    flags: [2, "u16"],
    processorUid: [4, "u32"],
    lint: [8, "u8"],
    reserved: [9, "u24"],
  }),
} as const;

const HEAD = { type: "Subtable Type", length: "Length" } as const;
const ROUTING = [
  "Flags (decoded below)",
  [
    ["Polarity", 1, 0],
    ["Trigger Mode", 3, 2],
  ],
] as const;

const KINDS: { readonly [type: number]: SubtableKind } = {
  0: structKind("Processor Local APIC", MADT_STRUCTURE.localApic, {
    ...HEAD,
    processorId: "Processor ID",
    apicId: "Local Apic ID",
    flags: [
      "Flags (decoded below)",
      [
        ["Processor Enabled", 0, 0],
        ["Runtime Online Capable", 1, 1],
      ],
    ],
  }),
  1: structKind("I/O APIC", MADT_STRUCTURE.ioApic, {
    ...HEAD,
    id: "I/O Apic ID",
    reserved: "Reserved",
    address: "Address",
    interrupt: "Interrupt",
  }),
  2: structKind("Interrupt Source Override", MADT_STRUCTURE.override, {
    ...HEAD,
    bus: "Bus",
    source: "Source",
    interrupt: "Interrupt",
    flags: ROUTING,
  }),
  3: structKind("NMI Source", MADT_STRUCTURE.nmiSource, {
    ...HEAD,
    flags: ROUTING,
    interrupt: "Interrupt",
  }),
  5: structKind("Local APIC Address Override", MADT_STRUCTURE.addressOverride, {
    ...HEAD,
    reserved: "Reserved",
    address: "APIC Address",
  }),
  4: structKind("Local APIC NMI", MADT_STRUCTURE.localNmi, {
    ...HEAD,
    processorId: "Processor ID",
    flags: ROUTING,
    lint: "Interrupt Input LINT",
  }),
  9: structKind("Processor Local x2APIC", MADT_STRUCTURE.x2apic, {
    ...HEAD,
    reserved: "Reserved",
    x2apicId: "Processor x2Apic ID",
    flags: ["Flags (decoded below)", [["Processor Enabled", 0, 0]]],
    processorUid: "Processor UID",
  }),
  10: structKind("Local x2APIC NMI", MADT_STRUCTURE.x2apicNmi, {
    ...HEAD,
    flags: ROUTING,
    processorUid: "Processor UID",
    lint: "Interrupt Input LINT",
    reserved: "Reserved",
  }),
  ...MADT_GIC_KINDS,
};

const FIXED_ROWS = rowReader(MADT_FIXED, {
  localApicAddress: "Local Apic Address",
  flags: ["Flags (decoded below)", [["PC-AT Compatibility", 0, 0]]],
});

/** The parts of a MADT under iasl's names. @source ACPICA source/common/dmtbinfo2.c */
export const MADT_LISTING: TableBody = {
  title: "Multiple APIC Description Table (MADT)",
  fixed: {
    size: MADT_FIXED.size,
    rows: (bytes) => FIXED_ROWS(bytes, 0),
  },
  type: [0, 1],
  length: [1, 1],
  kinds: Array.from({ length: 16 }, (_, type) => KINDS[type]),
};
