import { describe, expect, it } from "vitest";
import { BOOT_PARAMS, bootParamsAddress } from "../abi/boot-params/boot-params.ts";
import { EFI_GUID } from "../abi/efi/guid.ts";
import { decodeMemoryMap, EFI_MEMORY_TYPE } from "../abi/efi/memory-descriptor.ts";
import { putUnacceptedTable } from "../abi/efi/unaccepted-table.ts";
import { GIB, MIB } from "../units.ts";
import { boot, UNIT, unaccepted } from "./boot-for-test.ts";
import type { Firmware } from "./firmware.ts";
import type { GuestBytes } from "./guest-bytes.ts";
import { runStub, type StubOptions } from "./stub.ts";

describe("the worked examples of the bitmap", () => {
  it.each([
    ["one aligned range", [[4 * GIB, 6 * GIB]], 4 * GIB, 128, [], [[0, 1023]]],
    [
      "a range unaligned at both ends",
      [[0x1_0000_1000, 0x1_3fff_f000]],
      4 * GIB,
      64,
      [
        [0x1_0000_1000, 0x1_0020_0000],
        [0x1_3fe0_0000, 0x1_3fff_f000],
      ],
      [[1, 510]],
    ],
    ["a range below 4 MiB", [[4 * GIB, 0x1_003f_f000]], 4 * GIB, 1, [[4 * GIB, 0x1_003f_f000]], []],
    [
      "a small range far below a large one",
      [
        [0x80_0000, 0xbf_f000],
        [4 * GIB, 0x8_8000_0000],
      ],
      0x80_0000,
      2176,
      [[0x80_0000, 0xbf_f000]],
      [[2044, 17403]],
    ],
    [
      "two ranges with a hole",
      [
        [0x7c00_0000, 0x7c40_0000],
        [4 * GIB, 5 * GIB],
      ],
      0x7c00_0000,
      196,
      [],
      [
        [0, 1],
        [1056, 1567],
      ],
    ],
  ])("%s", (_, ranges, physBase, size, accepts, runs) => {
    const result = boot({ map: ranges.map(([start, end]) => unaccepted(start!, end!)) });
    expect(result).toMatchObject({ status: "EFI_SUCCESS", faults: [], calls: accepts, runs });
    expect(result.view).toMatchObject({ version: 1, unitSize: UNIT, physBase, size });
  });

  it("the table is found by its GUID, lies in ACPI reclaim memory and need not be page-aligned", () => {
    const result = boot({ firmware: { poolOffset: 0xb18 } });
    const entry = result.machine
      .configurationTable()
      .find(({ guid }) => guid === EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE);
    expect(Number(entry?.table)).toBe(result.tablePointer);
    expect(result.tablePointer! % 4096).toBe(0xb18);
    const e820 = result.e820.find(({ addr, size }) => addr <= entry!.table && entry!.table < addr + size);
    expect(e820?.type).toBe(3);
  });

  it("the window may end up to 7 units past the last unaccepted range, with bits clear", () => {
    const result = boot({ map: [unaccepted(0x80_0000, 0xc0_0000), unaccepted(4 * GIB, 0x8_8000_0000)] });
    expect(result.view?.windowEnd).toBe(0x8_8080_0000);
    expect(result.runs).toEqual([
      [0, 1],
      [2044, 17403],
    ]);
  });

  it("without unaccepted memory there is no table, and boot goes on", () => {
    expect(boot({ map: [] })).toMatchObject({
      status: "EFI_SUCCESS",
      tablePointer: undefined,
      calls: [],
      log: [],
    });
  });

  it("a lone descriptor of 0 pages on a unit boundary gives a table of 24 bytes, and an empty accept", () => {
    const result = boot({ map: [unaccepted(4 * GIB, 4 * GIB)] });
    expect(result.table).toHaveLength(24);
    expect(result.calls).toEqual([[4 * GIB, 4 * GIB]]);
  });

  it("a window of 4 PiB gives a bitmap of 256 MiB", () => {
    const top = 2 ** 52 - UNIT;
    const map = [unaccepted(2048 * MIB, 2050 * MIB + UNIT), unaccepted(top - 8 * UNIT, top)];
    const result = boot({ map });
    expect(result.view?.size).toBe(256 * MIB - 128);
    expect(result.runs).toEqual([
      [0, 1],
      [2 ** 31 - 1024 - 1 - 8, 2 ** 31 - 1024 - 1 - 1],
    ]);
  });
});

describe("the way of the stub", () => {
  it("boot_params name the loader, the system table and the last map", () => {
    const { bootParams, machine, memory } = boot();
    expect(BOOT_PARAMS.decode(bootParams)).toMatchObject({
      efiLoaderSignature: "EL64",
      efiMemdescSize: 48,
      efiMemdescVersion: 1,
      altMemK: 32768,
    });
    expect(bootParamsAddress(bootParams, "efiSystab")).toBe(BigInt(machine.systemTable));
    const at = Number(bootParamsAddress(bootParams, "efiMemmap"));
    const map = memory.bytes(at, BOOT_PARAMS.get(bootParams, "efiMemmapSize"))!;
    expect(decodeMemoryMap(map, 48)).toEqual(machine.map());
  });

  it("the first map is given back: of what the stub allocated, table and last map are left", () => {
    const types = boot()
      .machine.map()
      .map(({ type, numPages }) => [type, Number(numPages)]);
    // One page of boot parameters is loader data; ACPI reclaim has a page each for table and map.
    expect(types.filter(([type]) => type === EFI_MEMORY_TYPE.LOADER_DATA)).toEqual([
      [EFI_MEMORY_TYPE.LOADER_DATA, 1],
    ]);
    const reclaim = types.filter(([type]) => type === EFI_MEMORY_TYPE.ACPI_RECLAIM);
    expect(reclaim.reduce((sum, [, pages]) => sum + pages!, 0)).toBe(2);
  });

  it("a stale key is tried once more with a new map, and no further", () => {
    expect(boot({ firmware: { staleKeys: 1 } }).status).toBe("EFI_SUCCESS");
    expect(boot({ firmware: { staleKeys: 2 } })).toMatchObject({
      status: "EFI_INVALID_PARAMETER",
      e820: [],
      log: ["EFI stub: ERROR: exit_boot() failed!", "EFI stub: ERROR: efi_stub_entry() failed!"],
    });
  });

  it("a memory-acceptance protocol that fails is only reported", () => {
    const result = boot({ firmware: { sevProtocol: "fails" }, options: { platform: "snp" } });
    expect(result).toMatchObject({
      status: "EFI_SUCCESS",
      log: ["EFI stub: ERROR: Memory acceptance protocol failed"],
    });
    expect(boot({ firmware: { sevProtocol: "works" }, options: { platform: "snp" } }).log).toEqual([]);
  });

  it("SEV firmware accepts all memory by itself if it is not asked to leave it", () => {
    const sev = { sevProtocol: "works", acceptsAllAtExit: true } as const;
    const asked = boot({ firmware: sev, options: { platform: "snp" } });
    expect(asked.runs).toEqual([[0, 1023]]);
    const old = boot({ firmware: sev, options: { platform: "snp", unacceptedSupport: false } });
    expect(old).toMatchObject({ status: "EFI_SUCCESS", tablePointer: undefined });
    expect(old.e820.some(({ addr, type }) => addr === BigInt(4 * GIB) && type === 1)).toBe(true);
  });

  it("a kernel without support for unaccepted memory leaves it out of the e820 table", () => {
    const result = boot({ options: { unacceptedSupport: false } });
    expect(result).toMatchObject({ status: "EFI_SUCCESS", tablePointer: undefined });
    expect(result.e820.every(({ addr }) => addr < BigInt(4 * GIB))).toBe(true);
  });

  it("a platform that accepts nothing gets a table of version 1, and stops at the first piece without a bit", () => {
    const none = { platform: "none" } as const;
    expect(boot({ options: none })).toMatchObject({ status: "EFI_SUCCESS", runs: [[0, 1023]] });
    expect(boot({ map: [unaccepted(4 * GIB + 4096, 5 * GIB)], options: none })).toMatchObject({
      status: undefined,
      halt: { why: "Cannot accept memory: unknown platform" },
      log: ["Cannot accept memory: unknown platform"],
    });
  });

  it("bytes that are no system table send the stub back", () => {
    const { world } = boot();
    expect(
      runStub({ ...world, systemTable: world.bootParams }, { platform: "tdx", tableVersion: 1 }).status,
    ).toBe("EFI_INVALID_PARAMETER");
  });
});

describe("failures on the way to the table", () => {
  /** A machine on which an earlier stage has installed a table that says it has this version. */
  const bootWithTable = (version: number, options: Partial<StubOptions>) => {
    let at = 0;
    const prepare = ({ services }: Firmware, memory: GuestBytes): void => {
      at = services.allocatePool("ACPI_RECLAIM", 24 + 2 * 128)!;
      const bytes = memory.bytes(at, 24 + 2 * 128)!;
      putUnacceptedTable(bytes, { version: 2, unitSize: UNIT, physBase: BigInt(4 * GIB), size: 128 });
      bytes[0] = version;
      services.installConfigurationTable(EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, at);
    };
    return { ...boot({ options, prepare }), at };
  };

  it.each([1, 2] as const)(
    "a table that is installed already is used if its version is the kernel's, %i",
    (tableVersion) => {
      const { at, ...result } = bootWithTable(tableVersion, { tableVersion });
      expect(result).toMatchObject({ status: "EFI_SUCCESS", tablePointer: at, runs: [[0, 1023]] });
    },
  );

  it.each([
    [2, 1],
    [1, 2],
    [9, 1],
  ] as const)(
    "a table of version %i stops a kernel of version %i, whose pointer to it stays",
    (version, tableVersion) => {
      const { at, ...result } = bootWithTable(version, { tableVersion });
      expect(result).toMatchObject({
        status: "EFI_UNSUPPORTED",
        tablePointer: at,
        table: undefined,
        log: [
          "EFI stub: ERROR: Unknown version of unaccepted memory table",
          "EFI stub: ERROR: exit_boot() failed!",
          "EFI stub: ERROR: efi_stub_entry() failed!",
        ],
      });
    },
  );

  it("no room for the table ends the boot", () => {
    // A window of 32 PiB needs 2 GiB of bitmap, and there is less conventional memory.
    const result = boot({ map: [unaccepted(4 * GIB, 2 ** 55)] });
    expect(result).toMatchObject({ status: "EFI_OUT_OF_RESOURCES", tablePointer: undefined });
    expect(result.log[0]).toBe("EFI stub: ERROR: Failed to allocate unaccepted memory config table");
  });

  it("a table that cannot be installed is freed, its pointer stays, and the error goes back", () => {
    const freed: number[] = [];
    const result = boot({
      services: (services) => ({
        installConfigurationTable: () => "EFI_OUT_OF_RESOURCES",
        freePool: (pool) => {
          freed.push(pool);
          services.freePool(pool);
        },
      }),
    });
    expect(result.status).toBe("EFI_OUT_OF_RESOURCES");
    expect(freed[0]).toBe(result.tablePointer);
    expect(result.log[0]).toBe("EFI stub: ERROR: Failed to install unaccepted memory config table!");
  });
});
