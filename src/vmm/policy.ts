/** What a VMM may do one way or another. The defaults are QEMU and KVM with huge pages, as of 2026. */
export interface VmmPolicy {
  /** Largest mapping that a fault makes. KVM up to 6.17 knows 4K only. */
  readonly augSize: "4K" | "2M";
  /**
   * Private pages are mapped when the guest needs them, or as soon as they may be needed: `ahead` maps inside PLUG
   * and MapGPA; for boot memory and DIMMs whoever runs the VMM starts `prefault` over them.
   */
  readonly aug: "fault" | "ahead";
  /** KVM attribute of a memory device's memslot when it is created. Boot memory starts private. */
  readonly start: "private" | "shared";
  /**
   * An access through a shared mapping to a page that the VMM has not mapped there. KVM leaves the guest for it; a VMM may also
   * let hardware raise #VE in the guest, as it does for MMIO.
   */
  readonly sharedMiss: "exit" | "ve";
  /** A private access or accept of a page whose attribute is shared. */
  readonly implicitConversion: "convert" | "kill" | "spin";
  /**
   * A private access or accept in an unplugged block. `allocate` is QEMU's live memslot; where there is no
   * memslot at all, `allocate` means `kill`, because there is nothing to allocate from.
   */
  readonly unplugged: "allocate" | "kill" | "spin";
  /** An accept of 4 KiB inside a mapping of 2 MiB. */
  readonly smallAccept: "demote" | "kill" | "spin";
  /**
   * What UNPLUG gives back. QEMU today: the shared plane only. `set-aside` is a hostile host: on SEV-SNP it takes the mappings
   * away and keeps the pages, still assigned; on TDX, where that cannot be, it is `both`.
   */
  readonly discard: "none" | "shared-only" | "both" | "set-aside";
  /** A page that the guest did not release cannot be taken back: refuse the unplug, or end the VM. */
  readonly pinned: "busy" | "kill";
  /**
   * TDH.MEM.RANGE.BLOCK or TDH.MEM.PAGE.REMOVE is busy a second time. KVM up to 6.18 has taken its vCPUs out of the TD by then and
   * calls that a bug of its own, which ends the VM; with the locks that it takes since, whoever is in the way has to let go.
   */
  readonly moduleBusy: "again" | "bug";
  /** Entries of a page state change that one call does at most; the guest asks again for the rest. */
  readonly pscEntries: number;
  /** Unresolved exits in a row after which a spinning vCPU ends the VM. */
  readonly spinLimit: number;
}

export const DEFAULT_POLICY: VmmPolicy = {
  augSize: "2M",
  aug: "fault",
  start: "private",
  sharedMiss: "exit",
  implicitConversion: "convert",
  unplugged: "allocate",
  smallAccept: "demote",
  discard: "shared-only",
  pinned: "busy",
  moduleBusy: "again",
  pscEntries: Number.POSITIVE_INFINITY,
  spinLimit: 64,
};
