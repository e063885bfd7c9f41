import { describe, expect, it } from "vitest";
import { sratTable } from "../abi/acpi/srat.ts";
import { SRAT_MEMORY, sratMemory } from "../abi/acpi/srat-subtables.ts";
import { acpiTable } from "../abi/acpi/table-header.ts";
import { EFI_GUID } from "../abi/efi/guid.ts";
import { countSet, setRuns } from "../flat/bitmap.ts";
import { GIB, MIB } from "../units.ts";
import { boot, srat, UNIT, unaccepted } from "./boot-for-test.ts";
import type { Firmware } from "./firmware.ts";

describe("version 2", () => {
  const v2 = { tableVersion: 2 } as const;

  it("the window covers the hot-pluggable range: unaccepted everywhere, plugged where there is memory", () => {
    const result = boot({ firmware: { acpiTables: [srat([6 * GIB, 8 * GIB])] }, options: v2 });
    expect(result).toMatchObject({ status: "EFI_SUCCESS", faults: [], calls: [], runs: [[0, 5119]] });
    expect(result.view).toMatchObject({ version: 2, physBase: 4 * GIB, size: 640 });
    expect(result.table).toHaveLength(1304);
    const plugged = result.view!.plugged!;
    expect([...setRuns(plugged, 5120)]).toEqual([{ start: 0, end: 1024 }]);
  });

  it("a hot-pluggable range alone makes a table", () => {
    const result = boot({ map: [], firmware: { acpiTables: [srat([6 * GIB, GIB])] }, options: v2 });
    expect(result.view).toMatchObject({ physBase: 6 * GIB, size: 64 });
    expect(countSet(result.view!.plugged!, 0, 512)).toBe(0);
  });

  it("only a platform that accepts memory gets a table; unaccepted memory elsewhere meets a null pointer", () => {
    const none = { ...v2, platform: "none" } as const;
    expect(boot({ map: [], firmware: { acpiTables: [srat([6 * GIB, GIB])] }, options: none })).toMatchObject({
      status: "EFI_SUCCESS",
      tablePointer: undefined,
    });
    expect(boot({ options: none }).halt?.fault?.kind).toBe("no-table");
    expect(boot({ options: { ...v2, platform: "snp" } }).runs).toEqual([[0, 1023]]);
  });

  it("what is accepted early at the edges of static memory is set in neither bitmap", () => {
    const map = [unaccepted(4 * GIB + 0x1000, 6 * GIB)];
    const result = boot({ map, options: v2 });
    expect(result.calls).toEqual([[4 * GIB + 0x1000, 4 * GIB + UNIT]]);
    expect([result.view!.unaccepted[0], result.view!.plugged![0]]).toEqual([0xfe, 0xfe]);
  });

  it("an entry within one unit sets a negative number of bits, unless it is ignored", () => {
    const acpiTables = [srat([4 * GIB + 64 * UNIT - 0x2000, 0x1000])];
    const broken = boot({ firmware: { acpiTables }, options: v2 });
    // round_up is unit 64, round_down unit 63: 63 bits of the word at 64 are set, here all of static memory anyway.
    expect(broken.faults).toEqual([
      { kind: "stray-bits", bitmap: "unaccepted", bits: Array.from({ length: 63 }, (_, i) => 64 + i) },
    ]);
    const sane = boot({ firmware: { acpiTables }, options: { ...v2, ignoreSubUnit: true } });
    expect(sane.faults).toEqual([]);
  });

  it("where the window ends at such an entry, its bits fall into the plugged bitmap", () => {
    const acpiTables = [srat([0, 63 * UNIT], [64 * UNIT - 0x2000, 0x1000])];
    const result = boot({ map: [], firmware: { acpiTables }, options: v2 });
    expect(result.runs).toEqual([[0, 62]]);
    expect([...setRuns(result.view!.plugged!, 64)]).toEqual([{ start: 0, end: 63 }]);
  });

  it("an entry of length 0 widens the window to its base", () => {
    const result = boot({ firmware: { acpiTables: [srat([8 * GIB, 0])] }, options: v2 });
    expect(result.view).toMatchObject({ physBase: 4 * GIB, size: 256 });
    expect(result.runs).toEqual([[0, 1023]]);
  });

  it("no SRAT, no RSDP, disabled and overflowing entries count for nothing", () => {
    const none = (acpiTables: readonly Uint8Array[]) =>
      boot({ map: [], firmware: { acpiTables }, options: v2 }).tablePointer;
    expect(none([])).toBeUndefined();
    expect(none([acpiTable("SLIT", 1, new Uint8Array(8))])).toBeUndefined();
    const { ENABLED, HOT_PLUGGABLE } = SRAT_MEMORY;
    for (const flags of [0, ENABLED, HOT_PLUGGABLE])
      expect(none([sratTable([sratMemory(0, 0n, 0x4000_0000n, flags)])])).toBeUndefined();
    expect(none([sratTable([sratMemory(0, 2n ** 64n - 0x1000n, 0x1000n, 3)])])).toBeUndefined();
  });

  it("a null pointer to the RSDP is no RSDP", () => {
    const prepare = ({ services }: Firmware): void => {
      services.installConfigurationTable(EFI_GUID.ACPI_20_TABLE, 0);
    };
    expect(boot({ prepare, options: v2 })).toMatchObject({ status: "EFI_SUCCESS", runs: [[0, 1023]] });
  });

  it("the walk believes the table: no checksum, the first SRAT wins, length 0 ends it", () => {
    const first = srat([6 * GIB, GIB]);
    first[9] = 0;
    const two = boot({ map: [], firmware: { acpiTables: [first, srat([9 * GIB, GIB])] }, options: v2 });
    expect(two.view).toMatchObject({ physBase: 6 * GIB, size: 64 });
    const ended = srat([6 * GIB, GIB], [9 * GIB, GIB], [12 * GIB, GIB]);
    ended[48 + 40 + 1] = 0;
    const one = boot({ map: [], firmware: { acpiTables: [ended] }, options: v2 });
    expect(one.view).toMatchObject({ physBase: 6 * GIB, size: 64 });
  });

  it("an entry longer than 40 bytes counts, a shorter one does not", () => {
    for (const [length, found] of [
      [44, true],
      [39, false],
    ] as const) {
      const bytes = srat([6 * GIB, GIB], [9 * GIB, GIB]).subarray(48);
      bytes[1] = length;
      const entries = [{ kind: "unknown" as const, bytes: bytes.slice(0, length) }];
      const result = boot({ map: [], firmware: { acpiTables: [sratTable(entries)] }, options: v2 });
      expect(result.view?.physBase === 6 * GIB).toBe(found);
    }
  });

  it("a sub-table that runs over the table's end is read from what lies behind, if memory does", () => {
    const cut = srat([6 * GIB, GIB]).slice(0, 87);
    new DataView(cut.buffer).setUint32(4, 87, true);
    expect(boot({ map: [], firmware: { acpiTables: [cut] }, options: v2 }).view).toMatchObject({
      physBase: 6 * GIB,
    });
    const long = srat([6 * GIB, GIB]);
    new DataView(long.buffer).setUint32(4, 1 << 30, true);
    const halted = boot({ map: [], firmware: { acpiTables: [long.slice(0, 48), long] }, options: v2 });
    expect(halted.status ?? halted.halt?.fault?.kind).toBeDefined();
  });

  it("4 PiB of hot-pluggable memory are marked in full", () => {
    const result = boot({
      map: [],
      firmware: { acpiTables: [srat([4 * GIB, 2 ** 52 - 4 * GIB])] },
      options: v2,
    });
    expect(result.view?.size).toBe(256 * MIB - 256);
    expect(countSet(result.view!.unaccepted, 0, result.view!.units)).toBe(result.view!.units);
    expect(countSet(result.view!.plugged!, 0, result.view!.units)).toBe(0);
  });
});
