import { BOOT_PARAMS, bootParamsAddress } from "../abi/boot-params/boot-params.ts";
import { decodeE820Table, E820_TYPE, type E820Entry, putE820Table } from "../abi/boot-params/e820.ts";
import { EFI_SETUP_DATA, encodeSetupData, SETUP_DATA_TYPE } from "../abi/boot-params/setup-data.ts";
import { EFI_SYSTEM_TABLE } from "../abi/efi/system-table.ts";
import type { BackableGuestBytes } from "../efi-stub/guest-bytes.ts";
import type { ByteRange } from "../linux/boot/boot-layout.ts";
import type { Kernel } from "../linux/kernel.ts";
import { KEXEC } from "../linux/kexec/kexec.ts";
import { PARAMS_FROM_END } from "../linux/kexec/segments.ts";
import { systemRam } from "../linux/kexec/system-ram.ts";
import { typeOfName } from "./boot-iomem.ts";
import type { HandOver } from "./hand-over.ts";

/**
 * How the running kernel loads the next: `kexec_file_load()` gives it the memory map of firmware; kexec-tools, which use
 * `kexec_load()`, give it /sys/firmware/memmap, in which hot-added DIMMs are RAM.
 */
export type KexecSyscall = "kexec_file_load" | "kexec_load";

const PAGE = 4096;
/** x86 hands the memory below 1 MiB to a crash kernel too. */
const LOW_BYTES = 2 ** 20;

const entry = (start: number, end: number, type: number): E820Entry => ({
  addr: BigInt(start),
  size: BigInt(end - start),
  type,
});

/** Low memory, what ACPI needs, and what was kept, less the ELF headers at its start. @source arch/x86/kernel/crash.c */
const crashMap = ({ kexec }: Kernel, e820: readonly E820Entry[]): E820Entry[] => {
  const low = e820.filter(({ addr, size, type }) => type === E820_TYPE.RAM && addr + size <= LOW_BYTES);
  const acpi = e820.filter(({ type }) => type === E820_TYPE.ACPI || type === E820_TYPE.NVS);
  return [...low, ...acpi, entry(kexec.ends[0]!, kexec.words[KEXEC.CRASH_END]!, E820_TYPE.RAM)].sort((a, b) =>
    Number(a.addr - b.addr),
  );
};

/** The memory map that the loaded image gets. */
export const nextMemoryMap = (k: Kernel, { e820 }: HandOver, how: KexecSyscall): readonly E820Entry[] => {
  if (k.kexec.has(KEXEC.ON_CRASH)) return crashMap(k, e820);
  if (how === "kexec_file_load") return e820;
  const given = k.firmwareMap.entries().map(({ start, end, type }) => entry(start, end, typeOfName(type)));
  return given.sort((a, b) => Number(a.addr - b.addr));
};

/** All RAM that the kernel has, less what it keeps for the crash kernel: what the ELF headers list. */
export const oldMemoryOf = (k: Kernel): ByteRange[] => {
  const from = k.kexec.words[KEXEC.CRASH_START]!;
  const to = k.kexec.words[KEXEC.CRASH_END]!;
  return systemRam(k.iomem).flatMap(({ start, end }) =>
    [
      { start, end: Math.min(end, from) },
      { start: Math.max(start, to), end },
    ].filter((part) => part.start < part.end),
  );
};

/** Whole pages of guest memory by their address, given backing where there was none. */
const pageAt = (memory: BackableGuestBytes, gpa: number): Uint8Array =>
  memory.bytes(gpa, PAGE) ?? memory.back(gpa, PAGE);

/**
 * Writes the boot parameters of the next kernel to its segment for them: as the running kernel got them, with the new
 * memory map, and a node that says where the configuration table lies.
 *
 * @returns their address
 * @source Linux arch/x86/kernel/kexec-bzimage64.c, setup_boot_parameters, setup_efi_state
 */
export const writeBootParams = (k: Kernel, given: HandOver, e820: readonly E820Entry[]): number => {
  const { memory } = given;
  const at = k.kexec.starts[k.kexec.count - PARAMS_FROM_END]!;
  const params = pageAt(memory, at);
  params.set(memory.bytes(given.bootParams, BOOT_PARAMS.size)!);
  putE820Table(params, e820);
  const system = memory.bytes(Number(bootParamsAddress(params, "efiSystab")), EFI_SYSTEM_TABLE.size)!;
  const tables = EFI_SYSTEM_TABLE.get(system, "tables");
  const reserved = new Uint8Array(64);
  const data = EFI_SETUP_DATA.encode({ firmwareVendor: 0n, runtime: 0n, tables, smbios: 0n, reserved });
  pageAt(memory, at + PAGE).set(encodeSetupData(SETUP_DATA_TYPE.EFI, data));
  BOOT_PARAMS.put(params, "setupData", BigInt(at + PAGE));
  return at;
};

/** The memory map that boot parameters hold. */
export const memoryMapIn = ({ memory }: HandOver, bootParams: number): readonly E820Entry[] =>
  decodeE820Table(memory.bytes(bootParams, BOOT_PARAMS.size)!);
