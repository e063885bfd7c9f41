import { type FieldsOf, struct } from "../bytes.ts";

/**
 * The sub-tables of an SRAT with a layout known here, reserved bytes included. `length` is the sub-table's own;
 * a sub-table may be longer than its layout.
 *
 * @source ACPI 6.5, 5.2.16.1 to 5.2.16.7; rintc: ACPI 6.6
 */
export const SRAT_SUBTABLE = {
  /** Processor by APIC id below 255, or by SAPIC id and EID. */
  cpu: struct("SRAT processor affinity", 16, {
    type: [0, "u8"],
    length: [1, "u8"],
    proximityLow: [2, "u8"],
    apicId: [3, "u8"],
    flags: [4, "u32"],
    localSapicEid: [8, "u8"],
    proximityHigh: [9, "u24"], // bits 31:8; counts from table revision 2 on
    clockDomain: [12, "u32"],
  }),
  memory: struct("SRAT memory affinity", 40, {
    type: [0, "u8"],
    length: [1, "u8"],
    proximityDomain: [2, "u32"],
    reserved1: [6, "u16"],
    base: [8, "u64"], // guest-physical byte address
    rangeLength: [16, "u64"], // bytes
    reserved2: [24, "u32"],
    flags: [28, "u32"],
    reserved3: [32, "u64"],
  }),
  /** Processor by x2APIC id. */
  x2apic: struct("SRAT x2APIC affinity", 24, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved1: [2, "u16"],
    proximityDomain: [4, "u32"],
    x2apicId: [8, "u32"],
    flags: [12, "u32"],
    clockDomain: [16, "u32"],
    reserved2: [20, "u32"],
  }),
  /** Processor of an arm64 machine. */
  gicc: struct("SRAT GICC affinity", 18, {
    type: [0, "u8"],
    length: [1, "u8"],
    proximityDomain: [2, "u32"],
    processorUid: [6, "u32"],
    flags: [10, "u32"],
    clockDomain: [14, "u32"],
  }),
  /** Interrupt translation service of an arm64 machine. */
  its: struct("SRAT GIC ITS affinity", 12, {
    type: [0, "u8"],
    length: [1, "u8"],
    proximityDomain: [2, "u32"],
    reserved: [6, "u16"],
    itsId: [8, "u32"],
  }),
  /** A device that starts memory transactions. */
  genericInitiator: struct("SRAT generic initiator affinity", 32, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved1: [2, "u8"],
    deviceHandleType: [3, "u8"], // 0: ACPI _HID and _UID; 1: PCI segment and BDF
    proximityDomain: [4, "u32"],
    deviceHandle: [8, "bytes:16"],
    flags: [24, "u32"],
    reserved2: [28, "u32"],
  }),
  /** A port, such as a CXL root port, behind which memory will appear. */
  genericPort: struct("SRAT generic port affinity", 32, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved1: [2, "u8"],
    deviceHandleType: [3, "u8"],
    proximityDomain: [4, "u32"],
    deviceHandle: [8, "bytes:16"],
    flags: [24, "u32"],
    reserved2: [28, "u32"],
  }),
  /** Processor of a RISC-V machine. */
  rintc: struct("SRAT RINTC affinity", 20, {
    type: [0, "u8"],
    length: [1, "u8"],
    reserved: [2, "u16"],
    proximityDomain: [4, "u32"],
    processorUid: [8, "u32"],
    flags: [12, "u32"],
    clockDomain: [16, "u32"],
  }),
} as const;
export type SratKind = keyof typeof SRAT_SUBTABLE;

/** Kinds by the number in a sub-table's type byte. */
export const SRAT_KINDS = [
  "cpu",
  "memory",
  "x2apic",
  "gicc",
  "its",
  "genericInitiator",
  "genericPort",
  "rintc",
] as const satisfies readonly SratKind[];

/** Bits of the flags of a memory affinity entry. */
export const SRAT_MEMORY = {
  ENABLED: 1 << 0,
  HOT_PLUGGABLE: 1 << 1,
  NON_VOLATILE: 1 << 2,
  SPECIFIC_PURPOSE: 1 << 3,
} as const;
/** Bits of the flags of every other kind; the second one of initiators and ports only. */
export const SRAT_AFFINITY = { ENABLED: 1 << 0, ARCHITECTURAL_TRANSACTIONS: 1 << 1 } as const;

type Known = {
  readonly [kind in SratKind]: {
    readonly kind: kind;
    readonly fields: FieldsOf<(typeof SRAT_SUBTABLE)[kind]>;
    /** Bytes of the sub-table behind its known layout. */
    readonly tail: Uint8Array;
  };
};
export type KnownSratEntry = Known[SratKind];
/** One sub-table. A type without a layout keeps its bytes, type and length included. */
export type SratEntry = KnownSratEntry | { readonly kind: "unknown"; readonly bytes: Uint8Array };
export type SratMemoryFields = FieldsOf<(typeof SRAT_SUBTABLE)["memory"]>;

const NO_TAIL = new Uint8Array();

/** A memory entry. @param flags bits of SRAT_MEMORY */
export const sratMemory = (
  proximityDomain: number,
  base: bigint,
  rangeLength: bigint,
  flags: number,
): SratEntry => ({
  kind: "memory",
  fields: {
    type: SRAT_KINDS.indexOf("memory"),
    length: SRAT_SUBTABLE.memory.size,
    proximityDomain,
    reserved1: 0,
    base,
    rangeLength,
    reserved2: 0,
    flags,
    reserved3: 0n,
  },
  tail: NO_TAIL,
});

/** An enabled processor: by APIC id where 8 bits and type 0 can say it, else by x2APIC id. */
export const sratProcessor = (proximityDomain: number, apicId: number): SratEntry =>
  apicId < 255
    ? {
        kind: "cpu",
        fields: {
          type: SRAT_KINDS.indexOf("cpu"),
          length: SRAT_SUBTABLE.cpu.size,
          proximityLow: proximityDomain & 0xff,
          apicId,
          flags: SRAT_AFFINITY.ENABLED,
          localSapicEid: 0,
          proximityHigh: proximityDomain >>> 8,
          clockDomain: 0,
        },
        tail: NO_TAIL,
      }
    : {
        kind: "x2apic",
        fields: {
          type: SRAT_KINDS.indexOf("x2apic"),
          length: SRAT_SUBTABLE.x2apic.size,
          reserved1: 0,
          proximityDomain,
          x2apicId: apicId,
          flags: SRAT_AFFINITY.ENABLED,
          clockDomain: 0,
          reserved2: 0,
        },
        tail: NO_TAIL,
      };

/** The bytes of one sub-table. */
export const encodeSratEntry = (entry: SratEntry): Uint8Array => {
  if (entry.kind === "unknown") return entry.bytes;
  const encode = SRAT_SUBTABLE[entry.kind].encode as (fields: KnownSratEntry["fields"]) => Uint8Array;
  const head = encode(entry.fields);
  const bytes = new Uint8Array(head.length + entry.tail.length);
  bytes.set(head);
  bytes.set(entry.tail, head.length);
  return bytes;
};

/** Reads one sub-table from exactly its bytes, which its layout must fit. */
export const decodeSratEntry = (bytes: Uint8Array): SratEntry => {
  const kind = SRAT_KINDS[bytes[0]!];
  if (kind === undefined) return { kind: "unknown", bytes: bytes.slice() };
  const layout = SRAT_SUBTABLE[kind];
  return { kind, fields: layout.decode(bytes), tail: bytes.slice(layout.size) } as SratEntry;
};
