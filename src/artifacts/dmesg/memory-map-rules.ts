import { EFI_TYPES } from "../../abi/efi/memory-map-lines.ts";
import { kept } from "../fact-sink.ts";
import { type E820Class, type FactBody, halfOpenRange, inclusiveRange } from "../facts.ts";
import type { LineRule } from "../text/line-reader.ts";

/** The words of all kernels for an e820 entry, and what they stand for. */
const E820_WORDS: readonly (readonly [words: RegExp, type: E820Class])[] = [
  [/^(?:usable|System RAM)$/, "RAM"],
  [/^(?:reserved|device reserved)$/, "reserved"],
  [/^soft reserved$/, "soft reserved"],
  [/^ACPI data$/, "ACPI data"],
  [/^ACPI NVS$/, "ACPI NVS"],
  [/^unusable$/, "unusable"],
  [/^persistent/, "persistent"],
];
const WORDS =
  "usable|System RAM|reserved|device reserved|soft reserved|ACPI data|ACPI NVS|unusable|persistent(?: RAM)? \\(type \\d+\\)|type \\d+";

const e820Class = (said: string): E820Class => E820_WORDS.find(([words]) => words.test(said))?.[1] ?? "other";

const A_RANGE = "a range of physical addresses up to 2^52";

const letters = (columns: string): string[] | undefined => {
  if (columns === "" || columns.includes("<")) return undefined;
  return columns
    .split("|")
    .map((column) => kept(column.trim()))
    .filter((column) => column !== "");
};

/** The attribute word of the older form, in the letters of the newer one. */
const ATTRIBUTE_LETTERS: readonly (readonly [letters: string, bit: bigint])[] = [
  ["RUN", 1n << 63n],
  ["HP", 1n << 20n],
  ["CC", 1n << 19n],
  ["SP", 1n << 18n],
  ["RO", 1n << 17n],
  ["MR", 1n << 16n],
  ["NV", 1n << 15n],
  ["XP", 1n << 14n],
  ["RP", 1n << 13n],
  ["WP", 1n << 12n],
  ["UCE", 1n << 4n],
  ["WB", 1n << 3n],
  ["WT", 1n << 2n],
  ["WC", 1n << 1n],
  ["UC", 1n << 0n],
];

const lettersOf = (digits: string): string[] => {
  const word = BigInt(`0x${digits}`);
  return ATTRIBUTE_LETTERS.filter(([, bit]) => (word & bit) !== 0n).map(([name]) => name);
};

const efiType = (name: string): number | undefined => {
  const numbered = /^type=(\d{1,9})$/.exec(name);
  if (numbered !== null) return Number(numbered[1]);
  const names: readonly string[] = EFI_TYPES;
  return names.includes(name) ? names.indexOf(name) : undefined;
};

/** Memory maps that firmware handed to the kernel. The kernel's ranges are inclusive; older ones were half open. */
export const MEMORY_MAP_RULES: readonly LineRule[] = [
  {
    literal: "BIOS-e820: ",
    pattern: new RegExp(
      `BIOS-e820: \\[mem\\s+0x([0-9a-f]{1,16})-\\s*0x([0-9a-f]{1,16})\\]\\s+(${WORDS})(?![\\w])`,
    ),
    begun: /BIOS-e820: \[mem/,
    read: ([, first, last, said]): FactBody[] | string => {
      const range = inclusiveRange(first!, last!);
      if (range === undefined) return A_RANGE;
      return [{ kind: "e820", type: e820Class(said!), said: kept(said!), ...range }];
    },
  },
  {
    literal: "BIOS-e820: ",
    pattern: new RegExp(`BIOS-e820: ([0-9a-f]{16}) - ([0-9a-f]{16}) \\((${WORDS})\\)`),
    begun: /BIOS-e820: [0-9a-f]{16}/,
    read: ([, first, behind, said]): FactBody[] | string => {
      const range = halfOpenRange(first!, behind!);
      if (range === undefined) return A_RANGE;
      return [{ kind: "e820", type: e820Class(said!), said: kept(said!), ...range }];
    },
  },
  {
    literal: "efi: mem",
    pattern:
      /\befi: mem(\d{1,5}): \[([A-Z][A-Za-z ]*?|type=\d+)\s*((?:<[^>]*>\s*)?(?:\|[^|\]]*)*)\]\s*range=\[0x([0-9a-f]{1,16})-\s*0x([0-9a-f]{1,16})\]/,
    begun: /\befi: mem\d+: \[/,
    read: ([, index, name, columns, first, last]): FactBody[] | string => {
      const type = efiType(name!.trim());
      if (type === undefined) return "the name of an EFI memory type";
      const range = inclusiveRange(first!, last!);
      if (range === undefined) return A_RANGE;
      return [
        { kind: "efi", map: "boot", index: Number(index), type, attributes: letters(columns!), ...range },
      ];
    },
  },
  {
    literal: "efi: mem",
    pattern:
      /\befi: mem(\d{1,5}): type=(\d{1,9}), attr=0x([0-9a-f]{1,16}), range=\[0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\)/,
    begun: /\befi: mem\d+: type=/,
    read: ([, index, type, attributes, first, behind]): FactBody[] | string => {
      const range = halfOpenRange(first!, behind!);
      if (range === undefined) return A_RANGE;
      const names = lettersOf(attributes!);
      return [
        { kind: "efi", map: "boot", index: Number(index), type: Number(type), attributes: names, ...range },
      ];
    },
  },
  {
    literal: "SRAT: Node ",
    pattern:
      /SRAT: Node (\d{1,5}) PXM (\d{1,10}) \[mem\s+0x([0-9a-f]{1,16})-\s*0x([0-9a-f]{1,16})\](\s+hotplug)?(\s+non-volatile)?/,
    begun: /SRAT: Node \d+ PXM \d+ \[mem/,
    read: ([, node, proximity, first, last, hotplug, nonVolatile]): FactBody[] | string => {
      const range = inclusiveRange(first!, last!);
      if (range === undefined) return A_RANGE;
      return [
        {
          kind: "srat-memory",
          proximity: Number(proximity),
          node: Number(node),
          enabled: true,
          hotplug: hotplug !== undefined,
          nonVolatile: nonVolatile !== undefined,
          ...range,
        },
      ];
    },
  },
  {
    literal: "SRAT: PXM ",
    pattern: /SRAT: PXM (\d{1,10}) -> (?:X2)?APIC 0x([0-9a-f]{1,8}) -> Node (\d{1,5})/,
    read: ([, proximity, apicId, node]) => [
      {
        kind: "srat-cpu",
        proximity: Number(proximity),
        node: Number(node),
        apicId: Number.parseInt(apicId!, 16),
        enabled: true,
      },
    ],
  },
  {
    literal: " node ",
    pattern: / node +(\d{1,5}): \[mem\s+0x([0-9a-f]{1,16})-\s*0x([0-9a-f]{1,16})\]/,
    read: ([, node, first, last]): FactBody[] | string => {
      const range = inclusiveRange(first!, last!);
      return range === undefined ? A_RANGE : [{ kind: "node-range", node: Number(node), ...range }];
    },
  },
];
