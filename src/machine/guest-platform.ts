import type { ChangedUnits } from "../flat/changed-units.ts";
import type { Procedure } from "../flat/procedure.ts";
import type { Boundary } from "../linux/boundary.ts";
import type { Platform } from "../linux/kernel.ts";
import type { Vmm } from "../vmm/vmm.ts";
import type { CpuObserver } from "./hardware.ts";

/** Platforms that a machine can have. */
export const PLATFORM_NAMES = ["tdx", "snp"] as const;
export type PlatformName = (typeof PLATFORM_NAMES)[number];

/**
 * Hardware's word on each private page, walked as a tree: a secure EPT, or nested page tables under the RMP. States have the secure
 * EPT's numbers on every platform.
 */
export interface PageStates {
  /** 2 MiB units whose state changed. */
  readonly changed: ChangedUnits;
  /** Walks towards an entry of `level`; the members below tell where it ended. */
  walk(lo: number, hi: number, level: number): void;
  readonly level: number;
  readonly stateHere: number;
  /** Number of the table below, where the walk ended above 4 KiB pages; how many pages of a table the guest may use. */
  readonly tableHere: number;
  readonly mappedCount: { readonly [table: number]: number };
  endOfState(gpa: number, limit: number): number;
  /** Whoever wrote the tables from outside calls this, if a walk remembers another. */
  forgetWalk?(): void;
}

/** What invariants and reports need of a platform. */
export interface GuestPages {
  readonly sept: PageStates;
}

/** One confidential VM as a machine drives it, whatever makes it confidential. */
export interface GuestPlatform {
  readonly name: PlatformName;
  readonly pages: GuestPages;
  readonly cpus: Pick<Boundary, "regs" | "tdcall" | "access" | "snp"> & { readonly observer: CpuObserver };
  /** The guest kernel's part. */
  readonly linux: Platform;
  /** What the VMM does about an exit. */
  readonly exitHandler: Procedure<Vmm>;
  /** How messages name what accepts a page, and what holds its state. */
  readonly acceptName: string;
  readonly stateHolder: string;
  /** Whether a vCPU runs guest code. */
  isInGuest(vcpu: number): boolean;
  /** The vCPU goes on in the guest. @returns a packed status, 0 if it does */
  tryEnter(vcpu: number): number;
  /** It did: what its last exit asked for is given to it. */
  entered(vcpu: number): void;
  /** The host makes a vCPU leave that runs guest code. */
  leave(vcpu: number): void;
  /** Whether a vCPU's last exit was a call to the host. */
  calledHost(vcpu: number): boolean;
  /** Why a vCPU left: a number of EXIT_KINDS. */
  exitKind(vcpu: number): number;
  /** Bytes of [start, end) that the guest accepted or could, and never wrote. */
  untouched(start: number, end: number): number;
}
