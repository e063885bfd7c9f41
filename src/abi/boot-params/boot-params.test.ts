import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sharedFiles } from "../../../test/shared-data.ts";
import { DecodeError } from "../bytes.ts";
import { BOOT_PARAMS, bootParamsAddress, putBootParamsAddress } from "./boot-params.ts";
import { decodeE820Table, E820_ENTRY, E820_TYPE, type E820Entry, e820Entries, putE820Table } from "./e820.ts";
import { e820Lines, e820TypeName } from "./e820-lines.ts";
import { type BytesAt, encodeSetupData, SETUP_DATA_TYPE, setupDataNodes } from "./setup-data.ts";

/** Guest memory made of pieces at addresses. */
const memoryOf =
  (...pieces: readonly (readonly [address: number, bytes: Uint8Array])[]): BytesAt =>
  (address, length) => {
    const piece = pieces.find(
      ([start, bytes]) => start <= address && address + length <= start + bytes.length,
    );
    return piece?.[1].subarray(address - piece[0], address - piece[0] + length);
  };

const entry = (addr: number, end: number, type: number): E820Entry => ({
  addr: BigInt(addr),
  size: BigInt(end - addr),
  type,
});

describe("boot_params", () => {
  it("splits addresses into the halves the boot protocol has for them", () => {
    const bytes = new Uint8Array(4096);
    putBootParamsAddress(bytes, "efiMemmap", 0x12_3456_7890n);
    expect(BOOT_PARAMS.get(bytes, "efiMemmap")).toBe(0x3456_7890);
    expect([...bytes.subarray(0x1d0, 0x1d4), ...bytes.subarray(0x1dc, 0x1e0)]).toEqual([
      0x90, 0x78, 0x56, 0x34, 0x12, 0, 0, 0,
    ]);
    expect(bootParamsAddress(bytes, "efiMemmap")).toBe(0x12_3456_7890n);
  });

  it("places fields where the boot protocol has them", () => {
    const bytes = new Uint8Array(4096);
    BOOT_PARAMS.put(bytes, "setupData", 0x11n);
    BOOT_PARAMS.put(bytes, "e820Entries", 5);
    BOOT_PARAMS.put(bytes, "efiLoaderSignature", "EL64");
    expect([bytes[0x250], bytes[0x1e8], bytes[0x1c0], bytes[0x1c3]]).toEqual([0x11, 5, 0x45, 0x34]);
  });
});

describe("e820", () => {
  it("an entry is 20 packed bytes", () => {
    const bytes = E820_ENTRY.encode(entry(0x10_0000, 0x8000_0000, E820_TYPE.RAM));
    expect([...bytes]).toEqual([0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0, 0, 0, 0, 1, 0, 0, 0]);
  });

  it("the table survives a write and a read, and the first entry lies at 0x2d0", () => {
    const bytes = new Uint8Array(4096);
    const entries = Array.from({ length: 128 }, (_, n) =>
      entry(n * 0x2000, n * 0x2000 + 0x1000, (n % 7) + 1),
    );
    putE820Table(bytes, entries);
    expect(bytes[0x2d0 + 16]).toBe(1);
    expect(decodeE820Table(bytes)).toEqual(entries);
    bytes[0x1e8] = 129;
    expect(() => decodeE820Table(bytes)).toThrow("byte 488: expected at most 128 entries, found 129");
  });

  it("entries of E820_EXT nodes follow those of the table", () => {
    const bytes = new Uint8Array(4096);
    putE820Table(bytes, [entry(0, 0x1000, 1)]);
    BOOT_PARAMS.put(bytes, "setupData", 0x5000n);
    const extra = [entry(0x2000, 0x3000, 2), entry(0x3000, 0x4000, 1)];
    const data = Uint8Array.from([...extra.flatMap((e) => [...E820_ENTRY.encode(e)]), 1, 2, 3]);
    const memory = memoryOf(
      [0x5000, encodeSetupData(SETUP_DATA_TYPE.EFI, new Uint8Array(3), 0x6008n)],
      [0x6008, encodeSetupData(SETUP_DATA_TYPE.E820_EXT, data)],
    );
    expect(e820Entries(bytes, memory)).toEqual([entry(0, 0x1000, 1), ...extra]);
  });
});

describe("setup_data", () => {
  it("a chain that comes back to a node is refused", () => {
    const memory = memoryOf(
      [0x1000, encodeSetupData(9, new Uint8Array(), 0x2000n)],
      [0x2000, encodeSetupData(9, new Uint8Array(), 0x1000n)],
    );
    expect(() => setupDataNodes(memory, 0x1000n)).toThrow("the node at 0x1000 again");
  });

  it("any bytes are a chain or are refused with DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 80 }), fc.bigInt(0n, 100n), (bytes, head) => {
        // Small addresses, so that next pointers often hit the piece.
        for (const at of [1, 2, 3, 4, 5, 6, 7, 13, 14, 15]) bytes[at] = 0;
        try {
          setupDataNodes(memoryOf([0, bytes]), head);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });

  it("any boot_params give entries or a DecodeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 64 }), fc.boolean(), (start, whole) => {
        const bytes = whole ? new Uint8Array(4096) : start;
        bytes.set(start.subarray(0, bytes.length));
        if (whole && start.length > 8) bytes.set(start.subarray(0, 8), 0x250);
        if (whole) bytes[0x1e8] = start[0] ?? 0;
        try {
          e820Entries(bytes, memoryOf([0, bytes]));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });
});

describe("e820 lines", () => {
  const entries = [
    entry(0x1000, 0x9_fc00, E820_TYPE.RAM),
    entry(0x9_fc00, 0xa_0000, E820_TYPE.RESERVED),
    entry(0x10_0000, 0x8000_0000, E820_TYPE.PMEM),
    entry(0x7000_0000, 0x7000_1000, 99),
  ];

  it("the older kernel prints one line an entry", () => {
    expect(e820Lines(entries, "6.12")).toEqual([
      "BIOS-e820: [mem 0x0000000000001000-0x000000000009fbff] usable",
      "BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved",
      "BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] persistent (type 7)",
      "BIOS-e820: [mem 0x0000000070000000-0x0000000070000fff] type 99",
    ]);
  });

  it("the newer kernel prints gaps, complains of disorder and has other words", () => {
    expect(e820Lines(entries, "7.3")).toEqual([
      "BIOS-e820: [gap 0x0000000000000000-0x0000000000000fff]",
      "BIOS-e820: [mem 0x0000000000001000-0x000000000009fbff]  System RAM",
      "BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff]  device reserved",
      "BIOS-e820: [gap 0x00000000000a0000-0x00000000000fffff]",
      "BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff]  persistent RAM (type 7)",
      "[Firmware Bug]: out of order E820 entry!",
      "BIOS-e820: [mem 0x0000000070000000-0x0000000070000fff]  type 99",
    ]);
  });

  it("each type has words in both", () => {
    expect(Object.values(E820_TYPE).map((type) => e820TypeName(type, "7.3"))).toEqual([
      "System RAM",
      "device reserved",
      "ACPI data",
      "ACPI NVS",
      "unusable",
      "persistent RAM (type 7)",
      "persistent RAM (type 12)",
      "soft reserved",
    ]);
  });

  const logs = sharedFiles("logs", /^(rec-|supermicro).*(log|dmesg)$/);
  it.skipIf(logs.length === 0)("recorded lines of older kernels print again (needs the shared logs)", () => {
    const LINE = /BIOS-e820: \[mem 0x([0-9a-f]{16})-0x([0-9a-f]{16})\] ([A-Za-z ]+?)\r?$/gm;
    const types: { readonly [words: string]: number } = {
      usable: 1,
      reserved: 2,
      "ACPI data": 3,
      "ACPI NVS": 4,
    };
    let count = 0;
    for (const log of logs) {
      for (const [line, first, last, words] of readFileSync(log, "utf8").matchAll(LINE)) {
        const addr = BigInt(`0x${first}`);
        const size = BigInt(`0x${last}`) + 1n - addr;
        expect(e820Lines([{ addr, size, type: types[words!]! }], "6.12")).toEqual([line.trimEnd()]);
        count++;
      }
    }
    expect(count).toBeGreaterThan(20);
  });
});
