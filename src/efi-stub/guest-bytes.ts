import { assert } from "../assert.ts";

/** Guest memory as code before the kernel sees it: identity-mapped bytes by guest-physical address. */
export interface GuestBytes {
  /**
   * A view of [gpa, gpa + length); what is written through it is in the guest. Undefined unless memory backs the
   * whole range in one piece: on hardware such an access would not come back.
   */
  bytes(gpa: number, length: number): Uint8Array | undefined;
}

/** Guest memory that can be given backing, zeroed, where firmware allocates. */
export interface BackableGuestBytes extends GuestBytes {
  /** Backs [gpa, gpa + length), which had none, with zeros; a view of it. */
  back(gpa: number, length: number): Uint8Array;
}

interface Segment {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * Guest memory that exists only where it was backed, one piece an allocation. A piece that nobody writes costs no
 * memory of the host, whatever its size.
 */
export const sparseGuestBytes = (): BackableGuestBytes => {
  /** In address order. */
  const segments: Segment[] = [];
  /** Number of segments that start at or below `gpa`. */
  const startingUpTo = (gpa: number): number => {
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (segments[middle]!.start <= gpa) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    bytes: (gpa, length) => {
      const segment = segments[startingUpTo(gpa) - 1];
      if (segment === undefined || gpa + length > segment.start + segment.bytes.length) return undefined;
      return segment.bytes.subarray(gpa - segment.start, gpa - segment.start + length);
    },
    back: (gpa, length) => {
      const index = startingUpTo(gpa);
      const before = segments[index - 1];
      const after = segments[index];
      assert(before === undefined || before.start + before.bytes.length <= gpa, "memory is backed once");
      assert(after === undefined || gpa + length <= after.start, "memory is backed once");
      const bytes = new Uint8Array(length);
      segments.splice(index, 0, { start: gpa, bytes });
      return bytes;
    },
  };
};
