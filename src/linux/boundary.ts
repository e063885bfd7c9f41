import type { Regs } from "../abi/tdx/regs.ts";

/** What an access answers that met #VE on shared memory: the kernel's handler has the next word. */
export const SHARED_VE = 0;

/**
 * What the guest can reach outside itself. A model machine stands behind it in one world, QEMU and our
 * TDX module in the other; nothing in linux/ or designs/ knows which.
 */
export interface Boundary {
  /** General registers of a vCPU. */
  regs(vcpu: number): Regs;
  /**
   * Executes TDCALL with the vCPU's registers.
   *
   * @returns the packed status (0: SUCCESS), or a negative number when the instruction did not retire
   *   (a TD exit, or an interrupt): the step that issued it is done again once the vCPU is back
   */
  tdcall(vcpu: number): number;
  /**
   * Accepts pages of 4 KiB or 2 MiB from `start` on at once, where each call alone would be seen by nobody. Absent where
   * it would.
   *
   * @param start guest-physical bytes, a multiple of 4 KiB @returns where it ended, at most `end`; `start` if it did nothing
   */
  acceptAtOnce?(vcpu: number, start: number, end: number): number;
  /**
   * Loads or stores by the CPU through a private or shared mapping, from `gpa` upward.
   *
   * @param gpa byte address without the shared bit @param length bytes, at least 1
   * @returns bytes done, at least 1, which may be fewer than asked; negative if the first page did not let
   *   the access through: the step is done again, or never retires; SHARED_VE
   */
  access(vcpu: number, gpa: number, length: number, write: boolean, shared: boolean): number;
  /** What an SEV-SNP guest executes; absent elsewhere. */
  readonly snp?: SnpInstructions;
  /** Guest memory that is not under test: firmware tables, boot parameters. A view, not a copy. */
  memory(gpa: number, length: number): Uint8Array;
  readonly virtioMem: readonly VirtioMemPort[];
  readonly acpi: AcpiMemoryPort | undefined;
}

/** Instructions of an SEV-SNP guest, its GHCB page of shared memory and its GHCB MSR. */
export interface SnpInstructions {
  /**
   * PVALIDATE of the page that a virtual address translates to: guest-physical bytes, size (0: 4 KiB, 1: 2 MiB), 1 to validate, 0
   * to rescind.
   *
   * @returns a value of PVALIDATE_RESULT; negative when the instruction did not retire and has to be done again
   */
  pvalidate(vcpu: number, gpa: number, size: number, validate: number): number;
  /** VMGEXIT: leaves the guest. The answer is in the GHCB page or the MSR once the vCPU is back. */
  vmgexit(vcpu: number): void;
  ghcb(vcpu: number): Uint8Array;
  /** The MSR's two halves, low first. */
  msr(vcpu: number): Uint32Array;
  setMsr(vcpu: number, low: number, high: number): void;
}

/** One virtio-mem device as its driver sees it. Sizes and addresses are bytes. */
export interface VirtioMemPort {
  readonly name: string;
  readonly blockSize: number;
  readonly nodeId: number;
  readonly addr: number;
  readonly regionSize: number;
  usableRegionSize(): number;
  pluggedSize(): number;
  requestedSize(): number;
  /** Puts a request into the queue. One is in flight at a time. */
  send(type: number, addr: number, blocks: number): void;
  /** @returns -1 while the request is out, else response type | state << 8; taking it empties the queue */
  response(): number;
}

/** The memory-hotplug register block, offsets 0x00 to 0x17. */
export interface AcpiMemoryPort {
  readonly slots: number;
  read(offset: number, width: 1 | 2 | 4): number;
  write(offset: number, width: 1 | 2 | 4, value: number): void;
}
