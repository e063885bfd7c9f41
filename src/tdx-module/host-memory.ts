/** The host's own memory, for the few operands that the module reads from it. */
export interface HostMemory {
  /** Copies the bytes at host-physical address `hpa` to `into`; memory that nobody wrote reads as zero. */
  read(hpa: number, into: Uint8Array): void;
  /** Puts a copy of `bytes` at host-physical address `hpa`. */
  write(hpa: number, bytes: Uint8Array): void;
}

/** Host memory that keeps only what was written. */
export class SparseHostMemory implements HostMemory {
  private readonly pieces = new Map<number, Uint8Array>();

  /** Keeps a copy of `bytes` at `hpa`. Pieces that overlap are read in the order they were written. */
  write(hpa: number, bytes: Uint8Array): void {
    this.pieces.delete(hpa);
    this.pieces.set(hpa, bytes.slice());
  }

  read(hpa: number, into: Uint8Array): void {
    into.fill(0);
    for (const [start, bytes] of this.pieces) {
      const from = Math.max(start, hpa);
      const to = Math.min(start + bytes.length, hpa + into.length);
      if (from < to) into.set(bytes.subarray(from - start, to - start), from - hpa);
    }
  }
}
