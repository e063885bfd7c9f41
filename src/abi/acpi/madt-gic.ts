import { struct } from "../bytes.ts";
import { type SubtableKind, structKind } from "./subtable-listing.ts";
import { listRows, rawRows, type TableRow } from "./table-rows.ts";

/** The structures of a MADT about Arm's generic interrupt controller. @source ACPI 6.5, 5.2.12.14 to 5.2.12.18 */
export const MADT_GIC_STRUCTURE = {
  /** Up to what ACPI 5.1 has of it; later ones append. */
  gicc: struct("MADT GIC CPU interface", 76, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    cpuInterface: [4, "u32"],
    processorUid: [8, "u32"],
    flags: [12, "u32"],
    parkingVersion: [16, "u32"],
    performanceInterrupt: [20, "u32"],
    parkedAddress: [24, "u64"],
    base: [32, "u64"],
    virtualBase: [40, "u64"],
    hypervisorBase: [48, "u64"],
    virtualInterrupt: [56, "u32"],
    redistributorBase: [60, "u64"],
    mpidr: [68, "u64"],
  }),
  gicd: struct("MADT GIC distributor", 24, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    hardwareId: [4, "u32"],
    base: [8, "u64"],
    interruptBase: [16, "u32"],
    version: [20, "u8"],
    reserved1: [21, "u24"],
  }),
  msiFrame: struct("MADT GIC MSI frame", 24, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    frameId: [4, "u32"],
    base: [8, "u64"],
    flags: [16, "u32"],
    spiCount: [20, "u16"],
    spiBase: [22, "u16"],
  }),
  gicr: struct("MADT GIC redistributor", 16, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    base: [4, "u64"],
    rangeLength: [12, "u32"],
  }),
  its: struct("MADT GIC interrupt translation service", 20, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    translationId: [4, "u32"],
    base: [8, "u64"],
    reserved1: [16, "u32"],
  }),
} as const;

const HEAD = { type: "Subtable Type", length: "Length", reserved: "Reserved" } as const;

/** What ACPI 6.0, 6.3 and 6.5 appended to the CPU interface: a byte each, then two words. */
const appendedRows = (bytes: Uint8Array, at: number, end: number): TableRow[] => {
  const start = at + MADT_GIC_STRUCTURE.gicc.size;
  const names = ["Efficiency Class", "Reserved"].slice(0, end - start);
  const single = names.flatMap((label, n) => rawRows(label, bytes, start + n, start + n + 1));
  const words = start + 2;
  const count = Math.max(0, Math.min(2, Math.floor((end - words) / 2)));
  return [
    ...single,
    ...listRows("SPE Overflow Interrupt", "u16", bytes, words, Math.min(1, count)),
    ...listRows("TRBE Interrupt", "u16", bytes, words + 2, Math.max(0, count - 1)),
    ...rawRows("Data", bytes, words + 2 * count, end),
  ];
};

/** By type, under iasl's names. @source ACPICA source/common/dmtbinfo2.c */
export const MADT_GIC_KINDS: { readonly [type: number]: SubtableKind } = {
  11: structKind(
    "Generic Interrupt Controller",
    MADT_GIC_STRUCTURE.gicc,
    {
      ...HEAD,
      cpuInterface: "CPU Interface Number",
      processorUid: "Processor UID",
      flags: [
        "Flags (decoded below)",
        [
          ["Processor Enabled", 0, 0],
          ["Performance Interrupt Trigger Mode", 1, 1],
          ["Virtual GIC Interrupt Trigger Mode", 2, 2],
        ],
      ],
      parkingVersion: "Parking Protocol Version",
      performanceInterrupt: "Performance Interrupt",
      parkedAddress: "Parked Address",
      base: "Base Address",
      virtualBase: "Virtual GIC Base Address",
      hypervisorBase: "Hypervisor GIC Base Address",
      virtualInterrupt: "Virtual GIC Interrupt",
      redistributorBase: "Redistributor Base Address",
      mpidr: "ARM MPIDR",
    },
    appendedRows,
  ),
  12: structKind("Generic Interrupt Distributor", MADT_GIC_STRUCTURE.gicd, {
    ...HEAD,
    hardwareId: "Local GIC Hardware ID",
    base: "Base Address",
    interruptBase: "Interrupt Base",
    version: "Version",
    reserved1: "Reserved",
  }),
  13: structKind("Generic MSI Frame", MADT_GIC_STRUCTURE.msiFrame, {
    ...HEAD,
    frameId: "MSI Frame ID",
    base: "Base Address",
    flags: ["Flags (decoded below)", [["Select SPI", 0, 0]]],
    spiCount: "SPI Count",
    spiBase: "SPI Base",
  }),
  14: structKind("Generic Interrupt Redistributor", MADT_GIC_STRUCTURE.gicr, {
    ...HEAD,
    base: "Base Address",
    rangeLength: "Length",
  }),
  15: structKind("Generic Interrupt Translator", MADT_GIC_STRUCTURE.its, {
    ...HEAD,
    translationId: "Translation ID",
    base: "Base Address",
    reserved1: "Reserved",
  }),
};
