import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, it } from "vitest";
import { KernelFileError } from "../kernel-file-error.ts";
import { readKernelImage } from "./kernel-image.ts";
import { loadKernelImage } from "./load.ts";
import { tinyBzImage } from "./testing/tiny-bzimage.ts";
import { TEXT, tinyVmlinux } from "./testing/tiny-kernel.ts";

const folder = mkdtempSync(join(tmpdir(), "tidemark-load-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

const vmlinux = tinyVmlinux(
  { linux_banner: 0x1000, accept_memory: 0x100 },
  { 4096: [...Buffer.from("Linux version 6.12.117+deb12 (builder) #1\0")] },
);

it("a bzImage and the vmlinux inside it give the same symbols and release", async () => {
  const bzImage = tinyBzImage(new Uint8Array(gzipSync(vmlinux)));
  for (const path of [file("vmlinuz", bzImage), file("vmlinux", vmlinux)]) {
    const image = await loadKernelImage(path);
    expect(image.release).toBe("6.12.117+deb12");
    expect(image.symbols.addressOf("accept_memory")).toBe(TEXT + 0x100n);
  }
});

it("a payload that is shorter than the build recorded is refused", async () => {
  const gzip = new Uint8Array(gzipSync(vmlinux));
  new DataView(gzip.buffer).setUint32(gzip.length - 4, vmlinux.length + 1, true);
  await expect(readKernelImage(tinyBzImage(gzip))).rejects.toThrow("bzImage payload, byte");
});

it.each([
  ["text", "hello\n".repeat(200), "bzImage setup header, byte 510: expected 0xaa55, found"],
  ["empty", "", "kernel image, byte 0: expected a bzImage or an ELF vmlinux, found an empty file"],
])("a file that is no kernel is named with the reason: %s", async (name, content, message) => {
  const path = file(name, content);
  const refused = loadKernelImage(path);
  await expect(refused).rejects.toThrow(KernelFileError);
  await expect(refused).rejects.toThrow(`${path}: ${message}`);
});

it("a file that is not there is named", async () => {
  const path = join(folder, "absent");
  await expect(loadKernelImage(path)).rejects.toThrow(`${path}: cannot be read: ENOENT`);
});
