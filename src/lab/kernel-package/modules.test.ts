import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, it } from "vitest";
import { DecodeError } from "../../abi/bytes.ts";
import { tinyElf } from "../kernel-image/testing/tiny-elf.ts";
import { LabError } from "../lab-error.ts";
import { dependenciesOf, readModules } from "./modules.ts";

const folder = mkdtempSync(join(tmpdir(), "tidemark-modules-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const moduleWith = (modinfo: string): Uint8Array =>
  tinyElf([], [{ name: ".modinfo", addr: 0n, bytes: Buffer.from(modinfo, "latin1"), type: 1 }], { type: 1 });

const write = (path: string, bytes: Uint8Array | string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), bytes);
};

const low = moduleWith("license=GPL\0depends=\0name=low\0");
const middle = moduleWith("depends=low,in-image\0");
write("kernel/lib/low.ko.gz", gzipSync(low));
write("kernel/drivers/the-middle.ko", middle);
write("kernel/drivers/top.ko", moduleWith("alias=x\0depends=the_middle,low\0"));
write(
  "kernel/drivers/broken.ko",
  "no ELF file, but long enough to hold the header of one, which has 64 bytes",
);
write("kernel/drivers/orphan.ko", moduleWith("depends=gone\0"));
write("modules.builtin", "kernel/fs/in_image.ko\n");

it("a module comes after all it depends on, once, uncompressed, and without what is built in", async () => {
  const { files, order } = await readModules(folder, ["top", "low", "in_image"]);
  expect(order).toEqual(["low", "the_middle", "top"]);
  expect([...files.keys()].sort()).toEqual(["low.ko", "the_middle.ko", "top.ko"]);
  expect(Buffer.from(files.get("low.ko") ?? [])).toEqual(Buffer.from(low));
});

it("a module's dependencies are the entry of that name, whatever the others hold", () => {
  expect(dependenciesOf(middle)).toEqual(["low", "in-image"]);
  expect(dependenciesOf(moduleWith("description=depends=no\0depends=a\0"))).toEqual(["a"]);
  expect(dependenciesOf(tinyElf([], [], { type: 1 }))).toEqual([]);
});

it("a module that is nowhere, also as a dependency, is named in one line", async () => {
  await expect(readModules(folder, ["gone"])).rejects.toThrow(LabError);
  await expect(readModules(folder, ["orphan"])).rejects.toThrow(
    `the module gone is neither in ${folder} nor built in`,
  );
  await expect(readModules(undefined, ["top"])).rejects.toThrow(/^the module top is needed, .*--modules$/);
});

it("a damaged module is a decoding error", async () => {
  await expect(readModules(folder, ["broken"])).rejects.toThrow(DecodeError);
});
