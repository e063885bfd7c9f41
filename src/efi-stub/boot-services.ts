import type { Guid } from "../abi/efi/guid.ts";
import type { EfiMemoryType } from "../abi/efi/memory-descriptor.ts";
import type { EfiStatus } from "../abi/efi/status.ts";

/** Where a copy of the memory map lies in guest memory. */
export interface MemoryMapAt {
  /** Guest-physical byte address of the first descriptor. */
  readonly at: number;
  /** Bytes of descriptors. */
  readonly size: number;
  /** Bytes from one descriptor to the next. */
  readonly descriptorSize: number;
  readonly descriptorVersion: number;
  /** What ExitBootServices asks for: it is good until the map changes. */
  readonly key: number;
}

/** The boot services of the firmware that the stub calls. @source UEFI 2.10, chapter 7 */
export interface BootServices {
  /**
   * The current map, in memory of this type, or in that of `reuse` again.
   *
   * @returns undefined for EFI_OUT_OF_RESOURCES
   */
  getMemoryMap(type: EfiMemoryType, reuse?: MemoryMapAt): MemoryMapAt | undefined;
  /**
   * Pool memory, 8-byte aligned and zero.
   *
   * @param size bytes
   * @returns its guest-physical byte address, or undefined for EFI_OUT_OF_RESOURCES
   */
  allocatePool(type: EfiMemoryType, size: number): number | undefined;
  freePool(at: number): void;
  /** Adds an entry to the configuration table, or moves the one of this GUID. */
  installConfigurationTable(guid: Guid, table: number): EfiStatus;
  /**
   * The SEV memory-acceptance protocol: asks firmware to leave unaccepted memory as it is at ExitBootServices.
   *
   * @returns EFI_NOT_FOUND where there is no such protocol
   */
  allowUnacceptedMemory(): EfiStatus;
  /** @returns EFI_INVALID_PARAMETER if the key is not that of the current map */
  exitBootServices(key: number): EfiStatus;
}
