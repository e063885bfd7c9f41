import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EfiMemoryDescriptor, efiMemoryDescriptor } from "../abi/efi/memory-descriptor.ts";
import { GIB } from "../units.ts";
import { type Boot, boot, LOW, STATIC, srat } from "./boot-for-test.ts";
import { recordAccepts } from "./early-accept.ts";
import { firmware } from "./firmware.ts";
import { sparseGuestBytes } from "./guest-bytes.ts";
import { runStub } from "./stub.ts";

describe("two maps that disagree", () => {
  const only =
    (...descriptors: EfiMemoryDescriptor[]) =>
    (map: readonly EfiMemoryDescriptor[]) => [...map.filter(({ type }) => type !== 15), ...descriptors];

  it("unaccepted memory that only the last map has meets a null pointer", () => {
    const lastMap = only(efiMemoryDescriptor("UNACCEPTED", 0x1_0000_0000n, 0x1_8000_0000n));
    const result = boot({ map: [], firmware: { lastMap } });
    expect(result.status).toBeUndefined();
    expect(result.halt?.fault).toMatchObject({ kind: "no-table" });
    expect(result.faults).toHaveLength(1);
  });

  it("a range wholly above the window accepts from the window's end on", () => {
    const lastMap = only(efiMemoryDescriptor("UNACCEPTED", 0x2_0000_0000n, 0x2_4000_0000n));
    const result = boot({ firmware: { lastMap } });
    expect(result).toMatchObject({ status: "EFI_SUCCESS", calls: [[6 * GIB, 9 * GIB]] });
    expect(result.faults.map(({ kind }) => kind)).toEqual(["range-above-window", "stray-bits"]);
  });
});

describe("hostile firmware", () => {
  it("whatever bytes firmware leaves, the stub ends with a status or a halt and never throws", () => {
    const damage = fc.array(
      fc.record({ where: fc.nat(5), at: fc.nat(140), value: fc.integer({ min: 0, max: 255 }) }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(damage, fc.constantFrom(1, 2), (changes, tableVersion) => {
        const memory = sparseGuestBytes();
        const machine = firmware({
          memory,
          map: [LOW, STATIC],
          acpiTables: [srat([6 * GIB, GIB], [9 * GIB, 1000])],
        });
        const pointers = [machine.systemTable, machine.rsdp!, machine.bootParams];
        // The tables lie in the pages around the RSDP, one page each.
        const places = [...pointers, machine.rsdp! + 4096, machine.rsdp! + 8192, machine.rsdp! - 4096];
        for (const { where, at, value } of changes) {
          const byte = memory.bytes(places[where]! + at, 1);
          if (byte) byte[0] = value;
        }
        const { accept } = recordAccepts();
        const outcome = runStub(
          {
            memory,
            services: machine.services,
            systemTable: machine.systemTable,
            bootParams: machine.bootParams,
            accept,
          },
          { platform: "tdx", tableVersion: tableVersion as 1 | 2 },
        );
        expect((outcome.status === undefined) !== (outcome.halt === undefined)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("a map with a short stride or outside memory stops the machine", () => {
    const wrong = (change: Partial<{ descriptorSize: number; at: number }>): Boot => ({
      services: (services) => ({
        getMemoryMap: (type, reuse) => ({ ...services.getMemoryMap(type, reuse)!, ...change }),
        freePool: () => {},
      }),
    });
    expect(boot(wrong({ descriptorSize: 0 })).halt?.fault).toEqual({ kind: "bad-stride", descriptorSize: 0 });
    expect(boot(wrong({ at: 0xdead_0000 })).halt?.fault?.kind).toBe("unbacked");
  });
});
