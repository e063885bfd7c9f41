import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { BTF_KIND, Btf } from "./btf.ts";
import { prototypeOf } from "./btf-functions.ts";
import { enumValue, findMember, findStruct, LayoutError, offsetOf, sizeOf, structOf } from "./btf-layout.ts";
import { encodeBtf, type TinyType } from "./testing/btf-encoding.ts";

const ENCODED: readonly TinyType[] = [
  { kind: "INT", name: "unsigned long", size: 8, words: [64] }, // 1
  {
    kind: "STRUCT",
    name: "zone",
    size: 64,
    count: 3,
    words: ["zone_start_pfn", 1, 0, "", 3, 64, "lock", 5, 256],
  }, // 2
  { kind: "UNION", size: 16, count: 2, words: ["free_area", 1, 0, "", 4, 0] }, // 3, anonymous
  { kind: "STRUCT", size: 16, count: 2, words: ["unaccepted_pages", 1, 0, "name", 1, 64] }, // 4, anonymous
  { kind: "TYPEDEF", name: "spinlock_t", size: 6 }, // 5
  { kind: "CONST", size: 7 }, // 6
  { kind: "STRUCT", name: "spinlock", size: 8, count: 1, words: ["owner", 1, 0] }, // 7
  {
    kind: "STRUCT",
    name: "kimage",
    size: 16,
    flag: true,
    count: 3,
    words: ["head", 1, 0, "type", 1, (1 << 24) | 64, "preserve", 1, (2 << 24) | 65],
  }, // 8
  {
    kind: "ENUM",
    name: "mod_mem_type",
    size: 4,
    flag: true,
    count: 2,
    words: ["MOD_TEXT", 0, "MOD_INVALID", 0xffff_ffff],
  }, // 9
  { kind: "ENUM64", name: "wide", size: 8, count: 1, words: ["WIDE", 1, 2] }, // 10
  { kind: "FUNC_PROTO", size: 1, count: 2, words: ["start", 11 + 1, "", 0] }, // 11
  { kind: "PTR", size: 13 }, // 12
  { kind: "CONST", size: 7 }, // 13
  { kind: "FUNC", name: "accept_memory", size: 11 }, // 14
];
const SECTION = encodeBtf(ENCODED);
const btf = Btf.decode(SECTION);

describe("structures", () => {
  it("members of anonymous structures and unions count from the outermost one", () => {
    const { members, size, kind } = structOf(btf, "zone");
    expect({ size, kind }).toEqual({ size: 64, kind: "struct" });
    expect(members.map(({ name, bitOffset }) => [name, bitOffset])).toEqual([
      ["zone_start_pfn", 0],
      ["free_area", 64],
      ["unaccepted_pages", 64],
      ["name", 128],
      ["lock", 256],
    ]);
  });

  it("offsets and sizes are in bytes, through embedded structures and typedefs", () => {
    expect(offsetOf(btf, "zone", "unaccepted_pages")).toBe(8);
    expect(offsetOf(btf, "zone", "lock.owner")).toBe(32);
    expect(sizeOf(btf, "spinlock_t")).toBe(8);
  });

  it("a bitfield has its bit and its width, and no offset in bytes unless it starts one", () => {
    expect(findMember(btf, "kimage", "type")).toMatchObject({ bitOffset: 64, bits: 1 });
    expect(findMember(btf, "kimage", "head")?.bits).toBeUndefined();
    expect(offsetOf(btf, "kimage", "type")).toBe(8);
    expect(() => offsetOf(btf, "kimage", "preserve")).toThrow(
      "kimage.preserve starts inside a byte, at bit 65",
    );
  });

  it("what the kernel does not have is named", () => {
    expect(findStruct(btf, "virtio_mem")).toBeUndefined();
    expect(() => offsetOf(btf, "virtio_mem", "addr")).toThrow(
      new LayoutError("the kernel has no struct virtio_mem"),
    );
    expect(() => offsetOf(btf, "zone", "altmap")).toThrow("struct zone of this kernel has no member altmap");
    expect(findMember(btf, "zone", "zone_start_pfn.x")).toBeUndefined();
  });
});

it("a plain integer of fewer bits is a bitfield, as older compilers wrote them", () => {
  const old = Btf.decode(
    encodeBtf([
      { kind: "INT", name: "unsigned int", size: 4, words: [3 | (5 << 16)] },
      { kind: "STRUCT", name: "flags", size: 4, count: 1, words: ["three", 1, 8] },
    ]),
  );
  expect(findMember(old, "flags", "three")).toMatchObject({ bitOffset: 13, bits: 3 });
});

it("enumerators have their signed or 64-bit values", () => {
  expect(enumValue(btf, "mod_mem_type", "MOD_TEXT")).toBe(0n);
  expect(enumValue(btf, "mod_mem_type", "MOD_INVALID")).toBe(-1n);
  expect(enumValue(btf, "wide", "WIDE")).toBe(0x2_0000_0001n);
  expect(() => enumValue(btf, "wide", "NARROW")).toThrow("enum wide of this kernel has no NARROW");
  expect(() => enumValue(btf, "zone", "WIDE")).toThrow("the kernel has no enum zone");
});

it("a function's prototype is told as in C", () => {
  expect(prototypeOf(btf, "accept_memory")).toEqual({
    name: "accept_memory",
    returns: "unsigned long",
    parameters: [
      { name: "start", type: "const struct spinlock *" },
      { name: "", type: "..." },
    ],
  });
  expect(prototypeOf(btf, "zone")).toBeUndefined();
});

it("a module's types continue the kernel's, and its own names come first", () => {
  const module = Btf.decode(
    encodeBtf(
      [
        {
          kind: "STRUCT",
          name: "virtio_mem",
          size: 568,
          count: 2,
          words: ["addr", 1, 1280, "zone", 2, 1344],
        },
        { kind: "STRUCT", name: "kimage", size: 4 },
      ],
      btf.endString,
    ),
    btf,
  );
  expect(offsetOf(module, "virtio_mem", "addr")).toBe(160);
  expect(offsetOf(module, "virtio_mem", "zone.unaccepted_pages")).toBe(176);
  expect(sizeOf(module, "kimage")).toBe(4);
  expect(sizeOf(module, "zone")).toBe(64);
  expect(module.find("virtio_mem", [BTF_KIND.STRUCT])?.id).toBe(15);
});

it.each([
  [0, 0x11, "BTF, byte 0: expected magic 0xeb9f, found 0xeb11"],
  [2, 2, "BTF, byte 2: expected version 1, found 2"],
  [4, 8, "BTF, byte 8: expected a part inside"],
  [15, 1, "BTF, byte 8: expected a part inside"],
  [24 + 7, 20, "BTF, byte 4: expected a kind of 1 to 19, found 20"],
])("byte %i set to %i is refused", (at, value, message) => {
  const bytes = SECTION.slice();
  bytes[at] = value;
  expect(() => Btf.decode(bytes)).toThrow(message);
});

it("a structure that holds itself without a name is refused, not followed for ever", () => {
  const loop = Btf.decode(
    encodeBtf([{ kind: "STRUCT", name: "loop", size: 8, count: 1, words: ["", 1, 0] }]),
  );
  expect(() => structOf(loop, "loop")).toThrow("types nested at most 64 deep");
});

it("a damaged section gives layouts or one of its two errors", () => {
  const change = fc.tuple(fc.nat({ max: SECTION.length - 1 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 6 }), fc.nat({ max: SECTION.length }), (changes, cut) => {
      const bytes = SECTION.slice(0, cut < 40 ? SECTION.length : cut);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      try {
        const damaged = Btf.decode(bytes);
        for (const name of ["zone", "kimage", "spinlock_t"]) findStruct(damaged, name);
        prototypeOf(damaged, "accept_memory");
        enumValue(damaged, "wide", "WIDE");
      } catch (error) {
        expect(error instanceof DecodeError || error instanceof LayoutError).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
