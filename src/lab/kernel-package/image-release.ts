import { closeSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { KernelFileError } from "../kernel-file-error.ts";

/** The boot sector and the set-up code have at most 64 sectors of 512 bytes. */
const SETUP_BYTES = 64 * 512;
const MAGIC_OFFSET = 0x202;
const VERSION_POINTER = 0x20e;
const SECTOR_BYTES = 0x200;

const isUnreadable = (entry: Stats): boolean => !entry.isFile() && !entry.isDirectory();

const firstBytes = (path: string): Buffer => {
  const bytes = Buffer.alloc(SETUP_BYTES);
  let file: number | undefined;
  try {
    // Opening a pipe waits for whoever writes to it, and nobody can be told to stop meanwhile.
    if (isUnreadable(statSync(path)))
      throw new KernelFileError(`cannot read the kernel image ${path}: it is no file; ${ADVICE}`);
    file = openSync(path, "r");
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
  } catch (cause) {
    if (cause instanceof KernelFileError) throw cause;
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const said = FOUND[reason];
    const found = said === undefined ? reason : `${said}; ${ADVICE}`;
    throw new KernelFileError(`cannot read the kernel image ${path}: ${found}`, { cause });
  } finally {
    if (file !== undefined) closeSync(file);
  }
};

const ADVICE = "give a distribution's /boot/vmlinuz-RELEASE, or arch/x86/boot/bzImage of your build";
/** What an error of the file system says of a path. */
const FOUND: { readonly [code: string]: string } = {
  EISDIR: "it is a folder",
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
};
const ELF = "\x7fELF";

const whatItIs = (bytes: Buffer): string => {
  const found = bytes.toString("latin1", 0, ELF.length);
  return found === ELF
    ? "it is an ELF file, such as vmlinux"
    : `expected "HdrS" at byte ${MAGIC_OFFSET}, found ${bytes.length <= MAGIC_OFFSET ? `${bytes.length} bytes` : "other bytes"}`;
};

/**
 * The release of the kernel in a bzImage, such as "6.12.117+deb12-cloud-amd64".
 *
 * @throws KernelFileError if it is no bzImage
 * @source Documentation/arch/x86/boot.rst, header, kernel_version
 */
export const imageRelease = (path: string): string => {
  const bytes = firstBytes(path);
  const isImage =
    bytes.length > SECTOR_BYTES * 2 && bytes.toString("latin1", MAGIC_OFFSET, MAGIC_OFFSET + 4) === "HdrS";
  if (!isImage) throw new KernelFileError(`${path} is no bzImage: ${whatItIs(bytes)}; ${ADVICE}`);
  const at = bytes.readUInt16LE(VERSION_POINTER) + SECTOR_BYTES;
  const release = /^[\w.+~-]+/.exec(bytes.toString("latin1", at, at + 128))?.[0];
  if (release === undefined) throw new KernelFileError(`${path} does not say which release of Linux it is`);
  return release;
};
