/**
 * An array that nobody uses any more, kept for the next who needs one as long: the collector takes longer over large
 * arrays than a machine over its boot.
 */
export class Spare<A extends Uint8Array | Int32Array> {
  private left: A | undefined;
  private readonly make: (length: number) => A;

  constructor(make: (length: number) => A) {
    this.make = make;
  }

  /** Nobody reads or writes `array` after this. */
  leave(array: A): void {
    this.left = array;
  }

  /** As many zeroes, in what was left if that is as long. */
  zeroes(length: number): A {
    const { left } = this;
    if (left === undefined || left.length !== length) return this.make(length);
    this.left = undefined;
    left.fill(0);
    return left;
  }
}
