import type { TableListing } from "../abi/acpi/table-listing.ts";

/** Where something was read. Lines count from 1, offsets from 0. */
export interface Place {
  /** The file as the user named it, or the path inside an archive or folder. */
  readonly source: string;
  readonly line?: number;
  readonly offset?: number;
}

/** Half-open range of physical bytes; both ends are 2^52 at most, so numbers are exact. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What an e820 entry is for, whatever words the kernel that printed it used. */
export const E820_CLASSES = [
  "RAM",
  "reserved",
  "soft reserved",
  "ACPI data",
  "ACPI NVS",
  "unusable",
  "persistent",
  "other",
] as const;
export type E820Class = (typeof E820_CLASSES)[number];

/** What one place of an artifact says. Sizes are bytes unless the name says otherwise. */
export type FactBody =
  | { readonly kind: "kernel"; readonly version: string }
  | { readonly kind: "command-line"; readonly text: string }
  | { readonly kind: "dmi"; readonly text: string }
  | ({ readonly kind: "e820"; readonly type: E820Class; readonly said: string } & Range)
  | ({
      readonly kind: "efi";
      /** The firmware's map at boot, or the runtime services' own map. */
      readonly map: "boot" | "runtime";
      readonly index: number;
      readonly type: number;
      /** Attribute columns by the kernel's letters; undefined where the log does not show them. */
      readonly attributes: readonly string[] | undefined;
    } & Range)
  | { readonly kind: "efi-table"; readonly name: string; readonly address: number; readonly usable: boolean }
  | {
      readonly kind: "table-address";
      readonly signature: string;
      readonly address: number;
      readonly length: number;
      readonly revision: number;
      readonly maker: string;
    }
  | ({
      readonly kind: "srat-memory";
      readonly proximity: number;
      /** The node the kernel gave to the domain; undefined in the table itself. */
      readonly node: number | undefined;
      readonly enabled: boolean;
      readonly hotplug: boolean;
      readonly nonVolatile: boolean;
    } & Range)
  | {
      readonly kind: "srat-cpu";
      readonly proximity: number;
      readonly node: number | undefined;
      readonly apicId: number;
      readonly enabled: boolean;
    }
  | ({ readonly kind: "node-range"; readonly node: number } & Range)
  | { readonly kind: "slit"; readonly distances: readonly (readonly number[])[] }
  | ({ readonly kind: "cxl-window"; readonly targets: readonly number[] } & Range)
  | ({ readonly kind: "cxl-region"; readonly name: string } & Range)
  | {
      readonly kind: "dax-device";
      readonly name: string;
      readonly bytes: number;
      readonly mode: string;
      readonly node: number | undefined;
    }
  | { readonly kind: "max-address"; readonly last: bigint }
  | { readonly kind: "acpi-table"; readonly signature: string; readonly listing: TableListing }
  | { readonly kind: "rsdp"; readonly revision: number; readonly rsdt: number; readonly xsdt: bigint }
  | ({
      readonly kind: "unaccepted-table";
      readonly version: 1 | 2;
      readonly unit: number;
      /** Bytes of one bitmap. */
      readonly size: number;
      readonly unaccepted: readonly Range[];
      readonly plugged: readonly Range[] | undefined;
    } & Range)
  | {
      /** A dump of an RMP: bytes of memory that it describes, and what of them is firmware's. */
      readonly kind: "rmp-dump";
      readonly described: number;
      readonly firmware: number;
      readonly guests: readonly RmpOwner[];
    }
  | ({ readonly kind: "cmr" } & Range)
  | ({ readonly kind: "rmp" } & Range)
  | { readonly kind: "platform"; readonly role: Role; readonly said: string }
  | { readonly kind: "tdx-keyids"; readonly first: number; readonly end: number }
  | { readonly kind: "tdx-module"; readonly said: string }
  | { readonly kind: "pamt"; readonly kib: number }
  | { readonly kind: "tdx-failed"; readonly errno: number }
  | ({ readonly kind: "reserved-areas-exhausted" } & Range)
  | { readonly kind: "tdmrs-exhausted" }
  | ({ readonly kind: "hot-add-rejected" } & Range)
  | { readonly kind: "td-words"; readonly word: "attributes" | "TD_CTLS"; readonly names: readonly string[] }
  | { readonly kind: "block-size"; readonly bytes: number }
  | { readonly kind: "memory-total"; readonly availableKib: number; readonly totalKib: number }
  | {
      readonly kind: "virtio-mem";
      readonly device: string;
      readonly field: VirtioMemField;
      readonly value: number;
    }
  | {
      readonly kind: "hotplug-event";
      readonly what: HotplugEvent;
      readonly said: string;
      readonly range?: Range;
    }
  | { readonly kind: "offline-failed"; readonly block: number }
  | ({ readonly kind: "iomem"; readonly name: string; readonly depth: number } & Range)
  | { readonly kind: "hidden-iomem" }
  | {
      readonly kind: "meminfo";
      readonly node: number | undefined;
      readonly name: string;
      readonly value: number;
      readonly unit: "kB" | "pages" | "";
    }
  | { readonly kind: "vmstat"; readonly name: string; readonly value: number }
  | {
      readonly kind: "memory-block";
      readonly block: number;
      readonly state: string | undefined;
      readonly zones: string | undefined;
      readonly removable: boolean | undefined;
      readonly node: number | undefined;
    }
  | ({
      readonly kind: "lsmem";
      readonly state: string | undefined;
      readonly removable: boolean | undefined;
      readonly node: number | undefined;
      readonly zones: string | undefined;
    } & Range)
  | { readonly kind: "lsmem-total"; readonly what: "online" | "offline"; readonly bytes: number }
  | MemoryDevice
  | { readonly kind: "device-size"; readonly id: string; readonly bytes: number }
  | {
      readonly kind: "device-request";
      readonly id: string;
      readonly bytes: number;
      readonly refused: string | undefined;
    }
  | {
      readonly kind: "device-ost";
      readonly id: string;
      readonly slot: string;
      readonly source: number;
      readonly status: number;
    }
  | { readonly kind: "device-deleted"; readonly id: string }
  | { readonly kind: "qmp-error"; readonly command: string; readonly said: string }
  | { readonly kind: "size-summary"; readonly base: number; readonly plugged: number };

/** What an SNP guest has by the RMP: bytes in all and validated, and entries by size. */
export interface RmpOwner {
  readonly asid: number;
  readonly bytes: number;
  readonly validated: number;
  readonly pages2M: number;
  readonly pages4K: number;
}

/** A memory device as a VMM describes it. */
export interface MemoryDevice {
  readonly kind: "memory-device";
  readonly id: string;
  readonly type: string;
  readonly addr: number;
  /** Bytes that are plugged. */
  readonly size: number;
  /** virtio-mem: bytes of the region, the host's target, bytes of a device block. */
  readonly maxSize: number | undefined;
  readonly requested: number | undefined;
  readonly blockSize: number | undefined;
  readonly node: number | undefined;
  readonly slot: number | undefined;
}

export const ROLES = ["TDX host", "TDX guest", "SNP host", "SNP guest", "SEV guest"] as const;
export type Role = (typeof ROLES)[number];

export const VIRTIO_MEM_FIELDS = [
  "start address",
  "region size",
  "device block size",
  "nid",
  "memory block size",
  "subblock size",
  "big block size",
  "plugged size",
  "requested size",
] as const;
export type VirtioMemField = (typeof VIRTIO_MEM_FIELDS)[number];

export const HOTPLUG_EVENTS = [
  "unaligned",
  "beyond-addressable",
  "remove-refused",
  "offline-failed",
  "probe-failed",
  "add-failed",
  "memmap-failed",
  "eject-incomplete",
  "offlined",
  "not-accepted",
] as const;
export type HotplugEvent = (typeof HOTPLUG_EVENTS)[number];

/** A fact with its place. `boot` tells the boots of one log apart; `time` is the kernel's, in seconds. */
export type Fact = FactBody & {
  readonly at: Place;
  readonly boot: number;
  readonly time: number | undefined;
};
export type FactKind = FactBody["kind"];
export type FactOf<K extends FactKind> = Extract<Fact, { readonly kind: K }>;

/** Something in an artifact that is not as it should be. */
export interface Trouble {
  readonly severity: "error" | "warning";
  readonly at: Place;
  readonly expected: string;
  readonly found: string;
}

/** Addresses stay at or below this, as on the widest machine there is (52 physical bits). */
export const ADDRESS_LIMIT = 2 ** 52;

/** A number that addresses a byte, from hexadecimal digits; undefined beyond 2^52. */
export const addressOf = (digits: string): number | undefined => {
  const value = Number.parseInt(digits, 16);
  return value <= ADDRESS_LIMIT ? value : undefined;
};

/** A half-open range from the hexadecimal digits of its first and last byte. An empty one ends before it starts. */
export const inclusiveRange = (first: string, last: string): Range | undefined => {
  const start = addressOf(first);
  const end = addressOf(last);
  if (start === undefined || end === undefined || end < start - 1 || end === ADDRESS_LIMIT) return undefined;
  return { start, end: end + 1 };
};

/** A half-open range from the hexadecimal digits of its first byte and of the one behind it. */
export const halfOpenRange = (first: string, behind: string): Range | undefined => {
  const start = addressOf(first);
  const end = addressOf(behind);
  return start === undefined || end === undefined || end < start ? undefined : { start, end };
};
