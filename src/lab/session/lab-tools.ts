import { readFileSync } from "node:fs";
import { buildGuestImage, type GuestImageParts } from "../agent/guest-image.ts";
import { loadKernelImage, naming } from "../kernel-image/load.ts";
import { findKernel, type KernelWish } from "../kernel-package/find-kernel.ts";
import { findBusybox, findQemu } from "../kernel-package/host-programs.ts";
import { readModules } from "../kernel-package/modules.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";
import { readGuestKernel } from "../td/read-guest-kernel.ts";

/** What a guest in the lab is started from. */
export interface LabTools {
  readonly kernelFile: string;
  readonly kernel: GuestKernel;
  /** The initramfs: busybox, the agent, and the modules that were asked for. */
  readonly initrd: Uint8Array;
}

/** What a guest needs beside a kernel. */
export interface GuestNeeds {
  /** How many kernels the guest will start by itself, one after the other. */
  readonly kexecs?: number;
  /** Modules that it will load, by name. Those that the kernel has built in need no file. */
  readonly modules?: readonly string[];
}

/** Where an initramfs has what the guest starts by kexec. */
export const KEXEC_FILES = { kernel: "boot/vmlinuz", initrd: "boot/initrd" } as const;

/** The initramfs for so many kernels started by kexec: each holds the next kernel, and the initramfs for that. */
const guestImage = (parts: GuestImageParts, kernel: Uint8Array, kexecs: number): Uint8Array => {
  let image = buildGuestImage(parts);
  for (let n = 0; n < kexecs; n++) {
    const extraFiles = [
      { path: KEXEC_FILES.kernel, bytes: kernel },
      { path: KEXEC_FILES.initrd, bytes: image },
    ];
    image = buildGuestImage({ ...parts, extraFiles });
  }
  return image;
};

/**
 * Finds what the linux world needs on this machine, and reads the kernel.
 *
 * @throws LabError if something is missing, with what to do; KernelFileError if a named kernel cannot be read
 */
export const findLabTools = async (
  wish: KernelWish = {},
  { kexecs = 0, modules = [] }: GuestNeeds = {},
): Promise<LabTools> => {
  await findQemu();
  const busybox = findBusybox();
  const files = await findKernel(wish);
  const image = await loadKernelImage(files.image);
  return {
    kernelFile: files.image,
    kernel: await naming(files.image, () => readGuestKernel(image)),
    initrd: guestImage(
      { busybox: busybox.bytes, modules: (await readModules(files.modules, modules)).files },
      kexecs === 0 ? new Uint8Array() : readFileSync(files.image),
      kexecs,
    ),
  };
};
