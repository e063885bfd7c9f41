import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { KernelFileError } from "../kernel-file-error.ts";
import { cachedKernel, findKernel } from "./find-kernel.ts";

const scratch = mkdtempSync(join(tmpdir(), "tidemark-kernels-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The part of a bzImage that says which release it is: the pointer at 0x20e counts from 0x200. */
const image = (release: string): Buffer => {
  const bytes = Buffer.alloc(2048);
  bytes.write("HdrS", 0x202);
  bytes.writeUInt16LE(0x300, 0x20e);
  bytes.write(`${release} (builder@example) #1 SMP\0`, 0x500);
  return bytes;
};

const write = (path: string, bytes: Buffer): string => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
};

const folder = (): string => mkdtempSync(join(scratch, "case-"));

it("a named image says its release, and its modules are found in the tree it was unpacked to", async () => {
  const root = folder();
  const path = write(join(root, "boot/vmlinuz-6.12.1"), image("6.12.1"));
  expect(await findKernel({ image: path })).toEqual({ release: "6.12.1", image: path, modules: undefined });
  mkdirSync(join(root, "usr/lib/modules/6.12.1/kernel"), { recursive: true });
  expect(await findKernel({ image: path })).toMatchObject({ modules: join(root, "usr/lib/modules/6.12.1") });
  const beside = write(join(root, "usr/lib/modules/6.12.1/vmlinuz"), image("6.12.1"));
  expect(await findKernel({ image: beside })).toMatchObject({
    modules: join(root, "usr/lib/modules/6.12.1"),
  });
});

it("modules may be named by their folder, the folder of all releases, or the root", async () => {
  const root = folder();
  const path = write(join(root, "bzImage"), image("6.13.0-rc1"));
  const modules = join(root, "m/lib/modules/6.13.0-rc1");
  mkdirSync(join(modules, "kernel"), { recursive: true });
  for (const named of [modules, dirname(modules), join(root, "m")]) {
    expect(await findKernel({ image: path, modules: named })).toEqual({
      release: "6.13.0-rc1",
      image: path,
      modules,
    });
  }
  await expect(findKernel({ image: path, modules: root })).rejects.toThrow(KernelFileError);
});

it("what is no kernel image is refused in one line that says what was expected", async () => {
  const path = write(join(folder(), "vmlinux"), Buffer.alloc(4096));
  await expect(findKernel({ image: path })).rejects.toThrow(
    `${path} is no bzImage: expected "HdrS" at byte 514`,
  );
  await expect(findKernel({ image: join(scratch, "none") })).rejects.toThrow(
    /^cannot read the kernel image .*: there is no such file; give /,
  );
  const wild = image("x");
  wild.writeUInt16LE(0xffff, 0x20e);
  await expect(findKernel({ image: write(join(folder(), "k"), wild) })).rejects.toThrow(
    "does not say which release",
  );
});

it("the cache gives the newest kernel of a line, in either layout, and nothing half made", () => {
  const cache = folder();
  const kernels = join(cache, "tidemark/kernels");
  write(join(kernels, "linux-image-6.12.9_1/boot/vmlinuz-6.12.9"), image("6.12.9"));
  const newer = write(join(kernels, "linux-image-6.12.117_1/boot/vmlinuz-6.12.117"), image("6.12.117"));
  const split = write(join(kernels, "linux-image-7.3.4_1/usr/lib/modules/7.3.4/vmlinuz"), image("7.3.4"));
  write(join(cache, "tidemark/fetch-x/tree/boot/vmlinuz-6.12.200"), image("6.12.200"));
  const environment = { XDG_CACHE_HOME: cache };
  expect(cachedKernel("6.12", environment)).toEqual({
    release: "6.12.117",
    image: newer,
    modules: undefined,
  });
  expect(cachedKernel("newest", environment)).toMatchObject({ image: split });
  expect(cachedKernel("6.1", environment)).toBeUndefined();
  expect(cachedKernel("6.12", { HOME: cache })).toBeUndefined();
});
