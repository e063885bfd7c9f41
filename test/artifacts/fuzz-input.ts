import { decodeRsdp } from "../../src/abi/acpi/rsdp.ts";
import { decodeSlit } from "../../src/abi/acpi/slit.ts";
import { decodeSrat, readSrat } from "../../src/abi/acpi/srat.ts";
import { decodeSratEntry } from "../../src/abi/acpi/srat-subtables.ts";
import { decodeTableHeader } from "../../src/abi/acpi/table-header.ts";
import { listTable } from "../../src/abi/acpi/table-listing.ts";
import { decodeXsdt } from "../../src/abi/acpi/xsdt.ts";
import { decodeE820Ext, decodeE820Table, e820Entries } from "../../src/abi/boot-params/e820.ts";
import { setupDataNodes } from "../../src/abi/boot-params/setup-data.ts";
import { DecodeError } from "../../src/abi/bytes.ts";
import { decodeMemoryMap, EFI_MEMORY_DESCRIPTOR } from "../../src/abi/efi/memory-descriptor.ts";
import { decodeConfigurationTable, decodeEfiSystemTable } from "../../src/abi/efi/system-table.ts";
import { unacceptedTableView } from "../../src/abi/efi/unaccepted-table.ts";
import { RMP_HEAD_BYTES } from "../../src/abi/snp/rmp-entry.ts";
import { decodeTdParams } from "../../src/abi/tdx/td-params.ts";
import { decodeCmrList, decodeReservedAreas, decodeTdmrInfo } from "../../src/abi/tdx/tdmr-info.ts";
import { VIRTIO_MEM_CONFIG } from "../../src/abi/virtio-mem/config.ts";
import { VIRTIO_MEM_REQ } from "../../src/abi/virtio-mem/request.ts";
import { VIRTIO_MEM_RESP } from "../../src/abi/virtio-mem/response.ts";
import { findings } from "../../src/artifacts/findings/findings.ts";
import { layersOf, stretchesOf } from "../../src/artifacts/map/layers.ts";
import { lsmemRows } from "../../src/artifacts/map/lsmem-rows.ts";
import { survey } from "../../src/artifacts/map/survey.ts";
import { mutated } from "../../src/artifacts/testing/mutations.ts";
import { readArtifact } from "../../src/artifacts/testing/read-artifact.ts";
import { RMP_ENTRIES } from "./fuzz-samples.ts";

/** Bytes at an address of a memory that has only these. */
const memoryOf =
  (bytes: Uint8Array) =>
  (address: number, length: number): Uint8Array | undefined =>
    address + length <= bytes.length ? bytes.subarray(address, address + length) : undefined;

/** Bytes of a structure that always comes whole, since its caller reads so much memory. */
const whole = (bytes: Uint8Array, size: number): Uint8Array => {
  const padded = new Uint8Array(size);
  padded.set(bytes.subarray(0, size));
  return padded;
};

/** Every decoder of bytes that src/abi has. */
const DECODERS: readonly (readonly [name: string, decode: (bytes: Uint8Array) => unknown])[] = [
  ["RSDP", decodeRsdp],
  ["SLIT", decodeSlit],
  ["SRAT", decodeSrat],
  ["SRAT, leniently", readSrat],
  ["SRAT entry", decodeSratEntry],
  ["table header", (bytes) => decodeTableHeader(bytes, "SRAT", 36)],
  ["table listing", listTable],
  ["XSDT", decodeXsdt],
  ["e820 extension", decodeE820Ext],
  ["e820 of boot_params", decodeE820Table],
  ["e820", (bytes) => e820Entries(bytes, memoryOf(bytes))],
  ["setup_data", (bytes) => setupDataNodes(memoryOf(bytes), 8n)],
  ["EFI memory map", (bytes) => decodeMemoryMap(bytes, EFI_MEMORY_DESCRIPTOR.size + 8)],
  ["EFI configuration table", (bytes) => decodeConfigurationTable(bytes, 5)],
  ["EFI system table", decodeEfiSystemTable],
  ["unaccepted-memory table", unacceptedTableView],
  ["TD_PARAMS", (bytes) => decodeTdParams(whole(bytes, 1024))],
  ["TDMR_INFO", (bytes) => decodeTdmrInfo(whole(bytes, 512))],
  ["reserved areas", (bytes) => decodeReservedAreas(whole(bytes, 512), 16)],
  ["CMRs", (bytes) => decodeCmrList(whole(bytes, 512))],
  ["virtio-mem configuration", (bytes) => VIRTIO_MEM_CONFIG.decode(bytes)],
  ["virtio-mem request", (bytes) => VIRTIO_MEM_REQ.decode(bytes)],
  ["virtio-mem response", (bytes) => VIRTIO_MEM_RESP.decode(bytes)],
];

const decodeAll = (bytes: Uint8Array): void => {
  for (const [name, decode] of DECODERS) {
    try {
      decode(bytes);
    } catch (error) {
      const isPlaced =
        error instanceof DecodeError && Number.isSafeInteger(error.offset) && error.offset >= 0;
      if (!isPlaced) throw new Error(`${name}: an error without an offset`, { cause: error });
    }
  }
};

/** Every how many inputs the decoders of src/abi get the input too, from its first byte on. */
const ABI_EVERY = 4;

/** Every how many inputs one is the dump of an RMP, and which of them: those that the decoders of src/abi do not get. */
const RMP_EVERY = 16;
const RMP_SEED = 9;
const isRmpSeed = (seed: number): boolean => seed % RMP_EVERY === RMP_SEED;

/** A damaged dump behind a head, which says nothing; some are cut inside an entry. */
const damagedRmp = (seed: number): Uint8Array => {
  const entries = mutated([RMP_ENTRIES], seed);
  const dump = new Uint8Array(RMP_HEAD_BYTES + entries.length);
  dump.set(entries, RMP_HEAD_BYTES);
  return dump;
};

export const inputOf = (samples: readonly Uint8Array[], seed: number): Uint8Array =>
  isRmpSeed(seed) ? damagedRmp(seed) : mutated(samples, seed);

/**
 * Reads, judges and lays out one damaged artifact.
 *
 * @throws whatever goes wrong, and an Error for a trouble that has no place
 */
export const goThrough = (input: Uint8Array, seed: number): void => {
  if (seed % ABI_EVERY === 0) decodeAll(input);
  // Every other dump is one by the user's word, as with --rmp.
  const isRmp = isRmpSeed(seed) && seed % (2 * RMP_EVERY) === RMP_SEED;
  const { sink, source } = readArtifact(input, 1 + (seed % 997), isRmp);
  for (const { at } of sink.troubles)
    if (at.line === undefined && at.offset === undefined) throw new Error("a trouble without a place");
  if (source.kinds.length === 0 && source.not.length === 0) throw new Error("no kind, and no reason");
  const read = survey(sink.facts);
  findings(read);
  stretchesOf(layersOf(read));
  lsmemRows(read);
};

/** Milliseconds that one input of 3 KB, or an RMP of so much behind its head, may take. */
const SLOW = 50;

/** Milliseconds of the processor. */
const cost = (input: Uint8Array, seed: number): number => {
  const before = process.cpuUsage();
  goThrough(input, seed);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

/** By the clock at first, which costs nothing; a busy machine makes that large, so then by the processor. */
export const isSlow = (input: Uint8Array, seed: number): boolean => {
  const at = performance.now();
  goThrough(input, seed);
  if (performance.now() - at <= SLOW) return false;
  return cost(input, seed) > SLOW && cost(input, seed) > SLOW;
};

/** What is wrong with an input in a few words; undefined if nothing. */
export const faultOf = (input: Uint8Array, seed: number): string | undefined => {
  try {
    return isSlow(input, seed) ? `more than ${SLOW} ms` : undefined;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `\n${error.cause.stack}` : "";
    return error instanceof Error ? `${error.stack}${cause}` : String(error);
  }
};
