import { kept } from "../fact-sink.ts";
import type { FactBody } from "../facts.ts";
import { addressOf } from "../facts.ts";
import type { LineRule } from "../text/line-reader.ts";

const ITEM = /(\()?([A-Z][A-Za-z0-9]*(?: \d\.\d)?)=0x([0-9a-f]+)( unusable\))?/g;

const configurationTables = (items: string): FactBody[] =>
  [...items.matchAll(ITEM)].flatMap(([, , name, digits, unusable]) => {
    const address = addressOf(digits!);
    if (address === undefined) return [];
    return [{ kind: "efi-table", name: kept(name!), address, usable: unusable === undefined }];
  });

/** What a kernel says of itself and of the machine when it starts. */
export const BOOT_RULES: readonly LineRule[] = [
  {
    literal: "Linux version ",
    wholeLine: true,
    pattern: /(?:^|[\]:;>] ?|\s)Linux version (\d\S*) \(.*$/,
    read: ([, version]) => [{ kind: "kernel", version: kept(version!) }],
  },
  {
    literal: "Command line: ",
    wholeLine: true,
    pattern: /(?:^|[\]:;>] ?|\s)Command line: (.*?)\s*$/,
    read: ([, text]) => [{ kind: "command-line", text: kept(text!) }],
  },
  {
    literal: "DMI: ",
    wholeLine: true,
    pattern: /(?:^|[\]:;>] ?|\s)DMI: (\S.*, BIOS .*?)\s*$/,
    read: ([, text]) => [{ kind: "dmi", text: kept(text!) }],
  },
  {
    literal: "Memory: ",
    pattern: /\bMemory: (\d{1,12})[Kk]\/(\d{1,12})[Kk] available/,
    read: ([, available, total]) => [
      { kind: "memory-total", availableKib: Number(available), totalKib: Number(total) },
    ],
  },
  {
    literal: "x86/mm: ",
    pattern: /x86\/mm: Memory block size: (\d{1,6})MB/,
    read: ([, mib]) => [{ kind: "block-size", bytes: Number(mib) * 2 ** 20 }],
  },
  {
    literal: "efi: ",
    pattern:
      /\befi: +((?:\(?[A-Z][A-Za-z0-9]*(?: \d\.\d)?=0x[0-9a-f]+(?![0-9A-Za-z])(?: unusable\))?\s*)+(?:\(?[A-Z][A-Za-z0-9 .=]*$)?)/,
    read: ([, items]) => configurationTables(items!),
  },
  {
    literal: "ACPI: ",
    pattern:
      /ACPI: (RSDP|XSDT|RSDT|SRAT|SLIT|HMAT|CEDT|MSCT|APIC) (?:0x)?([0-9A-Fa-f]{8,16}) ([0-9A-Fa-f]{5,6}) \(v(\d\d) ?([^)]*)\)/,
    read: ([, signature, digits, length, revision, maker]) => {
      const address = addressOf(digits!);
      if (address === undefined) return "an address up to 2^52";
      return [
        {
          kind: "table-address",
          signature: signature!,
          address,
          length: Number.parseInt(length!, 16),
          revision: Number(revision),
          maker: kept(maker!.trim()),
        },
      ];
    },
  },
];
