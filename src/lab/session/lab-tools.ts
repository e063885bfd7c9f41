import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildGuestImage } from "../agent/guest-image.ts";
import { loadKernelImage, naming } from "../kernel-image/load.ts";
import { findKernel, type KernelWish } from "../kernel-package/find-kernel.ts";
import { findBusybox, findQemu } from "../kernel-package/host-programs.ts";
import type { GuestKernel } from "../td/guest-kernel.ts";
import { readGuestKernel } from "../td/read-guest-kernel.ts";

/** What a guest in the lab is started from. */
export interface LabTools {
  readonly kernelFile: string;
  readonly kernel: GuestKernel;
  /** The initramfs: busybox, the agent, and the modules that a memory lab needs. */
  readonly initrd: Uint8Array;
}

/** Modules that go into the initramfs where the kernel has them as modules. */
const MODULES = ["drivers/virtio/virtio_mem"] as const;
const ENDINGS = [".ko", ".ko.xz", ".ko.gz"] as const;

const moduleFiles = (folder: string | undefined): Map<string, Uint8Array> => {
  const files = new Map<string, Uint8Array>();
  if (folder === undefined) return files;
  for (const name of MODULES) {
    for (const ending of ENDINGS) {
      const path = join(folder, "kernel", `${name}${ending}`);
      if (existsSync(path)) files.set(`${name.split("/").at(-1)}${ending}`, readFileSync(path));
    }
  }
  return files;
};

/**
 * Finds what the linux world needs on this machine, and reads the kernel.
 *
 * @throws LabError if something is missing, with what to do; KernelFileError if a named kernel cannot be read
 */
export const findLabTools = async (wish: KernelWish = {}): Promise<LabTools> => {
  await findQemu();
  const busybox = findBusybox();
  const files = await findKernel(wish);
  const image = await loadKernelImage(files.image);
  return {
    kernelFile: files.image,
    kernel: await naming(files.image, () => readGuestKernel(image)),
    initrd: buildGuestImage({ busybox: busybox.bytes, modules: moduleFiles(files.modules) }),
  };
};
