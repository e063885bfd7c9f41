import { describe, expect, it } from "vitest";
import { buildInitramfs } from "../src/lab/initramfs/initramfs.ts";
import { SEGMENT_TYPE } from "../src/lab/kernel-image/elf.ts";
import type { KernelImage } from "../src/lab/kernel-image/kernel-image.ts";
import { loadKernelImage } from "../src/lab/kernel-image/load.ts";
import { QemuGuest } from "../src/lab/qemu/qemu-guest.ts";
import { COMMAND_LINE } from "../src/lab/session/lab-session.ts";
import { type Placement, placementOf, runToKernel } from "../src/lab/td/bring-up.ts";
import { readGuestKernel } from "../src/lab/td/read-guest-kernel.ts";
import { realKernels } from "../src/lab/testing/real-kernel.ts";
import { GdbClient } from "../src/lab/wire/gdb-client.ts";
import { MIB } from "../src/units.ts";
import { q35Layout } from "../src/vmm/layout.ts";
import { LAB_NEEDS, LAB_READY } from "./linux-lab.ts";

/** An emulated guest on a busy machine takes its time. */
const PATIENCE = { timeout: 600_000 };
const MEMORY = 512 * MIB;
const INITRD = buildInitramfs({ busybox: new Uint8Array(), modules: new Map(), init: "" });

interface AtEntry {
  readonly place: Placement;
  /** Segments whose bytes in the guest's memory are not those of the image, moved to where they lie. */
  readonly wrong: readonly bigint[];
}

/** Runs a guest to its kernel's entry, unpacked by the lab or by the kernel's own decompressor. */
const runToEntry = async (
  path: string,
  image: KernelImage,
  by: "lab" | "decompressor",
  append: string,
): Promise<AtEntry> => {
  const plain = { nodes: 1, vcpus: 1, virtioMem: [], dimms: [], asTd: true };
  const machine = { ...plain, layout: q35Layout({ memory: MEMORY }), kernel: path, append };
  const qemu = await QemuGuest.start(machine, INITRD);
  try {
    const gdb = await GdbClient.connect(qemu.files.gdb, { patienceMs: PATIENCE.timeout });
    const kernel = readGuestKernel(image);
    const given = by === "lab" ? kernel : { ...kernel, unpacking: undefined };
    const { entry } = await runToKernel(gdb, qemu.ram, given, MEMORY);
    const place = placementOf(qemu.ram, kernel, entry);
    const wanted = kernel.unpacking!.unpacked();
    kernel.unpacking!.relocate(wanted, Number(place.slide));
    const wrong = image.elf.segments.filter(({ type, paddr, bytes }) => {
      const at = Number(paddr) - kernel.preferred;
      const found = qemu.ram.read(place.physical + at, bytes.length);
      return type === SEGMENT_TYPE.LOAD && !Buffer.from(wanted.buffer, at, bytes.length).equals(found);
    });
    await gdb.close();
    return { place, wrong: wrong.map(({ paddr }) => paddr) };
  } finally {
    await qemu.close();
  }
};

const kernels = LAB_READY ? realKernels() : [];
describe.skipIf(kernels.length === 0)(`unpacking a kernel${LAB_NEEDS}`, () => {
  it.each(kernels)("$release lies in memory as its own decompressor leaves it", PATIENCE, async (found) => {
    const image = await loadKernelImage(found.image);
    const natively = await runToEntry(found.image, image, "decompressor", COMMAND_LINE);
    expect(natively.wrong).toEqual([]);
    // KASLR chooses anew each time: seldom nothing, and never the same by more than chance.
    const here = await runToEntry(found.image, image, "lab", COMMAND_LINE);
    expect(here.wrong).toEqual([]);
    expect([here.place.slide, here.place.physical]).not.toEqual([
      natively.place.slide,
      natively.place.physical,
    ]);
  });

  it.each(kernels)("$release without KASLR lies where it is linked", PATIENCE, async (found) => {
    const image = await loadKernelImage(found.image);
    const here = await runToEntry(found.image, image, "lab", `${COMMAND_LINE} nokaslr`);
    expect(here).toEqual({ place: { physical: 16 * MIB, slide: 0n }, wrong: [] });
  });
});
