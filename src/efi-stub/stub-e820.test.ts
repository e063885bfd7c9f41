import { describe, expect, it } from "vitest";
import { BOOT_PARAMS } from "../abi/boot-params/boot-params.ts";
import { SETUP_DATA_HEADER } from "../abi/boot-params/setup-data.ts";
import { type EfiMemoryDescriptor, efiMemoryDescriptor } from "../abi/efi/memory-descriptor.ts";
import { GIB } from "../units.ts";
import { boot, STATIC } from "./boot-for-test.ts";
import { allocateE820Extension, buildE820 } from "./e820-build.ts";
import type { Firmware } from "./firmware.ts";
import type { FirmwareRange } from "./firmware-memory.ts";
import { type GuestBytes, sparseGuestBytes } from "./guest-bytes.ts";

describe("e820", () => {
  const ram = (n: number): FirmwareRange[] =>
    Array.from({ length: n }, (_, i) => ({
      start: 4 * GIB + i * 0x4000,
      end: 4 * GIB + i * 0x4000 + 0x1000,
      type: "CONVENTIONAL",
    }));

  it("each type of descriptor becomes what the table says, and neighbours of one kind join", () => {
    const lastMap = () => {
      const types = Array.from({ length: 17 }, (_, type) => type);
      return types.map((type) => ({
        ...efiMemoryDescriptor("RESERVED", BigInt(type) << 12n, (BigInt(type) + 1n) << 12n),
        type,
      }));
    };
    const result = boot({ firmware: { lastMap } });
    expect(
      result.e820.map(({ addr, size, type }) => [Number(addr >> 12n), Number(size >> 12n), type]),
    ).toEqual([
      [0, 1, 2],
      [1, 4, 1],
      [5, 2, 2],
      [7, 1, 1],
      [8, 1, 5],
      [9, 1, 3],
      [10, 1, 4],
      [11, 3, 2],
      [14, 1, 7],
      [15, 1, 1],
    ]);
  });

  it("specific-purpose memory is set aside if the kernel does so, unaccepted memory never", () => {
    const range: FirmwareRange = { start: 8 * GIB, end: 9 * GIB, type: "CONVENTIONAL", attribute: 0x4_000fn };
    const map = [{ ...STATIC, attribute: 0x4_000fn }, range];
    expect(
      boot({ map })
        .e820.slice(-2)
        .map(({ type }) => type),
    ).toEqual([1, 0xefff_ffff]);
    expect(boot({ map, options: { softReserve: false } }).e820.at(-1)?.type).toBe(1);
  });

  it("a window that firmware marks is in the table, and RAM only to a stub that does not know the mark", () => {
    const marked: FirmwareRange = { start: 8 * GIB, end: 9 * GIB, type: "UNACCEPTED", attribute: 0x20_000fn };
    const ends = (knowsUhp: boolean) => {
      const { e820, table } = boot({ map: [STATIC, marked], options: { knowsUhp } });
      const last = e820.at(-1)!;
      // From 4 GiB to 9 GiB are 2560 units, 320 bytes; the bits of the window are the last 64 bytes.
      const bits = table!.subarray(24);
      return {
        end: Number(last.addr + last.size),
        size: bits.length,
        set: bits.subarray(256).every((byte) => byte === 0xff),
      };
    };
    expect(ends(true)).toEqual({ end: 6 * GIB, size: 320, set: true });
    expect(ends(false)).toEqual({ end: 9 * GIB, size: 320, set: true });
  });

  it("RAM from unaccepted memory joins RAM from conventional memory", () => {
    const result = boot({ map: [STATIC, { start: 6 * GIB, end: 7 * GIB, type: "CONVENTIONAL" }] });
    expect(result.e820.at(-1)).toEqual({ addr: BigInt(4 * GIB), size: BigInt(3 * GIB), type: 1 });
  });

  it.each([100, 128, 200, 1000])("a map with %i more ranges comes whole to the kernel", (count) => {
    const result = boot({ map: ram(count) });
    expect(result.status).toBe("EFI_SUCCESS");
    const more = result.e820.length - 128;
    expect(BOOT_PARAMS.get(result.bootParams, "e820Entries")).toBe(Math.min(result.e820.length, 128));
    expect(result.handedOver()).toEqual(result.e820);
    expect(BOOT_PARAMS.get(result.bootParams, "setupData") !== 0n).toBe(more > 0);
  });

  it("the extension hangs behind the nodes that a boot loader left", () => {
    let node = 0;
    const prepare = ({ services, bootParams }: Firmware, memory: GuestBytes): void => {
      node = services.allocatePool("LOADER_DATA", 16)!;
      BOOT_PARAMS.put(memory.bytes(bootParams, 4096)!, "setupData", BigInt(node));
    };
    const result = boot({ map: ram(200), prepare });
    expect(BOOT_PARAMS.get(result.bootParams, "setupData")).toBe(BigInt(node));
    expect(SETUP_DATA_HEADER.get(result.memory.bytes(node, 16)!, "next")).not.toBe(0n);
    expect(result.handedOver()).toEqual(result.e820);
  });

  it("a chain of nodes that never ends stops the machine", () => {
    const prepare = ({ services, bootParams }: Firmware, memory: GuestBytes): void => {
      const node = services.allocatePool("LOADER_DATA", 16)!;
      SETUP_DATA_HEADER.put(memory.bytes(node, 16)!, "next", BigInt(node));
      BOOT_PARAMS.put(memory.bytes(bootParams, 4096)!, "setupData", BigInt(node));
    };
    expect(boot({ map: ram(200), prepare }).halt?.why).toBe("setup_data: the chain never ends");
  });

  it.each([
    [96, undefined],
    [97, 16 + 20],
    [128, 16 + 32 * 20],
    [200, 16 + 104 * 20],
  ])("a first map of %i descriptors makes an extension of %s bytes", (descriptors, size) => {
    const { services } = boot().machine;
    const extension = allocateE820Extension(services, descriptors);
    expect(extension?.at === undefined ? undefined : extension.size).toBe(size);
  });

  it("entry 129 asks for room for every descriptor that is left, used or not, and its header", () => {
    // 128 entries, then two more and a type that gets none.
    const map = Array.from({ length: 131 }, (_, i) => ({
      ...efiMemoryDescriptor("CONVENTIONAL", BigInt(i * 8192), BigInt(i * 8192 + 4096)),
      type: i === 130 ? 16 : 7,
    }));
    const build = (size: number) => {
      const memory = sparseGuestBytes();
      memory.back(0x1000, size);
      const choices = { softReserve: true, unacceptedSupport: true, knowsUhp: false };
      const result = buildE820(
        memory,
        new Uint8Array(4096),
        map,
        { at: 0x1000, size },
        choices,
        () => undefined,
      );
      return "why" in result ? result.why : [result.status, result.entries.length];
    };
    expect(build(16 + 3 * 20)).toEqual(["EFI_SUCCESS", 130]);
    expect(build(16 + 3 * 20 - 1)).toEqual(["EFI_BUFFER_TOO_SMALL", 128]);
  });

  it("a last map that outgrows the extension ends the boot", () => {
    const grown = (n: number) => (map: readonly EfiMemoryDescriptor[]) => [
      ...map,
      ...Array.from({ length: n }, (_, i) =>
        efiMemoryDescriptor("RESERVED", BigInt(2 ** 40 + i * 8192), BigInt(2 ** 40 + i * 8192 + 4096)),
      ),
    ];
    expect(boot({ firmware: { lastMap: grown(200) } })).toMatchObject({
      status: "EFI_BUFFER_TOO_SMALL",
      halt: undefined,
    });
    // 100 ranges in the first map make room for 100 - 128 + 32 entries and a few for firmware's own ranges.
    expect(boot({ map: ram(100), firmware: { lastMap: grown(90) } }).status).toBe("EFI_BUFFER_TOO_SMALL");
    expect(boot({ map: ram(100), firmware: { lastMap: grown(20) } }).status).toBe("EFI_SUCCESS");
  });
});
