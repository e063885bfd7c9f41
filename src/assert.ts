/** A mistake of ours: a rule that holds by construction did not. Guest or user input never reaches this. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Throws unless `holds`; `rule` is the broken rule as a sentence. */
export function assert(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new AssertionError(`broken rule: ${rule}`);
}

/** Makes the compiler prove that a switch covers every case. */
export const unreachable = (value: never): never => {
  throw new AssertionError(`unreachable: ${String(value)}`);
};
