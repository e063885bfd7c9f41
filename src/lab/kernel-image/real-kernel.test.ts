import { beforeAll, describe, expect, it } from "vitest";
import { NEEDS_KERNEL, realKernels } from "../testing/real-kernel.ts";
import { offsetOf, sizeOf } from "./btf-layout.ts";
import { decompressorJump } from "./decompressor-jump.ts";
import { physicalOf } from "./elf-memory.ts";
import { judgeKernel } from "./judge.ts";
import { type KernelImage, kernelTypes } from "./kernel-image.ts";
import { loadKernelImage } from "./load.ts";
import { moduleSymbols, moduleTypes } from "./module-file.ts";
import { ModuleTree } from "./module-tree.ts";
import { relocatedPointer } from "./relocations.ts";
import { instructionSites, TDCALL_FUNCTIONS } from "./sites.ts";
import { stubSpaces } from "./stub-space.ts";

const kernels = realKernels();

const withModules = kernels.filter(({ modules }) => modules !== undefined);
describe.each(withModules)("the modules of $release", ({ release, image, modules }) => {
  it("virtio_mem loads with what it needs, and tells its structures", async () => {
    const closure = await (await ModuleTree.open(modules!)).closure(["virtio_mem"]);
    const virtioMem = closure.at(-1)!.module;
    expect(virtioMem.name).toBe("virtio_mem");
    expect(virtioMem.vermagic).toMatch(`${release} `);
    const types = moduleTypes(virtioMem, kernelTypes(await loadKernelImage(image)))!;
    expect(offsetOf(types, "virtio_mem", "addr")).toBe(160);
    expect(sizeOf(types, "zone")).toBeGreaterThan(1000);
    const names = moduleSymbols(virtioMem).map(({ name }) => name);
    expect(names).toContain("virtio_mem_send_request");
  });
});

describe.each(kernels)("the kernel $release", ({ release, image: path }) => {
  let image: KernelImage;
  beforeAll(async () => {
    image = await loadKernelImage(path);
  });

  it("tells its release, in the image and in the boot header", () => {
    expect(image.release).toBe(release);
    expect(image.bzImage?.version).toMatch(`${release} `);
  });

  it("has symbols from _text on, and its entry among them", () => {
    const { symbols, elf } = image;
    expect(symbols.count).toBeGreaterThan(10_000);
    expect(symbols.addressOf("_text")).toBe(symbols.base);
    const entry = symbols.addressOf("startup_64");
    expect(entry !== undefined && entry - 0xffff_ffff_8000_0000n).toBe(elf.entry);
  });

  it("has one TDCALL in each of the three functions made for it if it can be a TDX guest, else none", () => {
    const functions = instructionSites(image.elf, image.symbols, "TDCALL").map(({ place }) => place?.name);
    expect(functions).toEqual(judgeKernel(image).ok ? TDCALL_FUNCTIONS : []);
  });

  it("has a decompressor whose last jump lies in init_size from the preferred address", () => {
    const { header } = image.bzImage!;
    const jump = Number(decompressorJump(image.bzImage!) - header.prefAddress);
    expect(jump).toBeGreaterThan(0);
    expect(jump).toBeLessThan(header.initSize);
  });

  it("has a relocated pointer that points into the image", () => {
    const { at, value } = relocatedPointer(image.elf);
    expect(physicalOf(image.elf, at)).toBeDefined();
    expect(value).toBeGreaterThanOrEqual(image.symbols.base);
    expect(value).toBeLessThan(image.symbols.addressOf("_end")!);
  });

  it("has room for a stub of 128 bytes behind its text and in idle functions", () => {
    const kinds = stubSpaces(image, 128).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["padding behind the text", "idle function"]));
  });
});

const seen = kernels.find(({ release }) => release === "6.12.117+deb12-cloud-amd64");
it.skipIf(seen === undefined)(
  `Debian's 6.12.117 has the addresses that its running kernel told ${NEEDS_KERNEL}`,
  async () => {
    const { symbols, elf, bzImage } = await loadKernelImage(seen!.image);
    expect(elf.entry).toBe(0x100_0b53n);
    expect(symbols.count).toBe(154_686);
    expect(bzImage?.payload).toMatchObject({ compression: "zstd", size: 57_575_404 });
    expect(symbols.addressOf("accept_memory")).toBe(0xffff_ffff_819e_6a30n);
    expect(symbols.addressOf("__tdcall")).toBe(0xffff_ffff_81c8_e810n);
  },
);

it.skipIf(seen === undefined)(
  `Debian's 6.12.117 has the layouts seen in its running kernel ${NEEDS_KERNEL}`,
  async () => {
    const types = kernelTypes(await loadKernelImage(seen!.image));
    expect(sizeOf(types, "zone")).toBe(1536);
    const found = [
      ["zone", "unaccepted_pages"],
      ["zone", "zone_start_pfn"],
      ["kimage", "nr_segments"],
      ["kimage", "segment"],
      ["memory_block", "altmap"],
    ] as const;
    expect(found.map(([structure, member]) => offsetOf(types, structure, member))).toEqual([
      1224, 144, 56, 64, 792,
    ]);
  },
);

it.skipIf(kernels.length === 0)(`kernels are found ${NEEDS_KERNEL}`, () => {
  expect(kernels.map(({ release }) => release)).not.toContain("");
});
