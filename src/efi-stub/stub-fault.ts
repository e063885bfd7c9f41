/** Half-open guest-physical bytes, 64-bit words as the stub computes them. */
export interface WordRange {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * What the stub does wrong on input that its authors take for impossible. None of them is refused by the code:
 * it goes on with the effect named here, or dies of it. Input reaches all of them.
 */
export type StubFault =
  /** A pointer from firmware or a length leads out of memory. Ends the boot. */
  | { readonly kind: "unbacked"; readonly what: string; readonly start: bigint; readonly length: number }
  /** The last map has unaccepted memory, but there is no table: a null pointer is read. Ends the boot. */
  | { readonly kind: "no-table"; readonly range: WordRange }
  /** A reused table's unit is no power of two; 0 divides by zero. Ends the boot here. */
  | { readonly kind: "bad-unit"; readonly unitSize: number }
  /** Firmware's descriptors are shorter than a descriptor. Ends the boot here. */
  | { readonly kind: "bad-stride"; readonly descriptorSize: number }
  /** A range that no guest-physical address reaches is to be accepted. Ends the boot. */
  | { readonly kind: "gpa-width"; readonly range: WordRange }
  /** A range starts below the window, so the two maps differ; what is below is accepted, as it has no bits. */
  | { readonly kind: "range-below-window"; readonly range: WordRange; readonly physBase: bigint }
  /**
   * A range starts above the window, so the two maps differ. All memory from the window's end is accepted, not from
   * the range's start on; `twice` is what was accepted before as its unaligned head. Then its negative number of
   * bits is set.
   */
  | {
      readonly kind: "range-above-window";
      readonly range: WordRange;
      readonly windowEnd: bigint;
      readonly twice: WordRange | undefined;
    }
  /** A negative number of bits was set: these bits of the bitmap, or behind it, changed. */
  | {
      readonly kind: "stray-bits";
      readonly bitmap: "unaccepted" | "plugged";
      readonly bits: readonly number[];
    };

/** Why the machine stops before the kernel proper. */
export interface Halt {
  /** What the last line on the console says, or what hardware does. */
  readonly why: string;
  readonly fault?: StubFault;
}

/** Stops on a fault that the code does not survive. */
export const haltOn = (why: string, fault: StubFault): Halt => ({ why, fault });

/** Stops where code would read or write memory that is not there. */
export const unbacked = (what: string, start: bigint, length: number): Halt =>
  haltOn(`${what}: no memory at 0x${start.toString(16)}`, { kind: "unbacked", what, start, length });
