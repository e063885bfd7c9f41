import { expect, it } from "vitest";
import { NotModelled } from "../../not-modelled.ts";
import { Btf } from "../kernel-image/btf.ts";
import { LayoutError } from "../kernel-image/btf-layout.ts";
import type { ReadMemory } from "../kernel-image/memory-struct.ts";
import { encodeBtf, type TinyType } from "../kernel-image/testing/btf-encoding.ts";
import { LabError } from "../lab-error.ts";
import { readKexecImage } from "./kexec-image.ts";

const IMAGE = 0xffff_8881_0000_0000n;

const member = (name: string, type: number, byte: number, bits = 0): (string | number)[] => [
  name,
  type,
  bits * 2 ** 24 + 8 * byte,
];
const LONG: TinyType = { kind: "INT", name: "unsigned long", size: 8, words: [64] };
const SEGMENT: TinyType = {
  kind: "STRUCT",
  name: "kexec_segment",
  size: 32,
  count: 4,
  words: [
    ...member("buf", 1, 0),
    ...member("bufsz", 1, 8),
    ...member("mem", 1, 16),
    ...member("memsz", 1, 24),
  ],
};
const image = (typeBits: number): TinyType => ({
  kind: "STRUCT",
  name: "kimage",
  size: 96,
  flag: true,
  count: 3,
  words: [...member("nr_segments", 1, 8), ...member("segment", 1, 16), ...member("type", 1, 80, typeBits)],
});
const TYPES = Btf.decode(encodeBtf([LONG, SEGMENT, image(1)]));

/** A struct kimage with two segments; the other bits of the type's word are set. */
const memory = (segments: bigint, type: number): ReadMemory => {
  const bytes = new Uint8Array(96);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, segments, true);
  for (const [index, [start, size]] of [
    [0x100_0000n, 0x3000n],
    [0x200_0000n, 0x1000n],
  ].entries()) {
    view.setBigUint64(16 + 32 * index + 16, start!, true);
    view.setBigUint64(16 + 32 * index + 24, size!, true);
  }
  bytes[80] = 0xfe | type;
  return async (address, length) => {
    const at = Number(address - IMAGE);
    return bytes.subarray(at, at + length);
  };
};

it("the destinations of the segments are read where the kernel's types say", async () => {
  expect(await readKexecImage(TYPES, memory(2n, 0), IMAGE)).toEqual({
    segments: [
      { start: 0x100_0000, end: 0x100_3000 },
      { start: 0x200_0000, end: 0x200_1000 },
    ],
    onCrash: false,
  });
});

it("a crash kernel is told by one bit of the type", async () => {
  expect((await readKexecImage(TYPES, memory(2n, 1), IMAGE)).onCrash).toBe(true);
});

it("what has more segments than a kimage can hold is none, and its segments are not read", async () => {
  await expect(readKexecImage(TYPES, memory(17n, 0), IMAGE)).rejects.toThrow(LabError);
  await expect(readKexecImage(TYPES, memory(2n ** 64n - 1n, 0), IMAGE)).rejects.toThrow(LabError);
});

it("a kernel whose kimage has no such bitfield is refused", async () => {
  const types = Btf.decode(encodeBtf([LONG, SEGMENT, image(0)]));
  await expect(readKexecImage(types, memory(2n, 0), IMAGE)).rejects.toThrow(LayoutError);
});

it("a kexec that comes back to its kernel is not modelled", async () => {
  const jump: TinyType = {
    ...image(1),
    count: 4,
    words: [...(image(1).words ?? []), "preserve_context", 1, 2 ** 24 + 8 * 80 + 1],
  };
  const types = Btf.decode(encodeBtf([LONG, SEGMENT, jump]));
  await expect(readKexecImage(types, memory(2n, 0), IMAGE)).rejects.toThrow(NotModelled);
});
