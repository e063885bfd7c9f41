import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NEEDS_KERNEL, realKernels } from "../testing/real-kernel.ts";
import { decodeBzImage } from "./bzimage.ts";
import { decompress } from "./decompress.ts";
import { decodeElf, type Elf } from "./elf.ts";
import { Kallsyms, readKallsyms } from "./kallsyms.ts";

const kernels = realKernels();

const elfOf = async (image: string): Promise<Elf> => {
  const { payload } = decodeBzImage(readFileSync(image));
  return decodeElf(await decompress("payload", payload.bytes, payload.compression, payload.size));
};

describe.each(kernels)("the kernel $release", ({ release, image }) => {
  it("has a bzImage that tells its release", () => {
    expect(decodeBzImage(readFileSync(image)).version).toMatch(`${release} `);
  });

  it("decompresses to an ELF file with symbols whose addresses lie in its segments", async () => {
    const elf = await elfOf(image);
    const symbols = Kallsyms.of(readKallsyms(elf));
    expect(symbols.count).toBeGreaterThan(10_000);
    expect(symbols.addressOf("_text")).toBe(symbols.base);
    const entry = symbols.addressOf("startup_64");
    expect(entry !== undefined && entry - 0xffff_ffff_8000_0000n).toBe(elf.entry);
  });
});

it.skipIf(kernels.length === 0)(`kernels are found ${NEEDS_KERNEL}`, () => {
  expect(kernels.map(({ release }) => release)).not.toContain("");
});
