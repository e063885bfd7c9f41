/**
 * What the VMM did, as numbers, so that a report or a QMP server can say it and a run without either pays
 * nothing. Ranges are guest-physical bytes: start and size.
 */
export const VMM_EVENT = {
  /** A SEAMCALL returned. */
  SEAMCALL: ["leaf", "gpa", "level", "status"],
  /** A vCPU left the guest for the VMM. */
  TD_EXIT: ["vcpu", "reason", "gpa", "eeqType"],
  /** The KVM attribute of a range became private (1) or shared (0). */
  ATTRIBUTE: ["start", "size", "private"],
  /** A vCPU touched a page with the wrong polarity, and the VMM converted it. */
  IMPLICIT_CONVERSION: ["vcpu", "gpa", "private"],
  MAP_GPA: ["vcpu", "start", "size", "private"],
  /** An exit that the VMM does not resolve: how often in a row this vCPU came back with it. */
  UNRESOLVED: ["vcpu", "gpa", "count"],
  /** Pages of a range were given back: private and shared bytes freed. */
  DISCARD: ["start", "size", "privateBytes", "sharedBytes"],
  /** A virtio-mem request was answered; answer is the response type, state in bits 15:8, or -1 for none. */
  VIRTIO_MEM: ["device", "type", "addr", "blocks", "answer"],
  /** QMP MEMORY_DEVICE_SIZE_CHANGE. */
  MEMORY_DEVICE_SIZE_CHANGE: ["device", "size"],
  /** The device's configuration changed and its driver was interrupted. */
  CONFIG_INTERRUPT: ["device", "generation"],
  /** General-purpose event raised: an SCI for the guest. */
  GPE: ["number"],
  DIMM_PLUGGED: ["slot", "start", "size"],
  /** QMP ACPI_DEVICE_OST. */
  ACPI_DEVICE_OST: ["slot", "source", "status"],
  /** QMP DEVICE_DELETED of a DIMM. */
  DEVICE_DELETED: ["slot"],
  /** QMP DEVICE_UNPLUG_GUEST_ERROR. */
  DEVICE_UNPLUG_GUEST_ERROR: ["slot"],
  SYSTEM_RESET: [],
  /** RMPUPDATE returned: guest address, size (1: 2 MiB), 1 if it assigned. */
  RMPUPDATE: ["gpa", "size", "assigned", "result"],
  PSMASH: ["gpa", "result"],
  /** An entry of a page state change, or a request by MSR. */
  PAGE_STATE_CHANGE: ["vcpu", "start", "size", "private"],
  /** A vCPU left an SNP guest; errorHi is the high half of a nested page fault's error code. */
  VMEXIT: ["vcpu", "code", "gpa", "errorHi"],
  /** The VM ends; see VM_END for the reason. */
  KILLED: ["vcpu", "reason", "gpa", "status"],
} as const;
export type VmmEventName = keyof typeof VMM_EVENT;

/** Names by number: an event's number is its place in the table. */
export const VMM_EVENT_NAMES = Object.keys(VMM_EVENT) as readonly VmmEventName[];

const numberOf = (name: VmmEventName): number => VMM_EVENT_NAMES.indexOf(name);

export const SEAMCALL_EVENT = numberOf("SEAMCALL");
export const TD_EXIT_EVENT = numberOf("TD_EXIT");
export const ATTRIBUTE_EVENT = numberOf("ATTRIBUTE");
export const IMPLICIT_CONVERSION_EVENT = numberOf("IMPLICIT_CONVERSION");
export const MAP_GPA_EVENT = numberOf("MAP_GPA");
export const UNRESOLVED_EVENT = numberOf("UNRESOLVED");
export const DISCARD_EVENT = numberOf("DISCARD");
export const VIRTIO_MEM_EVENT = numberOf("VIRTIO_MEM");
export const SIZE_CHANGE_EVENT = numberOf("MEMORY_DEVICE_SIZE_CHANGE");
export const CONFIG_INTERRUPT_EVENT = numberOf("CONFIG_INTERRUPT");
export const GPE_EVENT = numberOf("GPE");
export const DIMM_PLUGGED_EVENT = numberOf("DIMM_PLUGGED");
export const OST_EVENT = numberOf("ACPI_DEVICE_OST");
export const DEVICE_DELETED_EVENT = numberOf("DEVICE_DELETED");
export const UNPLUG_GUEST_ERROR_EVENT = numberOf("DEVICE_UNPLUG_GUEST_ERROR");
export const SYSTEM_RESET_EVENT = numberOf("SYSTEM_RESET");
export const RMPUPDATE_EVENT = numberOf("RMPUPDATE");
export const PSMASH_EVENT = numberOf("PSMASH");
export const PAGE_STATE_CHANGE_EVENT = numberOf("PAGE_STATE_CHANGE");
export const VMEXIT_EVENT = numberOf("VMEXIT");
export const KILLED_EVENT = numberOf("KILLED");

/** Takes events. The numbers are those that VMM_EVENT names; the ones an event does not have are 0. */
export interface VmmSink {
  emit(event: number, a: number, b: number, c: number, d: number, e: number): void;
  /** Whether nobody looks at, or comes between, the SEAMCALLs that remove pages. Left out: somebody does. */
  readonly isUnseen?: boolean;
  /** So many pages of 4 KiB were removed unseen, by steps that were not taken one by one. */
  removed?(pages: number): void;
}

/** Why a VM ended. */
export const VM_END = {
  NONE: 0,
  /** A private page was touched before it was accepted. */
  PENDING_ACCESS: 1,
  /** A private access or accept met an address without a memslot. */
  NO_MEMORY_THERE: 2,
  /** A private access or accept met an unplugged block. */
  UNPLUGGED_BLOCK: 10,
  /** A private access met a shared page, and the VMM does not convert. */
  WRONG_POLARITY: 3,
  /** The host has no frame left. */
  HOST_OUT_OF_MEMORY: 4,
  /** The TDX module refused what the VMM had reason to expect; status tells. */
  MODULE_REFUSED: 5,
  /** The guest still holds a page that the VMM must take back. */
  PINNED: 6,
  /** A vCPU came back with the same exit too often. */
  STUCK: 7,
  /** The guest asked for it: TDVMCALL ReportFatalError. */
  GUEST_FATAL_ERROR: 8,
  /** An accept of small pages met a large mapping, and the VMM does not split. */
  SMALL_ACCEPT: 9,
  /** The guest asked for it: SEV-ES termination request; status is the reason set times 256 plus the reason. */
  GUEST_TERMINATED: 11,
  /** RMPUPDATE or PSMASH refused what the VMM had reason to expect; status tells. */
  RMP_REFUSED: 12,
  /** A vCPU met memory whose integrity is lost. */
  MACHINE_CHECK: 13,
} as const;
export type VmEnd = keyof typeof VM_END;

/** The name of an end; a number that has none keeps it. */
export const vmEndName = (end: number): string =>
  (Object.entries(VM_END).find(([, n]) => n === end)?.[0] ?? `end ${end}`).toLowerCase().replaceAll("_", " ");
