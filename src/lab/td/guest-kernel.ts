import type { Btf } from "../kernel-image/btf.ts";
import type { OrcTable } from "../kernel-image/orc.ts";
import type { SymbolTable } from "../kernel-image/symbol-table.ts";
import type { Unpacking } from "../kernel-image/unpacking.ts";

/** What the lab must know of a guest's kernel image. Virtual addresses are as linked, before any relocation. */
export interface GuestKernel {
  /** The kernel's own name for itself, such as 6.12.117+deb12-cloud-amd64. */
  readonly release: string;
  /** Physical address of the decompressor's jump into the decompressed kernel, if loaded below `preferred`. */
  readonly lastJump: bigint;
  /** Address the kernel is linked for, and what its decompressor rounds its own address up to. Guest-physical bytes. */
  readonly preferred: number;
  readonly alignment: number;
  /** How the lab unpacks it; undefined if its decompressor has to. */
  readonly unpacking: Unpacking | undefined;
  /** Bytes from the start of the decompressed kernel to its entry. */
  readonly entryOffset: number;
  /** Bytes that the kernel needs from its start. */
  readonly initSize: number;
  /** Virtual address of the start of the decompressed kernel. */
  readonly base: bigint;
  /** A pointer in the image that the decompressor relocates: where it lies, and its value as linked. */
  readonly relocated: { readonly at: bigint; readonly value: bigint };
  /** Addresses of CPUID instructions in the kernel's text. */
  readonly cpuidSites: readonly bigint[];
  /** Room in a function that a TD never calls, behind what others check of it; none if `bytes` is 0. */
  readonly stubRoom: { readonly at: bigint; readonly bytes: number };
  /** Addresses of TDCALL instructions in the kernel's text. */
  readonly tdcallSites: readonly bigint[];
  /** Where each function that executes TDCALL can be patched, and whether it gives back the argument words. */
  readonly tdcalls: readonly { readonly at: bigint; readonly outputs: boolean }[];
  /** Address of a symbol; undefined if the kernel has none of that name. */
  symbol(name: string): bigint | undefined;
  /** Types of its structures, read when first asked for. @throws DecodeError if the kernel has none */
  types(): Btf;
  /**
   * Its unwind table, read when first asked for; undefined if it was built without.
   *
   * @throws NotModelled if its form is not known; DecodeError if it is damaged
   */
  unwindTable(): OrcTable | undefined;
  readonly symbols: SymbolTable;
}
