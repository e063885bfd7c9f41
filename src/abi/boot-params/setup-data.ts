import { DecodeError, type FieldsOf, hex, struct } from "../bytes.ts";

/** @source Linux arch/x86/include/uapi/asm/setup_data.h */
export const SETUP_DATA_HEADER = struct("setup_data node", 16, {
  next: [0, "u64"], // guest-physical byte address of the next node, or 0
  type: [8, "u32"],
  length: [12, "u32"], // bytes of data behind the header
});
export type SetupDataHeader = FieldsOf<typeof SETUP_DATA_HEADER>;

/** Types of nodes. A type with bit 31 set says that the data lies elsewhere. */
export const SETUP_DATA_TYPE = { E820_EXT: 1, EFI: 4, KEXEC_KHO: 10 } as const;
export const SETUP_DATA_INDIRECT = 0x8000_0000;

/**
 * Payload of the EFI node that a kexec'ed kernel gets: its tables pointer takes the place of the system table's,
 * while the number of entries still comes from there.
 *
 * @source Linux arch/x86/include/asm/efi.h (struct efi_setup_data)
 */
export const EFI_SETUP_DATA = struct("EFI setup data", 96, {
  firmwareVendor: [0, "u64"],
  runtime: [8, "u64"], // unused
  tables: [16, "u64"], // guest-physical byte address of the configuration table
  smbios: [24, "u64"],
  reserved: [32, "bytes:64"],
});
export type EfiSetupData = FieldsOf<typeof EFI_SETUP_DATA>;

export interface SetupDataNode {
  /** Guest-physical byte address of the node's header. */
  readonly address: bigint;
  readonly type: number;
  /** A view of the node's data. */
  readonly data: Uint8Array;
}

/** A node in bytes: its header, then its data. */
export const encodeSetupData = (type: number, data: Uint8Array, next = 0n): Uint8Array => {
  const bytes = new Uint8Array(SETUP_DATA_HEADER.size + data.length);
  bytes.set(SETUP_DATA_HEADER.encode({ next, type, length: data.length }));
  bytes.set(data, SETUP_DATA_HEADER.size);
  return bytes;
};

/** A view of guest memory at a guest-physical byte address; undefined where there is none. */
export type BytesAt = (address: number, length: number) => Uint8Array | undefined;

const WHAT = SETUP_DATA_HEADER.name;

const viewAt = (bytesAt: BytesAt, address: bigint, length: number): Uint8Array => {
  const view = address < 2n ** 52n ? bytesAt(Number(address), length) : undefined;
  if (view !== undefined) return view;
  throw new DecodeError(WHAT, 0, `${length} bytes of guest memory at ${hex(address)}`, "none");
};

/**
 * The nodes from `head` on.
 *
 * @throws DecodeError if a node or its data lies outside guest memory, or the chain comes back to a node
 */
export const setupDataNodes = (bytesAt: BytesAt, head: bigint): SetupDataNode[] => {
  const nodes: SetupDataNode[] = [];
  const seen = new Set<bigint>();
  for (let address = head; address !== 0n; ) {
    if (seen.has(address))
      throw new DecodeError(WHAT, 0, "a chain that ends", `the node at ${hex(address)} again`);
    seen.add(address);
    const header = SETUP_DATA_HEADER.decode(viewAt(bytesAt, address, SETUP_DATA_HEADER.size));
    const data = viewAt(bytesAt, address + BigInt(SETUP_DATA_HEADER.size), header.length);
    nodes.push({ address, type: header.type, data });
    address = header.next;
  }
  return nodes;
};
