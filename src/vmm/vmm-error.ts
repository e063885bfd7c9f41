/**
 * The operator asked for something the VMM cannot do: a size that does not fit, a slot that is taken.
 *
 * The message is one line: what was wrong, what would have been right, what was found. It is the text that
 * a QMP server sends as a GenericError.
 */
export class VmmError extends Error {
  override name = "VmmError";
  /** Option or property at fault, in QEMU's spelling. */
  readonly what: string;
  readonly expected: string;
  readonly found: string;

  constructor(what: string, expected: string, found: string) {
    super(`${what}: expected ${expected}, found ${found}`);
    this.what = what;
    this.expected = expected;
    this.found = found;
  }
}

/** Throws a VmmError unless `holds`. For what an operator asks now and then: the texts are built either way. */
export function demand(holds: boolean, what: string, expected: string, found: string): asserts holds {
  if (!holds) throw new VmmError(what, expected, found);
}

/** A size or address as QEMU prints it. */
export const hex = (n: number): string => `0x${n.toString(16)}`;
