import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf } from "../testing/read-artifact.ts";
import { TarStream } from "./tar.ts";

/** One header block. */
const header = (name: string, size: number, type = "0"): Uint8Array => {
  const block = new Uint8Array(512);
  block.set(bytesOf(name.slice(0, 100)));
  block.set(bytesOf(`${size.toString(8).padStart(11, "0")}\0`), 124);
  block.set(bytesOf("        "), 148);
  block.set(bytesOf(type), 156);
  block.set(bytesOf("ustar"), 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(bytesOf(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
};

const padded = (content: string): Uint8Array => {
  const bytes = new Uint8Array(Math.ceil(content.length / 512) * 512);
  bytes.set(bytesOf(content));
  return bytes;
};

const joined = (parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));
const END = new Uint8Array(1024);

/** Reads an archive in pieces. */
const read = (archive: Uint8Array, piece: number) => {
  const files: [path: string, content: string][] = [];
  const tar = new TarStream({
    begin: (path) => {
      files.push([path, ""]);
      return true;
    },
    data: (bytes) => {
      files.at(-1)![1] += String.fromCharCode(...bytes);
    },
    end: () => {},
  });
  for (let at = 0; at < archive.length; at += piece) tar.push(archive.subarray(at, at + piece));
  return { files, whole: tar.end(), damagedAt: tar.damagedAt };
};

const LONG = `${"deep/".repeat(30)}iomem`;
const ARCHIVE = joined([
  header("a/b", 3),
  padded("abc"),
  header("folder/", 0, "5"),
  header("link", 0, "2"),
  header("././@LongLink", LONG.length + 1, "L"),
  padded(`${LONG}\0`),
  header(LONG, 600),
  padded("x".repeat(600)),
  header("pax", 27, "x"),
  padded("27 path=../outside/meminfo\n"),
  header("short", 0),
  END,
]);

describe("a tar archive", () => {
  it.each([10_000, 512, 100, 1])("is read in pieces of %i bytes", (piece) => {
    expect(read(ARCHIVE, piece)).toEqual({
      files: [
        ["a/b", "abc"],
        [LONG, "x".repeat(600)],
        ["../outside/meminfo", ""],
      ],
      whole: true,
      damagedAt: undefined,
    });
  });
  it("that is cut says so", () => {
    expect(read(ARCHIVE.slice(0, 700), 512).whole).toBe(false);
  });
  it("that is damaged says where", () => {
    const broken = ARCHIVE.slice();
    broken[1024 + 3]! ^= 1;
    for (const piece of [512, 100])
      expect(read(broken, piece)).toMatchObject({ whole: false, damagedAt: 1024 });
  });
  it("of any bytes is read to its end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(ARCHIVE.length), (bytes, at) => {
        const mixed = ARCHIVE.slice();
        mixed.set(bytes.subarray(0, mixed.length - at), at);
        read(mixed, 333);
      }),
    );
  });
});
