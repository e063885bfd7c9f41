import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BOOT_PARAMS } from "../abi/boot-params/boot-params.ts";
import { EFI_SETUP_DATA, encodeSetupData, SETUP_DATA_TYPE } from "../abi/boot-params/setup-data.ts";
import { EFI_GUID } from "../abi/efi/guid.ts";
import { encodeConfigurationTable } from "../abi/efi/system-table.ts";
import {
  putUnacceptedTable,
  unacceptedTableBytes,
  unacceptedTableView,
} from "../abi/efi/unaccepted-table.ts";
import { setRange, setRuns } from "../flat/bitmap.ts";
import { NotModelled } from "../not-modelled.ts";
import { GIB, MIB } from "../units.ts";
import { boot, srat } from "./boot-for-test.ts";
import { acceptEarly, runDecompressor } from "./decompressor.ts";
import { platformAccept, recordAccepts } from "./early-accept.ts";

const UNIT = 2 * MIB;
const BASE = 0x1_0000_0000;

/** A window of 1024 units, all unaccepted, and what accepting in it does. */
const window = (physBase = BASE, size = 128) => {
  const bytes = new Uint8Array(unacceptedTableBytes(1, size));
  putUnacceptedTable(bytes, { version: 1, unitSize: UNIT, physBase: BigInt(physBase), size });
  const view = unacceptedTableView(bytes);
  setRange(view.unaccepted, 0, view.units);
  const { accept, accepts } = recordAccepts();
  const run = (start: number, length: number) =>
    acceptEarly(view, start, length, platformAccept("tdx", accept));
  const units = () => accepts.map(({ start, end }) => [(start - physBase) / UNIT, (end - physBase) / UNIT]);
  return {
    run,
    view,
    units,
    clear: () => [
      ...setRuns(
        view.unaccepted.map((byte) => ~byte),
        view.units,
      ),
    ],
  };
};

describe("acceptance before the kernel", () => {
  it.each([
    ["one page", 0x1_0000_0000, 0x1000, [[0, 1]]],
    ["the last page of a unit, without a guard", 0x1_001f_f000, 0x1000, [[0, 1]]],
    ["a whole unit, without a guard", 0x1_0020_0000, 0x20_0000, [[1, 2]]],
    ["two units, without a guard", 0x1_0000_0000, 0x40_0000, [[0, 2]]],
    ["the page before the window", 0xffff_f000, 0x1000, []],
    ["memory far below the window", 0xff00_0000, 0x1000, []],
    ["the last unit", 0x1_7fe0_0000, 0x20_0000, [[1023, 1024]]],
    ["memory behind the window", 0x1_8000_0000, 0x20_0000, []],
    ["bytes across a unit's end", 0x1_001f_fff0, 0x20, [[0, 2]]],
    ["a range over both ends of the window", 0, 2 ** 40, [[0, 1024]]],
  ])("%s", (_, start, length, units) => {
    const w = window();
    expect(w.run(start, length)).toBeUndefined();
    expect(w.units()).toEqual(units);
    expect(w.clear().map(({ start: from, end }) => [from, end])).toEqual(units);
  });

  it("runs of set bits are accepted one by one, upwards, and cleared", () => {
    const w = window(BASE, 1);
    w.view.unaccepted[0] = 0b1101_0110;
    w.run(BASE, 8 * UNIT);
    expect(w.units()).toEqual([
      [1, 3],
      [4, 5],
      [6, 8],
    ]);
    expect(w.view.unaccepted[0]).toBe(0);
    w.run(BASE, 8 * UNIT);
    expect(w.units()).toHaveLength(3);
  });

  it("a refused run stops the machine with its bits still set", () => {
    const { view } = window(BASE, 1);
    let calls = 0;
    const halt = acceptEarly(
      view,
      BASE,
      8 * UNIT,
      platformAccept("tdx", () => ++calls > 1),
    );
    expect(halt?.why).toBe("TDX: Failed to accept memory");
    expect(view.unaccepted[0]).toBe(0xff);
  });

  it("what is asked for is accepted afterwards, in whole units and nothing more", () => {
    const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(bytes, fc.nat(40 * 512), fc.nat(40 * 512), (bitmap, page, pages) => {
        const w = window(4 * UNIT, 4);
        w.view.unaccepted.set(bitmap);
        const [start, end] = [page * 4096, (page + pages) * 4096];
        w.run(start, end - start);
        for (let unit = 0; unit < 32; unit++) {
          const from = (4 + unit) * UNIT;
          const asked = start < from + UNIT && from < end;
          const before = (bitmap[unit >> 3]! >> (unit & 7)) & 1;
          const after = (w.view.unaccepted[unit >> 3]! >> (unit & 7)) & 1;
          if (asked) expect(after).toBe(0);
          else if (start !== end) expect(after).toBe(before);
        }
      }),
    );
  });
});

describe("a kernel that was not started through the stub", () => {
  /** Runs a second kernel's decompressor on what the first kernel's stub left. */
  const second = (
    first: ReturnType<typeof boot>,
    version: 1 | 2 = 1,
    output = 4 * GIB,
    neededSize = 64 * MIB,
  ) => {
    const { accept } = recordAccepts();
    const world = { memory: first.memory, bootParams: first.machine.bootParams, accept };
    return runDecompressor(world, { platform: "tdx", tableVersion: version, output, neededSize });
  };

  it("finds the table through the boot parameters and accepts where it goes", () => {
    const first = boot();
    expect(second(first)).toEqual({
      halt: undefined,
      accepts: [{ start: 4 * GIB, end: 4 * GIB + 64 * MIB }],
      log: [],
    });
    expect(second(first).accepts).toEqual([]);
  });

  it("goes on without EFI or without a table", () => {
    expect(second(boot({ map: [] }))).toMatchObject({ halt: undefined, accepts: [] });
    const first = boot();
    BOOT_PARAMS.put(first.bootParams, "efiLoaderSignature", "\0\0\0\0");
    expect(second(first)).toMatchObject({ halt: undefined, accepts: [] });
  });

  it("halts on a table of another version, either way", () => {
    const why = "Unknown version of unaccepted memory table";
    expect(second(boot(), 2)).toEqual({ halt: { why }, accepts: [], log: [why] });
    expect(second(boot({ options: { tableVersion: 2 } }), 1).log).toEqual([why]);
  });

  it("of version 2, it accepts unplugged memory too: the plugged bitmap is not looked at", () => {
    const first = boot({
      options: { tableVersion: 2 },
      firmware: { acpiTables: [srat([6 * GIB, 8 * GIB])] },
    });
    const outcome = second(first, 2, 6 * GIB - UNIT, 2 * UNIT);
    expect(outcome.accepts).toEqual([{ start: 6 * GIB - UNIT, end: 6 * GIB + UNIT }]);
  });

  it("after a kexec takes the tables from the setup_data node, and their number from the system table", () => {
    const first = boot();
    const { services } = first.machine;
    const place = (bytes: Uint8Array): number => {
      const at = services.allocatePool("LOADER_DATA", bytes.length)!;
      first.memory.bytes(at, bytes.length)!.set(bytes);
      return at;
    };
    const moved = place(
      encodeConfigurationTable([
        { guid: EFI_GUID.LINUX_UNACCEPTED_MEM_TABLE, table: BigInt(first.tablePointer!) },
      ]),
    );
    first.memory.bytes(first.machine.systemTable + 112, 8)!.fill(0);
    expect(second(first).halt?.fault?.kind).toBe("unbacked");
    const node = EFI_SETUP_DATA.encode({
      firmwareVendor: 0n,
      runtime: 0n,
      tables: BigInt(moved),
      smbios: 0n,
      reserved: new Uint8Array(64),
    });
    BOOT_PARAMS.put(first.bootParams, "setupData", BigInt(place(encodeSetupData(SETUP_DATA_TYPE.EFI, node))));
    expect(second(first).accepts).toHaveLength(1);
  });

  it("32-bit firmware is not modelled", () => {
    const first = boot();
    BOOT_PARAMS.put(first.bootParams, "efiLoaderSignature", "EL32");
    expect(() => second(first)).toThrow(NotModelled);
  });

  it("whatever lies in boot parameters and tables, it goes on or halts and does not throw", () => {
    const change = fc.record({ where: fc.nat(3), at: fc.nat(127), value: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        const first = boot();
        const { systemTable, bootParams } = first.machine;
        const places = [systemTable, bootParams + 0x1c4, bootParams + 0x250, first.tablePointer!];
        for (const { where, at, value } of changes) {
          const byte = first.memory.bytes(places[where]! + at, 1);
          if (byte) byte[0] = value;
        }
        const { halt, log } = second(first);
        expect(log).toHaveLength(halt ? 1 : 0);
      }),
      { numRuns: 300 },
    );
  });
});
