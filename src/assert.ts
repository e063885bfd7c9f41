/** A mistake of ours: a rule that holds by construction did not. Guest or user input never reaches this. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/**
 * Throws unless `holds`; `rule` is the broken rule as a sentence. On a hot path a rule that names values is
 * given as a function, because a template string is built whether or not anybody reads it.
 */
export function assert(holds: boolean, rule: string | (() => string)): asserts holds {
  if (!holds) throw new AssertionError(`broken rule: ${typeof rule === "string" ? rule : rule()}`);
}

/** Makes the compiler prove that a switch covers every case. */
export const unreachable = (value: never): never => {
  throw new AssertionError(`unreachable: ${String(value)}`);
};
