import { BOOT_PARAMS, bootParamsAddress, EFI_LOADER_SIGNATURE } from "../abi/boot-params/boot-params.ts";
import { EFI_SETUP_DATA, SETUP_DATA_TYPE, setupDataNodes } from "../abi/boot-params/setup-data.ts";
import { DecodeError } from "../abi/bytes.ts";
import { EFI_GUID } from "../abi/efi/guid.ts";
import {
  UNACCEPTED_TABLE_HEADER,
  type UnacceptedTableVersion,
  type UnacceptedTableView,
  unacceptedTableBytes,
  unacceptedTableView,
} from "../abi/efi/unaccepted-table.ts";
import { clearRange, findNextClear, findNextSet } from "../flat/bitmap.ts";
import { NotModelled } from "../not-modelled.ts";
import { findConfigurationTable, viewAt } from "./configuration-table.ts";
import {
  type AcceptedRange,
  type EarlyAccept,
  type PlatformAccept,
  platformAccept,
  type StubPlatform,
} from "./early-accept.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { type Halt, unbacked } from "./stub-fault.ts";

/**
 * Accepts memory before the kernel proper: for each run of set bits in the part of [start, start + size) that lies in
 * the window, accepts whole units, then clears the bits. There is no page alignment, no guard unit and no lock. In
 * version 2 the plugged bitmap is not looked at, so a hot-pluggable range inside is accepted too.
 *
 * @param start guest-physical byte address
 * @param size bytes
 * @returns why the machine stops, if it does; the bits of the run it stopped at are still set
 * @source Linux drivers/firmware/efi/libstub/unaccepted_memory.c (accept_memory)
 */
export const acceptEarly = (
  table: UnacceptedTableView,
  start: number,
  size: number,
  accept: PlatformAccept,
): Halt | undefined => {
  const { physBase, unitSize, unaccepted, units } = table;
  const from = Math.floor((Math.max(start, physBase) - physBase) / unitSize);
  const to = Math.min(Math.ceil((start + size - physBase) / unitSize), units);
  for (let run = findNextSet(unaccepted, to, from); run < to; ) {
    const end = findNextClear(unaccepted, to, run);
    const halt = accept(BigInt(physBase + run * unitSize), BigInt(physBase + end * unitSize));
    if (halt) return halt;
    clearRange(unaccepted, run, end);
    run = findNextSet(unaccepted, to, end);
  }
  return undefined;
};

export interface DecompressorWorld {
  readonly memory: GuestBytes;
  /** Guest-physical byte address of the boot parameters. */
  readonly bootParams: number;
  readonly accept: EarlyAccept;
}

export interface DecompressorOptions {
  readonly platform: StubPlatform;
  /** The only table version this kernel takes. */
  readonly tableVersion: UnacceptedTableVersion;
  /** Where the kernel goes, guest-physical byte address. */
  readonly output: number;
  /** Bytes it needs there. */
  readonly neededSize: number;
}

export interface DecompressorOutcome {
  /** Why the machine stops; undefined: the kernel is decompressed. */
  readonly halt: Halt | undefined;
  readonly accepts: readonly AcceptedRange[];
  readonly log: readonly string[];
}

/** Where the configuration table lies after a kexec, which moves it: a node of the setup_data chain says so. */
const kexecTables = (memory: GuestBytes, bootParams: Uint8Array): bigint | undefined => {
  const nodes = setupDataNodes(
    (at, length) => memory.bytes(at, length),
    BOOT_PARAMS.get(bootParams, "setupData"),
  );
  const node = nodes.find(({ type }) => type === SETUP_DATA_TYPE.EFI);
  return node && EFI_SETUP_DATA.get(node.data, "tables");
};

/** Address of the table that the boot parameters lead to; undefined without EFI or without a table. */
const findTable = (memory: GuestBytes, bootParams: Uint8Array): bigint | undefined | Halt => {
  const signature = BOOT_PARAMS.get(bootParams, "efiLoaderSignature");
  if (signature === EFI_LOADER_SIGNATURE.EL32)
    throw new NotModelled("a 64-bit kernel on 32-bit EFI firmware");
  if (signature !== EFI_LOADER_SIGNATURE.EL64) return undefined;
  const systemTable = bootParamsAddress(bootParams, "efiSystab");
  const tables = kexecTables(memory, bootParams);
  return findConfigurationTable(memory, systemTable, EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, tables);
};

const openTable = (
  memory: GuestBytes,
  at: bigint,
  version: UnacceptedTableVersion,
): UnacceptedTableView | Halt => {
  const header = viewAt(memory, at, UNACCEPTED_TABLE_HEADER.size);
  if (header === undefined) return unbacked("unaccepted-memory table", at, UNACCEPTED_TABLE_HEADER.size);
  const fields = UNACCEPTED_TABLE_HEADER.decode(header);
  if (fields.version !== version) return { why: "Unknown version of unaccepted memory table" };
  const length = unacceptedTableBytes(version, Number(fields.size));
  const bytes = viewAt(memory, at, length);
  return bytes === undefined ? unbacked("unaccepted-memory table", at, length) : unacceptedTableView(bytes);
};

const runToEnd = (
  world: DecompressorWorld,
  options: DecompressorOptions,
  accept: PlatformAccept,
): Halt | undefined => {
  const { memory } = world;
  const bootParams = memory.bytes(world.bootParams, BOOT_PARAMS.size);
  if (bootParams === undefined) return unbacked("boot_params", BigInt(world.bootParams), BOOT_PARAMS.size);
  const at = findTable(memory, bootParams);
  if (typeof at !== "bigint") return at;
  const table = openTable(memory, at, options.tableVersion);
  return "why" in table ? table : acceptEarly(table, options.output, options.neededSize, accept);
};

/**
 * What a kernel that was not started through the stub (kexec, an old boot loader) does before it decompresses: it
 * finds the table through the boot parameters and accepts the memory it goes to.
 *
 * Without EFI, or without a table, it goes on. A table of another version stops the machine.
 *
 * @throws NotModelled for 32-bit firmware
 * @source Linux arch/x86/boot/compressed/mem.c (init_unaccepted_memory), misc.c (extract_kernel)
 */
export const runDecompressor = (
  world: DecompressorWorld,
  options: DecompressorOptions,
): DecompressorOutcome => {
  const accepts: AcceptedRange[] = [];
  const accept = platformAccept(options.platform, (start, end) => {
    accepts.push({ start, end });
    return world.accept(start, end);
  });
  let halt: Halt | undefined;
  try {
    halt = runToEnd(world, options, accept);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    halt = { why: error.message };
  }
  return { halt, accepts, log: halt ? [halt.why] : [] };
};
