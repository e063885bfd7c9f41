import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { type Compression, compressionOf } from "./compression.ts";
import { decompress, decompressIfCompressed } from "./decompress.ts";

/** 600 bytes: "Tidemark " over and over, then each byte once. */
const PLAIN = Uint8Array.from({ length: 600 }, (_, n) => (n < 344 ? "Tidemark ".charCodeAt(n % 9) : n - 344));

/** PLAIN as zstd 1.5.4, xz 5.4.1, lz4 1.9.4 (-l), bzip2 1.0.8, lzma of xz 5.4.1 (-9) and lzop 1.04 (-9) wrote it. */
const WRITTEN = {
  zstd: "KLUv/QRYjQgAlBBUaWRlbWFyayAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr/AwcLDxMXGx8jJysvMzc7P0NHS09TV1tfY2drb3N3e3+Dh4uPk5ebn6Onq6+zt7u/w8fLz9PX29/j5+vv8/f7/AQBMVMsRIG2t9A==",
  xz: "/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AJXAPddACoaSIZvsFCwYmO8cmH17qAen+2I1eunOlO/fXhmpDx96u0sMcy23wq7fUlPsyNsnd0SwEZWU2AhRqmCD8j2e6eI0ADebZBL4Nm1IluSMIqKzD2844FVBEQ5rcJ5ynQOf6ictAt+Ay7WAqlIKOWBWsCzXVj7/+XZ1it0KZD65HfNieeL9u1NAjxM8PByNhqvjrDgkfwLZXinKojyWw4EwDCHSXORWSwKHyMRxMADW3zeNpbgk5sEnD/YgzyvoUQTEGPT8QsX4ByM19tnziuo9oK0ugBjMsEmjoQQChLaFa3IUL+RaojhBZgkc9MC838WmZMnOYeaewAAAP0384IAAY8C2AQAABoYmrI+MA2LAgAAAAABWVo=",
  lz4: "AiFMGBABAACfVGlkZW1hcmsgCQD/PfDxAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==",
  bzip2:
    "QlpoOTFBWSZTWYjmVqQAAFD/////////////////////////////////////////////sAD4QkwAEwABMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEmAAmAAJgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQqhMCYEwACYRgJgACYTEyYjAExAYAJgAEZDE0wjTTCYRphGCNDIwEwAmmmmJkwmTJpgIaYE0YTHQgISLgEZISkxOUcEpKissLS7hF5gYmRmaGpsbnBydHZ47AIgB6fH6BxOKgoSGiIqMj8ZISUpLTE1OT1BRUlNUVVbjq6wsrXIW1xd5K8v8pgYWLl8xjZGVmZ0sBEA3mlqa+a2Nrdzuf0Oj0um8gIgDg4uTkAiAOYiIA6OrsYiIgDuSPoCIA8sRMAiAdQrent8LgEQB9KH5/gIGCg4SFhofq9aIiev2OzFRcZ2o3tx0fISPc7slHyEjJScpKy0vMTM1Nzk7PT9BQ0VHSUtNT1FTVVdZW11fYWNlZ2lrbW9xc3V3eXt9f4GDhYeJi42PkZOVl5mbnZ+ho6Wnqautr7Gztbe5u72/wcPFx8nLzc/R09XX2dvd3+Hj5efp6+3v8fP19/n6LuSKcKEhEcytSA==",
  lzma: "XQAAAAT//////////wAqGkiGb7BQsGJjvHJh9e6gHp/tiNXrpzpTv314ZqQ8fertLDHMtt8Ku31JT7MjbJ3dEsBGVlNgIUapgg/I9nuniNAA3m2QS+DZtSJbkjCKisw9vOOBVQREOa3Cecp0Dn+onLQLfgMu1gKpSCjlgVrAs11Y+//l2dYrdCmQ+uR3zYnni/btTQI8TPDwcjYar46w4JH8C2V4pyqI8lsOBMAwh0lzkVksCh8jEcTAA1t83jaW4JObBJw/2IM8r6FEExBj0/ELF+AcjNfbZ84rqPaCtLoAYzLBJo6EEAoS2hWtyFC/kWqI4QWYJHPTAvN/FpmTJzpxzAQJ//eAgAA=",
  lzo: "iUxaTwANChoKEEAgoAlAAwkDAAANAAAAAGsCGQsAAAAAACSOAgcAAAJYAAABFANX/kQaVGlkZW1hcmsgIAAvIAAA7gABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9AQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX2BhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ent8fX5/gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp+goaKjpKWmp6ipqqusra6vsLGys7S1tre4ubq7vL2+v8DBwsPExcbHyMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8RAAAAAAAA",
} as const;

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const SAMPLES: [Compression, Uint8Array][] = [
  ["gzip", new Uint8Array(gzipSync(PLAIN))],
  ["zstd", bytesOf(WRITTEN.zstd)],
  ["xz", bytesOf(WRITTEN.xz)],
  ["lz4", bytesOf(WRITTEN.lz4)],
  ["bzip2", bytesOf(WRITTEN.bzip2)],
  ["lzma", bytesOf(WRITTEN.lzma)],
  ["lzo", bytesOf(WRITTEN.lzo)],
];

describe.each(SAMPLES)("%s", (compression, bytes) => {
  it("is recognised and decompressed", async () => {
    expect(compressionOf(bytes)).toBe(compression);
    expect(await decompress("payload", bytes, compression, 600)).toEqual(PLAIN);
    expect(await decompressIfCompressed("module", bytes, 10_000)).toEqual(PLAIN);
  });

  it("never gives more than the limit", async () => {
    const refused = decompress("payload", bytes, compression, 599);
    await expect(refused).rejects.toThrow(DecodeError);
    await expect(refused).rejects.toThrow(/^payload.*599 bytes/);
  });

  it("that is cut in the middle is refused in one line", async () => {
    const refused = decompress("payload", bytes.subarray(0, bytes.length / 2), compression, 700);
    await expect(refused).rejects.toThrow(DecodeError);
    await expect(refused).rejects.toThrow(/^payload[^\n]*$/);
  });

  it("that is cut short or damaged gives bytes up to the limit or DecodeError", async () => {
    const change = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 }));
    const property = async (changes: [number, number][], length: number): Promise<void> => {
      const damaged = bytes.slice(0, length);
      for (const [at, value] of changes) if (at < length) damaged[at] = value;
      try {
        expect((await decompress("payload", damaged, compression, 700)).length).toBeLessThanOrEqual(700);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    };
    const lengths = fc.nat({ max: bytes.length });
    await fc.assert(fc.asyncProperty(fc.array(change, { maxLength: 4 }), lengths, property), {
      numRuns: 200,
    });
  });
});

it("bytes without a magic are taken as they are", async () => {
  expect(await decompressIfCompressed("module", PLAIN, 10)).toBe(PLAIN);
});
