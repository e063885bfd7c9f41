import type { EfiMemoryDescriptor } from "../abi/efi/memory-descriptor.ts";
import type { Design } from "../linux/design.ts";
import type { Geometry } from "../linux/geometry.ts";
import type { KernelOptions } from "../linux/kernel.ts";
import type { Variant } from "../linux/variant.ts";
import type { ModuleBehaviour } from "../tdx-module/behaviour.ts";
import type { GpaRange, GuestLayout } from "../vmm/layout.ts";
import type { VmmPolicy } from "../vmm/policy.ts";
import type { VirtioMemConfig } from "../vmm/vmm.ts";
import type { FaultPlan } from "./faults/fault-points.ts";
import type { PlatformName } from "./guest-platform.ts";
import type { TdHost } from "./td-host.ts";

/** A DIMM that is there when the machine starts, or is plugged later. */
export interface DimmConfig {
  readonly id: string;
  readonly size: number;
  readonly node: number;
  /** Left out: the lowest free slot. */
  readonly slot?: number;
  /** Left out: the first fit in the window. */
  readonly addr?: number;
}

/** Everything that decides what a machine does. Two machines with equal configurations do the same, bit by bit. */
export interface MachineConfig {
  /** What makes the VM confidential; left out: TDX. */
  readonly platform?: PlatformName;
  readonly layout: GuestLayout;
  /** Sizes that the guest counts in; left out: those of x86-64. A checker takes smaller sections. */
  readonly geometry?: Geometry;
  readonly nodes: number;
  readonly vcpus: number;
  readonly virtioMem: readonly VirtioMemConfig[];
  readonly dimms: readonly DimmConfig[];
  /** ACPI SRAT as firmware hands it over; left out: there is none. */
  readonly srat?: Uint8Array;
  /** RAM that firmware leaves unaccepted, EFI memory type 15. */
  readonly unaccepted: readonly GpaRange[];
  /** Descriptors that replace the firmware's own where they lie. */
  readonly efiMemoryMap: readonly EfiMemoryDescriptor[];
  /** Where EFI pool memory starts, and so the unaccepted table lies; left out: below the first RAM's end. */
  readonly poolAddress?: number;
  readonly policy: Partial<VmmPolicy>;
  /** CONFIG_FLAGS.PAGE_RELEASE of the TD. */
  readonly pageRelease: boolean;
  /** The initialised TDX host that the TD runs on; left out: a module and memory of its own. */
  readonly host?: TdHost;
  /** Width of a guest-physical address; left out: 52, or 53 where memory reaches beyond. Its top bit means shared. */
  readonly gpaw?: 52 | 53;
  /** What the TDX module does where versions differ or no source tells; left out: its defaults. */
  readonly moduleBehaviour?: Partial<ModuleBehaviour>;
  readonly variant: Variant;
  readonly options: KernelOptions;
  readonly design: Design;
  /** Bytes that crashkernel= keeps; left out: none. */
  readonly crashKernel?: number;
  /** Bytes and alignment that reserve_mem= names; left out: none. */
  readonly reserveMem?: { readonly size: number; readonly align: number };
  /** CONFIG_DEFERRED_STRUCT_PAGE_INIT of the kernel; left out: yes. */
  readonly deferredInit?: boolean;
  /** Below 2^53. */
  readonly seed: number;
  /** What goes wrong from the EFI stub on; left out: nothing. */
  readonly faults?: FaultPlan;
}
