import { EFI_MEMORY_ATTRIBUTE } from "../../abi/efi/memory-descriptor.ts";
import type { FactSink } from "../fact-sink.ts";
import { ADDRESS_LIMIT, addressOf, type E820Class, type FactBody } from "../facts.ts";

/** Files of a saved machine that hold one value and say what it is by their path alone. */
const VALUE_FILES: readonly RegExp[] = [
  /(?:^|\/)sys\/devices\/system\/memory\/block_size_bytes$/,
  /(?:^|\/)sys\/devices\/system\/memory\/memory(\d{1,9})\/(state|valid_zones|removable)$/,
  /(?:^|\/)sys\/firmware\/efi\/runtime-map\/(\d{1,5})\/(type|phys_addr|num_pages|attribute)$/,
  /(?:^|\/)sys\/firmware\/memmap\/(\d{1,5})\/(start|end|type)$/,
];

/** Files of a saved machine, or of a report of one, that are read by their content. */
const CONTENT_FILES: readonly RegExp[] = [
  /(?:^|\/)proc\/(?:iomem|meminfo|vmstat)$/,
  /(?:^|\/)sys\/devices\/system\/node\/node\d+\/(?:meminfo|vmstat)$/,
  /(?:^|\/)sys\/firmware\/acpi\/tables\/(?:data\/)?[A-Z0-9]{4}\d*$/,
  /(?:^|\/)(?:dmesg|journalctl|lsmem|acpidump|iomem|qmp)[^/]*$/,
  /(?:^|\/)var\/log\/(?:dmesg|messages|syslog|kern\.log)[^/]*$/,
  /\.(?:SRAT|SLIT|HMAT|CEDT|MSCT|APIC)\.?(?:dat|aml|bin)?$/i,
];

/** Deeper than this nothing is looked at unless its path is known. */
const SHALLOW = 2;

export type PathUse = "value" | "content" | "skip";

/** What to do with a file of a tree. @param path relative to the tree, with slashes */
export const useOf = (path: string): PathUse => {
  if (VALUE_FILES.some((pattern) => pattern.test(path))) return "value";
  if (CONTENT_FILES.some((pattern) => pattern.test(path))) return "content";
  const isKernelTree = /(?:^|\/)(?:sys|proc|dev)\//.test(path);
  return !isKernelTree && path.split("/").length <= SHALLOW ? "content" : "skip";
};

/** The words of /sys/firmware/memmap. @source Linux arch/x86/kernel/e820.c (e820_type_to_string) */
const MEMMAP_TYPES: { readonly [said: string]: E820Class } = {
  "System RAM": "RAM",
  Reserved: "reserved",
  "device reserved": "reserved",
  "Soft Reserved": "soft reserved",
  "ACPI Tables": "ACPI data",
  "ACPI Non-volatile Storage": "ACPI NVS",
  "Unusable memory": "unusable",
  "Persistent Memory": "persistent",
};

const NO_STATE = { state: undefined, zones: undefined, removable: undefined, node: undefined } as const;

const ATTRIBUTES: readonly (readonly [letters: string, bit: bigint])[] = [
  ["RUN", EFI_MEMORY_ATTRIBUTE.RUNTIME],
  ["SP", EFI_MEMORY_ATTRIBUTE.SP],
  ["WB", EFI_MEMORY_ATTRIBUTE.WB],
  ["UC", EFI_MEMORY_ATTRIBUTE.UC],
];

const numberOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  if (/^0x[0-9a-f]{1,16}$/.test(text)) return addressOf(text.slice(2));
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
};

/** Collects the files that hold one value, and makes facts of those that belong together. */
export class TreeValues {
  /** Fields by the folder they are in. */
  private readonly folders = new Map<string, Map<string, string>>();
  private readonly sink: FactSink;
  private count = 0;

  constructor(sink: FactSink) {
    this.sink = sink;
  }

  file(path: string, content: string): void {
    const cut = path.lastIndexOf("/");
    const [folder, name] = [path.slice(0, cut), path.slice(cut + 1)];
    const fields = this.folders.get(folder) ?? new Map<string, string>();
    fields.set(name, content.trim().slice(0, 200));
    this.folders.set(folder, fields);
  }

  /** @returns how many facts there were */
  end(): number {
    for (const [folder, fields] of this.folders) {
      const source = `${folder}/${[...fields.keys()][0]}`;
      const body = factOf(folder, fields);
      if (typeof body === "string")
        this.sink.trouble("warning", { source }, body, [...fields.values()].join(" "));
      else if (body !== undefined) {
        this.count++;
        this.sink.fact(body, { source });
      }
    }
    return this.count;
  }
}

const EFI_PAGE = 4096;

const efiFact = (index: number, fields: ReadonlyMap<string, string>): FactBody | string => {
  const type = numberOf(fields.get("type"));
  const start = numberOf(fields.get("phys_addr"));
  const pages = numberOf(fields.get("num_pages"));
  if (type === undefined || start === undefined || pages === undefined)
    return "type, phys_addr and num_pages of a descriptor";
  const end = start + pages * EFI_PAGE;
  if (end > ADDRESS_LIMIT) return "a range of addresses up to 2^52";
  const word = /^0x[0-9a-f]{1,16}$/.test(fields.get("attribute") ?? "")
    ? BigInt(fields.get("attribute")!)
    : undefined;
  const attributes =
    word === undefined
      ? undefined
      : ATTRIBUTES.filter(([, bit]) => (word & bit) !== 0n).map(([name]) => name);
  return { kind: "efi", map: "runtime", index, type, attributes, start, end };
};

const memmapFact = (fields: ReadonlyMap<string, string>): FactBody | string => {
  const start = numberOf(fields.get("start"));
  const last = numberOf(fields.get("end"));
  const said = fields.get("type");
  if (start === undefined || last === undefined || said === undefined || last < start)
    return "start, end and type of a firmware map entry";
  return { kind: "e820", type: MEMMAP_TYPES[said] ?? "other", said, start, end: last + 1 };
};

const factOf = (folder: string, fields: ReadonlyMap<string, string>): FactBody | string | undefined => {
  const blockSize = fields.get("block_size_bytes");
  if (blockSize !== undefined)
    return /^[0-9a-f]{1,13}$/.test(blockSize)
      ? { kind: "block-size", bytes: Number.parseInt(blockSize, 16) }
      : "hexadecimal digits without 0x";
  const block = /\/memory(\d{1,9})$/.exec(folder)?.[1];
  if (block !== undefined) {
    const removable = fields.get("removable");
    return {
      kind: "memory-block",
      block: Number(block),
      ...NO_STATE,
      state: fields.get("state"),
      zones: fields.get("valid_zones"),
      removable: removable === undefined ? undefined : removable === "1",
    };
  }
  const index = /\/(\d{1,5})$/.exec(folder)?.[1];
  if (/\/runtime-map\/\d+$/.test(folder)) return efiFact(Number(index), fields);
  return /\/memmap\/\d+$/.test(folder) ? memmapFact(fields) : undefined;
};
