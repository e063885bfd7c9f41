import { assert } from "../../assert.ts";
import type { BackableGuestBytes } from "../../efi-stub/guest-bytes.ts";
import { MIB } from "../../units.ts";
import type { GuestRam } from "./guest-ram.ts";

interface Loaded {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Low memory, where boot loaders leave boot parameters and the command line. */
const LOW_BYTES = MIB;

/**
 * Guest memory for firmware and stub while the guest's CPUs stand still: copies of what they may write, which
 * `flush` puts back. Anything else is a copy for reading.
 */
export class FirmwareBytes implements BackableGuestBytes {
  private readonly ram: GuestRam;
  private readonly loaded: Loaded[] = [];

  constructor(ram: GuestRam) {
    this.ram = ram;
    this.loaded.push({ start: 0, bytes: ram.read(0, LOW_BYTES) });
  }

  bytes(gpa: number, length: number): Uint8Array | undefined {
    const inside = this.loaded.find(
      ({ start, bytes }) => start <= gpa && gpa + length <= start + bytes.length,
    );
    if (inside !== undefined) return inside.bytes.subarray(gpa - inside.start, gpa - inside.start + length);
    return Number.isSafeInteger(gpa + length) && this.ram.has(gpa, length)
      ? this.ram.read(gpa, length)
      : undefined;
  }

  /** Loads [gpa, gpa + length), so that what is written there is put back. */
  load(gpa: number, length: number): void {
    if (this.isLoaded(gpa, length)) return;
    this.loaded.push({ start: gpa, bytes: this.ram.read(gpa, length) });
  }

  back(gpa: number, length: number): Uint8Array {
    assert(!this.isLoaded(gpa, length), "memory is backed once");
    const bytes = new Uint8Array(length);
    this.loaded.push({ start: gpa, bytes });
    return bytes;
  }

  /** Writes everything back into the guest. */
  flush(): void {
    for (const { start, bytes } of this.loaded) this.ram.write(start, bytes);
  }

  private isLoaded(gpa: number, length: number): boolean {
    return this.loaded.some(({ start, bytes }) => start < gpa + length && gpa < start + bytes.length);
  }
}
