import { gzipSync } from "node:zlib";
import { type CpioEntry, writeCpio } from "./cpio.ts";

/** A file to put into the guest. */
export interface GuestFile {
  /** Where it goes, from the root, such as "lib/modules/virtio_mem.ko.xz". */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Permission bits; 0644 if left out. */
  readonly mode?: number;
}

export interface InitramfsParts {
  /** The statically linked busybox, as bytes. It becomes bin/busybox and bin/sh. */
  readonly busybox: Uint8Array;
  /** Kernel modules by file name, such as "virtio_mem.ko.xz"; they go to lib/modules/. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  /** Text of /init, a script for bin/sh. */
  readonly init: string;
  readonly extraFiles?: readonly GuestFile[];
}

/** Folders that init expects or mounts over. */
const FOLDERS = ["bin", "dev", "lib", "lib/modules", "mnt", "proc", "run", "sys", "tmp"];

/** The devices that exist before devtmpfs is mounted: the kernel opens dev/console for init. */
const DEVICES: readonly CpioEntry[] = [
  { kind: "character-device", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
  { kind: "character-device", path: "dev/null", mode: 0o666, major: 1, minor: 3 },
];

const parentsOf = (path: string): string[] => {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
};

/** The entries of an initramfs: folders first, so that each parent precedes what is in it. */
export const initramfsEntries = (parts: InitramfsParts): CpioEntry[] => {
  const modules = [...parts.modules].map(([name, bytes]) => ({ path: `lib/modules/${name}`, bytes }));
  const program = { path: "bin/busybox", bytes: parts.busybox, mode: 0o755 };
  const init = { path: "init", bytes: new TextEncoder().encode(parts.init), mode: 0o755 };
  const files: GuestFile[] = [program, init, ...modules, ...(parts.extraFiles ?? [])];
  const folders = new Set([...FOLDERS, ...files.flatMap(({ path }) => parentsOf(path))]);
  return [
    ...[...folders].map((path): CpioEntry => ({ kind: "directory", path, mode: 0o755 })),
    ...DEVICES,
    { kind: "symlink", path: "bin/sh", target: "busybox" },
    ...files.map(({ path, bytes, mode }): CpioEntry => ({ kind: "file", path, mode: mode ?? 0o644, bytes })),
  ];
};

/** An initramfs for `-initrd`: a newc archive, gzipped, as every kernel with CONFIG_RD_GZIP reads it. */
export const buildInitramfs = (parts: InitramfsParts): Uint8Array =>
  gzipSync(writeCpio(initramfsEntries(parts)), { level: 6 });
