import { readFile } from "node:fs/promises";
import { DecodeError } from "../../abi/bytes.ts";
import { NotModelled } from "../../not-modelled.ts";
import { KernelFileError } from "../kernel-file-error.ts";
import { type KernelImage, readKernelImage } from "./kernel-image.ts";

/** The bytes of a file. @throws KernelFileError if it cannot be read */
export const readKernelFile = async (path: string): Promise<Uint8Array> => {
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KernelFileError(`${path}: cannot be read: ${reason}`, { cause });
  }
};

/** Runs a decoder on what came from `path`, so that its error names the file. */
export const naming = async <T>(path: string, decode: () => T | Promise<T>): Promise<T> => {
  try {
    return await decode();
  } catch (cause) {
    if (!(cause instanceof DecodeError) && !(cause instanceof NotModelled)) throw cause;
    throw new KernelFileError(`${path}: ${cause.message}`, { cause });
  }
};

/**
 * Reads a kernel from a file.
 *
 * @throws KernelFileError if the file cannot be read, or is no kernel that we can take apart
 */
export const loadKernelImage = async (path: string): Promise<KernelImage> => {
  const file = await readKernelFile(path);
  return naming(path, () => readKernelImage(file));
};
