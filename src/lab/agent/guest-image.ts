import { buildInitramfs, type GuestFile } from "../initramfs/initramfs.ts";
import { GUEST_INIT } from "./guest-init.ts";
import { kexecProgram } from "./kexec-program.ts";

export interface GuestImageParts {
  /** The statically linked busybox. */
  readonly busybox: Uint8Array;
  /** Kernel modules by file name, such as "virtio_mem.ko.xz"; `Guest.loadModules` finds them. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  readonly extraFiles?: readonly GuestFile[];
}

/** The initramfs whose init is the agent, with the program that loads a kernel for kexec. */
export const buildGuestImage = ({ busybox, modules, extraFiles = [] }: GuestImageParts): Uint8Array =>
  buildInitramfs({
    busybox,
    modules,
    init: GUEST_INIT,
    extraFiles: [{ path: "bin/kexec-file", bytes: kexecProgram(), mode: 0o755 }, ...extraFiles],
  });
