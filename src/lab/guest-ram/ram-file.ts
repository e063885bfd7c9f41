import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { LabError } from "../lab-error.ts";

/** A file that holds guest memory. QEMU maps it shared, so what is written here is in the guest at once. */
export class RamFile {
  readonly path: string;
  private readonly fd: number;
  private open = true;

  /** @throws LabError if there is no such file */
  constructor(path: string) {
    this.path = path;
    try {
      this.fd = openSync(path, "r+");
    } catch (cause) {
      throw new LabError(`${path}: the guest's memory file cannot be opened: ${String(cause)}`, { cause });
    }
  }

  /** Fills `into` from byte `offset` of the file. @throws LabError if the file ends before */
  read(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const count = readSync(this.fd, into, done, into.length - done, offset + done);
      if (count === 0) throw new LabError(`${this.path}: ends before byte ${offset + into.length}`);
      done += count;
    }
  }

  /** @throws LabError when the file system is full */
  write(offset: number, bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.fd, bytes, done, bytes.length - done, offset + done);
    } catch (cause) {
      throw new LabError(`${this.path}: cannot be written: ${String(cause)}; free some space there`, {
        cause,
      });
    }
  }

  close(): void {
    if (this.open) closeSync(this.fd);
    this.open = false;
  }
}
