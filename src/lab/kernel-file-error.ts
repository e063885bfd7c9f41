/** A file that should be a kernel or a module cannot be read as one. The message names the file: wrong input. */
export class KernelFileError extends Error {
  override name = "KernelFileError";
}
