import {
  decodeSratEntry,
  SRAT_KINDS,
  SRAT_SUBTABLE,
  type SratEntry,
  type SratKind,
} from "./srat-subtables.ts";

const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const u24 = (bytes: Uint8Array, at: number): number => u16(bytes, at) | (bytes[at + 2]! << 16);
const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) + u16(bytes, at + 2) * 0x1_0000;
const u64 = (bytes: Uint8Array, at: number): bigint => {
  const high = u32(bytes, at + 4);
  const low = u32(bytes, at);
  return high < 0x20_0000 ? BigInt(high * 2 ** 32 + low) : (BigInt(high) << 32n) | BigInt(low);
};

const NO_TAIL = new Uint8Array();
const CPU = SRAT_SUBTABLE.cpu.layout;
const MEMORY = SRAT_SUBTABLE.memory.layout;
const X2APIC = SRAT_SUBTABLE.x2apic.layout;

const tailOf = (bytes: Uint8Array, kind: SratKind, at: number, length: number): Uint8Array => {
  const { size } = SRAT_SUBTABLE[kind];
  return length === size ? NO_TAIL : bytes.slice(at + size, at + length);
};

const memoryEntry = (bytes: Uint8Array, at: number, length: number): SratEntry => ({
  kind: "memory",
  fields: {
    type: bytes[at]!,
    length: bytes[at + MEMORY.length[0]]!,
    proximityDomain: u32(bytes, at + MEMORY.proximityDomain[0]),
    reserved1: u16(bytes, at + MEMORY.reserved1[0]),
    base: u64(bytes, at + MEMORY.base[0]),
    rangeLength: u64(bytes, at + MEMORY.rangeLength[0]),
    reserved2: u32(bytes, at + MEMORY.reserved2[0]),
    flags: u32(bytes, at + MEMORY.flags[0]),
    reserved3: u64(bytes, at + MEMORY.reserved3[0]),
  },
  tail: tailOf(bytes, "memory", at, length),
});

const cpuEntry = (bytes: Uint8Array, at: number, length: number): SratEntry => ({
  kind: "cpu",
  fields: {
    type: bytes[at]!,
    length: bytes[at + CPU.length[0]]!,
    proximityLow: bytes[at + CPU.proximityLow[0]]!,
    apicId: bytes[at + CPU.apicId[0]]!,
    flags: u32(bytes, at + CPU.flags[0]),
    localSapicEid: bytes[at + CPU.localSapicEid[0]]!,
    proximityHigh: u24(bytes, at + CPU.proximityHigh[0]),
    clockDomain: u32(bytes, at + CPU.clockDomain[0]),
  },
  tail: tailOf(bytes, "cpu", at, length),
});

const x2apicEntry = (bytes: Uint8Array, at: number, length: number): SratEntry => ({
  kind: "x2apic",
  fields: {
    type: bytes[at]!,
    length: bytes[at + X2APIC.length[0]]!,
    reserved1: u16(bytes, at + X2APIC.reserved1[0]),
    proximityDomain: u32(bytes, at + X2APIC.proximityDomain[0]),
    x2apicId: u32(bytes, at + X2APIC.x2apicId[0]),
    flags: u32(bytes, at + X2APIC.flags[0]),
    clockDomain: u32(bytes, at + X2APIC.clockDomain[0]),
    reserved2: u32(bytes, at + X2APIC.reserved2[0]),
  },
  tail: tailOf(bytes, "x2apic", at, length),
});

/**
 * The sub-table in bytes [at, at + length), which hold at least its layout. The three kinds that large machines have
 * by the hundred are read without going through the layout's names; a test holds them against the layouts.
 */
export const decodeSratEntryAt = (bytes: Uint8Array, at: number, length: number): SratEntry => {
  const kind = SRAT_KINDS[bytes[at]!];
  if (kind === "memory") return memoryEntry(bytes, at, length);
  if (kind === "cpu") return cpuEntry(bytes, at, length);
  if (kind === "x2apic") return x2apicEntry(bytes, at, length);
  return decodeSratEntry(bytes.subarray(at, at + length));
};
