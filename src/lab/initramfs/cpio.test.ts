import fc from "fast-check";
import { expect, it } from "vitest";
import { type CpioEntry, CpioError, readCpio, writeCpio } from "./cpio.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (archive: Uint8Array): string => new TextDecoder("latin1").decode(archive);

/** Header fields written out: ino mode nlink uid gid mtime filesize devmajor devminor rdevmajor rdevminor namesize check. */
const header = (...fields: string[]): string => `070701${fields.map((f) => f.padStart(8, "0")).join("")}`;
const TRAILER = `${header("0", "0", "1", "0", "0", "0", "0", "0", "0", "0", "0", "b", "0")}TRAILER!!!\0\0\0\0`;

it("a file's record is a header of 110 characters, its name and its contents, each padded to four", () => {
  // Mode 0100644 is 81a4. 110 + "hello\0" is 116, a multiple of four; 5 bytes of contents take 3 of padding.
  const record = `${header("1", "81a4", "1", "0", "0", "0", "5", "0", "0", "0", "0", "6", "0")}hello\0world\0\0\0`;
  const archive = writeCpio([{ kind: "file", path: "hello", mode: 0o644, bytes: bytes("world") }]);
  expect(text(archive)).toBe(record + TRAILER);
});

it("a folder has two links, a device its numbers, and a link its target as contents", () => {
  const archive = writeCpio([
    { kind: "directory", path: "dev", mode: 0o755 },
    { kind: "character-device", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
    { kind: "symlink", path: "sh", target: "busybox" },
  ]);
  const dev = `${header("1", "41ed", "2", "0", "0", "0", "0", "0", "0", "0", "0", "4", "0")}dev\0\0\0`;
  const device = `${header("2", "2180", "1", "0", "0", "0", "0", "0", "0", "5", "1", "c", "0")}dev/console\0\0\0`;
  const link = `${header("3", "a1ff", "1", "0", "0", "0", "7", "0", "0", "0", "0", "3", "0")}sh\0\0\0\0busybox\0`;
  expect(text(archive)).toBe(dev.slice(0, 116) + device.slice(0, 124) + link.slice(0, 124) + TRAILER);
});

const path = fc.stringMatching(/^[a-z][a-z0-9._/-]{0,30}[a-z]$/);
const mode = fc.integer({ min: 0, max: 0o7777 });
const number = fc.integer({ min: 0, max: 0xffff_ffff });
const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), path, mode, bytes: fc.uint8Array({ maxLength: 50 }) }),
  fc.record({ kind: fc.constant("directory" as const), path, mode }),
  fc.record({ kind: fc.constant("symlink" as const), path, target: path }),
  fc.record({ kind: fc.constant("character-device" as const), path, mode, major: number, minor: number }),
  fc.record({ kind: fc.constant("block-device" as const), path, mode, major: number, minor: number }),
);

it("what is written is read back, and every record begins at a multiple of four", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
      const archive = writeCpio(entries);
      expect(archive.length % 4).toBe(0);
      expect(readCpio(archive)).toEqual(entries);
    }),
  );
});

it("a damaged archive throws CpioError or is read as another one, and nothing else", () => {
  const good = writeCpio([
    { kind: "file", path: "a", mode: 0o644, bytes: bytes("contents") },
    { kind: "symlink", path: "b", target: "a" },
  ]);
  const read = (archive: Uint8Array): void => {
    try {
      readCpio(archive);
    } catch (error) {
      expect(error).toBeInstanceOf(CpioError);
    }
  };
  fc.assert(
    fc.property(
      fc.nat(good.length - 1),
      fc.integer({ min: 0, max: 255 }),
      fc.nat(good.length),
      (at, byte, end) => {
        const damaged = Uint8Array.from(good);
        damaged[at] = byte;
        read(damaged.subarray(0, end));
      },
    ),
  );
  fc.assert(fc.property(fc.uint8Array(), read));
});

it("a length that reaches past the end is refused", () => {
  const archive = writeCpio([{ kind: "file", path: "a", mode: 0o644, bytes: bytes("1234") }]);
  archive.set(bytes("ffffffff"), 6 + 6 * 8);
  expect(() => readCpio(archive)).toThrow(new CpioError("entry at 0 reaches past the end"));
});

it("an absolute path, a type in the mode or the trailer's name is our mistake", () => {
  const write = (path: string, mode: number) => () => writeCpio([{ kind: "directory", path, mode }]);
  expect(write("/etc", 0o755)).toThrow("relative path");
  expect(write("", 0o755)).toThrow("relative path");
  expect(write("etc", 0o40755)).toThrow("permission bits");
  expect(write("TRAILER!!!", 0o755)).toThrow("a file's name");
});
