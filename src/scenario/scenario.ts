import type { Fix } from "../linux/variant.ts";
import type { Expectation } from "./expectation.ts";
import type { HostDeed, HostSpec } from "./host-spec.ts";
import type { Place } from "./scenario-error.ts";

/**
 * A scenario after validation: plain data, every size in bytes, every address a guest-physical byte
 * address, every duration in nanoseconds of virtual time, every default filled in. Ranges are half open.
 */
export interface Scenario {
  /** The file it was read from, as the user named it. */
  readonly file: string;
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly machine: MachineSpec;
  readonly guest: GuestSpec;
  readonly vmm: VmmPolicy;
  readonly platform: Platform;
  /** Decides every choice that real machines leave open: which vCPU runs next, and so on. 0 to 2^53 - 1. */
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** null: nothing fails but what `faults` names. */
  readonly swarm: FaultSwarm | null;
  readonly steps: readonly Step[];
  /** What must hold after the last step. */
  readonly expect: readonly Expectation[];
  /** Invariants that must break: a known bug shown on purpose. */
  readonly mustBreak: readonly DeclaredBreak[];
}

/** What makes the VM confidential. */
export const PLATFORMS = ["tdx", "snp"] as const;
export type Platform = (typeof PLATFORMS)[number];

export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/** The virtual machine as its operator describes it, in QEMU's words. */
export interface MachineSpec {
  /** RAM at boot, in bytes. */
  readonly memory: number;
  readonly vcpus: number;
  /** NUMA nodes; RAM is split evenly. */
  readonly nodes: number;
  /** `q35`: low RAM to 2.75 GiB or 2 GiB, the rest from 4 GiB. Otherwise the ranges of RAM, ascending. */
  readonly layout: "q35" | readonly RamRange[];
  /** DIMM slots; each adds 1 GiB of alignment slack to the hot-plug window. */
  readonly slots: number;
  /** Upper limit of all memory, in bytes; at least `memory`. */
  readonly maxmem: number;
  readonly virtioMem: readonly VirtioMemSpec[];
  /** DIMMs present when the machine starts. */
  readonly dimms: readonly DimmSpec[];
  readonly firmware: FirmwareSpec;
  /** The TDX host as an actor of its own; null if the scenario has none. */
  readonly host: HostSpec | null;
  readonly place: Place;
}

export interface RamRange extends AddressRange {
  readonly node: number;
}

/** A virtio-mem device: `requestedSize` is the host's target, `size` the region. */
export interface VirtioMemSpec {
  readonly id: string;
  readonly node: number;
  readonly size: number;
  readonly blockSize: number;
  readonly requestedSize: number;
  /** Start of the region; null lets the VMM choose. */
  readonly memaddr: number | null;
}

export interface DimmSpec {
  readonly id: string;
  readonly size: number;
  readonly node: number;
  /** null lets the VMM choose the lowest free slot. */
  readonly slot: number | null;
  /** null lets the VMM choose the first fit. */
  readonly addr: number | null;
}

export interface FirmwareSpec {
  readonly srat: Srat;
  /** Which RAM the firmware leaves unaccepted (EFI memory type 15). */
  readonly unaccepted: "none" | "above-4g" | "all" | readonly AddressRange[];
  /** Descriptors put over the firmware's own memory map. */
  readonly efiMemoryMap: readonly EfiEntry[];
  /** Where EFI pool memory, hence the unaccepted table, is allocated; null lets the firmware choose. */
  readonly poolAddress: number | null;
}

/** Where the SRAT comes from: made as QEMU makes it, given as bytes, or absent. */
export type Srat =
  | { readonly kind: "none" }
  | { readonly kind: "generated" }
  | { readonly kind: "bytes"; readonly from: string; readonly bytes: Uint8Array };

export interface EfiEntry extends AddressRange {
  /** EFI memory type, 0 to 15. */
  readonly type: number;
  /** Names of attribute bits, such as WB or HOT_PLUGGABLE. */
  readonly attributes: readonly string[];
}

export const KERNELS = ["6.12", "7.3"] as const;
export const ACCEPT_MODES = ["lazy", "eager"] as const;
export const AUTO_ONLINE = ["offline", "online", "online_kernel", "online_movable"] as const;
export const ONLINE_KINDS = ["online", "online_kernel", "online_movable"] as const;
export type Kernel = (typeof KERNELS)[number];
export type OnlineKind = (typeof ONLINE_KINDS)[number];

export interface GuestSpec {
  readonly kernel: Kernel;
  readonly accept: (typeof ACCEPT_MODES)[number];
  /** Fixes that the kernel is made to lack, by the number of their bug. */
  readonly revert: readonly Fix[];
  /** Name of the design that does the guest's part of hotplug. */
  readonly design: string;
  /** Options of that design, which it checks itself. */
  readonly designOptions: { readonly [name: string]: string | number | boolean };
  /** CONFIG_DEFERRED_STRUCT_PAGE_INIT. */
  readonly deferredInit: boolean;
  readonly memmapOnMemory: boolean;
  readonly autoOnline: (typeof AUTO_ONLINE)[number];
  /** reserve_mem=: bytes and alignment; null: nothing. */
  readonly reserveMem: { readonly size: number; readonly align: number } | null;
}

/** The choices that specifications leave to the VMM and the host kernel. */
export interface VmmPolicy {
  /** Largest page the host adds to the secure EPT: 4096 or 2 MiB. */
  readonly augSize: number;
  /** `fault`: a page is added when the guest needs it. `ahead`: when memory is plugged. */
  readonly aug: "fault" | "ahead";
  /**
   * What unplug throws away: nothing, shared copies only (QEMU so far), or private pages too. A hostile host sets them aside, which
   * SEV-SNP lets it.
   */
  readonly discard: "none" | "shared-only" | "both" | "set-aside";
  /** TDCS bit PAGE_RELEASE: the guest can and must give private pages back before the host removes them. */
  readonly pageRelease: boolean;
  /** State of plugged memory before the guest does anything. */
  readonly start: "private" | "shared";
  /** What happens if the guest touches memory that is not plugged. */
  readonly unpluggedAccess: "allocate" | "kill" | "spin";
  /** A touch of shared memory that the VMM has not mapped leaves the guest, or raises #VE in it. */
  readonly sharedMiss: "exit" | "ve";
  /** An access through the wrong kind of mapping converts the page. */
  readonly implicitConversion: boolean;
  /** A leaf that takes private pages back is busy a second time: it is asked again, or that is a bug and the end of the VM. */
  readonly moduleBusy: "again" | "bug";
  /** SEV-SNP: entries of a page state change that one call does at most; null: all. */
  readonly pscEntries: number | null;
}

/** Makes calls go wrong: the `at`-th of that name (from 1), and as many in a row as `times` says. */
export interface Fault {
  readonly call: string;
  readonly at: number;
  readonly times: number;
  /** What they answer; null: their own answer, but late. */
  readonly answer: string | null;
  /** Virtual nanoseconds that the answer is late. */
  readonly late: number;
  /** Chunks of 4 KiB that an interrupted accept still zeroes; null: the seed decides. */
  readonly after: number | null;
  /** Only calls about this memory count; null: all do. */
  readonly range: AddressRange | null;
  /** Whether the scenario holds even if it never strikes. */
  readonly optional: boolean;
  readonly place: Place;
}

/** Faults drawn from the seed: first which kinds there are at all, then which calls they strike. */
export interface FaultSwarm {
  /** Calls that may fail; empty: every call that knows a failure which software has to live with. */
  readonly calls: readonly string[];
  readonly place: Place;
}

export interface DeclaredBreak {
  readonly invariant: string;
  readonly place: Place;
}

interface Placed {
  readonly place: Place;
}

/** Memory named by a step: an address, or what an `allocate` step called it. */
export type Target =
  | { readonly kind: "gpa"; readonly gpa: number }
  | { readonly kind: "name"; readonly name: string };

/** Memory blocks `first` to `last`, both included. */
export interface BlockRange {
  readonly first: number;
  readonly last: number;
}

export const KEXEC_IMAGES = ["bzImage", "vmlinux"] as const;
export const KEXEC_SYSCALLS = ["kexec_file_load", "kexec_load"] as const;

/** The kernel that a kexec starts; null: as the one that runs first. */
export interface NextKernelSpec {
  readonly kernel: Kernel | null;
  readonly revert: readonly Fix[] | null;
  readonly design: string | null;
  /** A vmlinux is entered without a decompressor. */
  readonly image: (typeof KEXEC_IMAGES)[number];
  readonly syscall: (typeof KEXEC_SYSCALLS)[number];
}

/** A step that a world performs. */
export type Action =
  | (Placed & { readonly kind: "boot" })
  /** System reset: the same machine starts again and boots. */
  | (Placed & { readonly kind: "reset" })
  /** The running kernel starts another one, with the memory as it is. */
  | (Placed & NextKernelSpec & { readonly kind: "kexec" })
  /** The kernel panics, and a crash kernel reads all of /proc/vmcore. */
  | (Placed & { readonly kind: "crash" })
  | (Placed & {
      readonly kind: "plug";
      readonly dimm: string;
      readonly size: number;
      readonly slot: number | null;
      readonly node: number;
      readonly addr: number | null;
    })
  | (Placed & { readonly kind: "unplug"; readonly dimm: string })
  /** The operator sets the requested size of a virtio-mem device. */
  | (Placed & { readonly kind: "resize"; readonly device: string; readonly to: number })
  | (Placed & {
      readonly kind: "allocate";
      readonly name: string;
      readonly size: number;
      /** Order of each allocation; null: the largest that fits, down to single pages. */
      readonly order: number | null;
      readonly movable: boolean;
      /** In a context that may take no lock, as BPF programs allocate. */
      readonly trylock: boolean;
      /** By handlers of interrupts: each page in one of its own, on whatever the vCPU is doing. */
      readonly interrupt: boolean;
      readonly node: number | null;
      readonly vcpu: number;
    })
  | (Placed & { readonly kind: "free"; readonly name: string; readonly vcpu: number })
  /** A driver shares an allocation with the host, or takes it back. */
  | (Placed & { readonly kind: "share"; readonly name: string; readonly vcpu: number })
  | (Placed & { readonly kind: "unshare"; readonly name: string; readonly vcpu: number })
  | (Placed & {
      readonly kind: "touch";
      readonly target: Target;
      /** Bytes from the start of the target; null: all of it. */
      readonly size: number | null;
      readonly access: "read" | "write";
      readonly vcpu: number;
    })
  /** A word read that begins in the page before `across` and whose last bytes lie behind it. */
  | (Placed & { readonly kind: "read"; readonly across: number; readonly vcpu: number })
  /** A hostile host shows the guest what it had set aside, and sets aside what is there now. */
  | (Placed & { readonly kind: "remap"; readonly at: number; readonly size: number })
  /** Allocates until MemFree is at most `leave` bytes. */
  | (Placed & { readonly kind: "pressure"; readonly leave: number; readonly vcpu: number })
  | (Placed & { readonly kind: "online"; readonly blocks: BlockRange; readonly as: OnlineKind })
  | (Placed & { readonly kind: "offline"; readonly blocks: BlockRange })
  /** Something on the TDX host. */
  | (Placed & { readonly kind: "host"; readonly deed: HostDeed })
  /** Operators on different vCPUs at once; the seed decides how they interleave. */
  | (Placed & { readonly kind: "parallel"; readonly actions: readonly Action[] });

export type ActionKind = Action["kind"];

export type Step =
  | Action
  | (Placed & { readonly kind: "wait"; readonly for: WaitFor; readonly timeoutNs: number })
  | (Placed & { readonly kind: "expect"; readonly expectations: readonly Expectation[] })
  | (Placed & { readonly kind: "note"; readonly text: string });

export type WaitFor =
  | { readonly kind: "idle" }
  | { readonly kind: "time"; readonly ns: number }
  | { readonly kind: "condition"; readonly expectations: readonly Expectation[] };
