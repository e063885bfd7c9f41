import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { decodeBzImage } from "./bzimage.ts";
import { TINY_SETUP_END, TINY_VERSION, tinyBzImage } from "./testing/tiny-bzimage.ts";

const kernel = Uint8Array.from({ length: 1000 }, (_, n) => n % 7);
const gzip = new Uint8Array(gzipSync(kernel));
const image = tinyBzImage(gzip);

it("the payload, its compression and its size are found", () => {
  const { payload, version, protectedMode } = decodeBzImage(image);
  expect(payload).toMatchObject({ offset: 1024 + 64, compression: "gzip", size: 1000 });
  expect(payload.bytes).toEqual(gzip);
  expect(version).toBe(TINY_VERSION);
  expect(protectedMode).toHaveLength(image.length - TINY_SETUP_END);
});

it("what follows the protected-mode code is left alone", () => {
  const signed = new Uint8Array([...image, 1, 2, 3]);
  expect(decodeBzImage(signed).protectedMode).toHaveLength(image.length - TINY_SETUP_END);
});

it("no setup sectors mean four", () => {
  const old = new Uint8Array(2560 + image.length - TINY_SETUP_END);
  old.set(image.subarray(0, TINY_SETUP_END));
  old.set(image.subarray(TINY_SETUP_END), 2560);
  old[0x1f1] = 0;
  expect(decodeBzImage(old).payload).toMatchObject({ offset: 2560 + 64, size: 1000 });
});

it.each([
  [{ syssize: 0x1000 }, `byte ${image.length}: expected 66560 bytes in the file, found ${image.length}`],
  [{ payloadLength: 0xffff_ffff }, "byte 584: expected a payload inside"],
  [{ payloadOffset: 0xffff_ffff }, "byte 584: expected a payload inside"],
  [{ payloadLength: 4 }, "byte 584: expected a payload inside"],
  [
    { payloadOffset: 0 },
    "byte 1024: expected the magic of gzip, bzip2, lzma, xz, lzo, lz4, zstd, found 00 00 00 00 00 00",
  ],
  [{ initSize: 999 }, "expected a size of at most 999, found 1000"],
  [{ kernelVersion: 0x7fff }, "byte 526: expected a version string that ends in the setup code"],
])("%o is refused with the place and what is there", (changes, message) => {
  expect(() => decodeBzImage(tinyBzImage(gzip, changes))).toThrow(message);
});

it("a bzImage with any bytes changed decodes or throws DecodeError", () => {
  const change = fc.tuple(fc.nat({ max: 0x270 }), fc.nat({ max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), fc.nat({ max: image.length }), (changes, length) => {
      const bytes = image.slice(0, length);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        decodeBzImage(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
  );
});
