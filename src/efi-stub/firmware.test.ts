import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ownData } from "../../test/shared-data.ts";
import { decodeRsdp } from "../abi/acpi/rsdp.ts";
import { decodeSrat } from "../abi/acpi/srat.ts";
import { decodeXsdt } from "../abi/acpi/xsdt.ts";
import { EFI_GUID } from "../abi/efi/guid.ts";
import { EFI_MEMORY_TYPE } from "../abi/efi/memory-descriptor.ts";
import { decodeConfigurationTable, decodeEfiSystemTable } from "../abi/efi/system-table.ts";
import { GIB, MIB } from "../units.ts";
import { firmware } from "./firmware.ts";
import { sparseGuestBytes } from "./guest-bytes.ts";
import { sratHotplugRanges } from "./srat-scan.ts";

const MAP = [
  { start: 0, end: 640 * 1024, type: "CONVENTIONAL" },
  { start: MIB, end: 2 * GIB, type: "CONVENTIONAL" },
  { start: 4 * GIB, end: 6 * GIB, type: "UNACCEPTED" },
] as const;

const recorded = (): Uint8Array =>
  Uint8Array.from(readFileSync(ownData("acpi", "rec-pcdimm-2node.SRAT.dat")));

describe("the hand-over", () => {
  const memory = sparseGuestBytes();
  const machine = firmware({ memory, map: MAP, acpiTables: [recorded()] });
  const at = (address: bigint | number, length: number): Uint8Array => memory.bytes(Number(address), length)!;

  it("leads from the system table over the RSDP and the XSDT to each table", () => {
    const system = decodeEfiSystemTable(at(machine.systemTable, 120));
    const entries = decodeConfigurationTable(at(system.tables, system.tableCount * 24), system.tableCount);
    expect(entries).toEqual([{ guid: EFI_GUID.ACPI_20_TABLE, table: BigInt(machine.rsdp!) }]);
    const { xsdtAddress } = decodeRsdp(at(entries[0]!.table, 36));
    const [srat] = decodeXsdt(at(xsdtAddress, 44));
    expect(decodeSrat(at(srat!, 280)).entries).toHaveLength(7);
  });

  it("the recorded SRAT has one hot-pluggable range of 18 GiB", () => {
    expect(sratHotplugRanges(memory, BigInt(machine.systemTable))).toEqual([
      { start: 0x1_0000_0000n, end: 0x5_8000_0000n },
    ]);
  });

  it("the map shows what was allocated, in order, without overlap and without loss", () => {
    const map = machine.map();
    const pages = map.reduce((sum, { numPages }) => sum + Number(numPages), 0);
    expect(pages * 4096).toBe(MAP.reduce((sum, { start, end }) => sum + end - start, 0));
    for (const [i, { physAddr }] of map.entries()) {
      const before = map[i - 1];
      if (before) expect(physAddr).toBeGreaterThanOrEqual(before.physAddr + before.numPages * 4096n);
    }
    const types = map.map(({ type }) => type);
    expect(types).toContain(EFI_MEMORY_TYPE.ACPI_RECLAIM);
    expect(types).toContain(EFI_MEMORY_TYPE.RUNTIME_SERVICES_DATA);
    expect(types.at(-1)).toBe(EFI_MEMORY_TYPE.UNACCEPTED);
  });
});

describe("services", () => {
  const build = (poolOffset?: number) =>
    firmware({ memory: sparseGuestBytes(), map: MAP, ...(poolOffset === undefined ? {} : { poolOffset }) });

  it("a pool starts where it is told to within its first page", () => {
    expect(build().services.allocatePool("LOADER_DATA", 10)! % 4096).toBe(24);
    expect(build(0).services.allocatePool("LOADER_DATA", 10)! % 4096).toBe(0);
    expect(build(4088).services.allocatePool("LOADER_DATA", 10)! % 4096).toBe(4088);
    expect(() => build(4)).toThrow("8-byte aligned");
  });

  it("pools follow one another from the page they are told to begin at, and end with its range", () => {
    const [low] = MAP.filter(({ type }) => type === "CONVENTIONAL");
    const poolPages = low!.end - 64 * 4096;
    const { services, map } = firmware({ memory: sparseGuestBytes(), map: MAP, poolOffset: 0, poolPages });
    const taken = map().filter(({ physAddr, type }) => physAddr >= BigInt(poolPages) && type !== 7);
    expect(taken[0]!.physAddr).toBe(BigInt(poolPages));
    const first = services.allocatePool("LOADER_DATA", 5000)!;
    expect(services.allocatePool("LOADER_DATA", 10)).toBe(first + 2 * 4096);
    expect(services.allocatePool("LOADER_DATA", 64 * 4096)).toBeUndefined();
  });

  it("a key is good until the map changes", () => {
    const { services } = build();
    const map = services.getMemoryMap("LOADER_DATA")!;
    services.allocatePool("LOADER_DATA", 1);
    expect(services.exitBootServices(map.key)).toBe("EFI_INVALID_PARAMETER");
    const again = services.getMemoryMap("LOADER_DATA", map)!;
    expect(again.at).toBe(map.at);
    expect(services.exitBootServices(again.key)).toBe("EFI_SUCCESS");
  });

  it("a freed pool is conventional memory again", () => {
    const machine = build();
    const before = machine.map();
    const pool = machine.services.allocatePool("ACPI_RECLAIM", 5000)!;
    expect(machine.map()).not.toEqual(before);
    machine.services.freePool(pool);
    expect(machine.map()).toEqual(before);
  });

  it("an entry of the configuration table is added once and then moved", () => {
    const { services, configurationTable } = build();
    services.installConfigurationTable(EFI_GUID.ACPI_10_TABLE, 0x1000);
    services.installConfigurationTable(EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, 0x2000);
    services.installConfigurationTable(EFI_GUID.ACPI_10_TABLE, 0x3000);
    expect(configurationTable().map(({ table }) => table)).toEqual([0x3000n, 0x2000n]);
  });

  it("memory that is not there is not given out", () => {
    expect(build().services.allocatePool("LOADER_DATA", 3 * GIB)).toBeUndefined();
  });
});

it("guest memory exists where it was backed, in one piece each", () => {
  const memory = sparseGuestBytes();
  memory.back(0x3000, 0x1000)[5] = 7;
  memory.back(0x1000, 0x1000);
  expect(memory.bytes(0x3000, 0x1000)?.[5]).toBe(7);
  expect(memory.bytes(0x3ff8, 8)).toHaveLength(8);
  for (const [at, length] of [
    [0xfff, 1],
    [0x1fff, 2],
    [0x2000, 1],
    [0x3fff, 2],
    [0x4000, 1],
  ] as const) {
    expect(memory.bytes(at, length)).toBeUndefined();
  }
  memory.bytes(0x1800, 4)!.fill(9);
  expect(memory.bytes(0x1803, 1)![0]).toBe(9);
  expect(() => memory.back(0x3800, 0x1000)).toThrow("memory is backed once");
  expect(() => memory.back(0x800, 0x1000)).toThrow("memory is backed once");
});
