/** What came over a connection does not have the form that its protocol gives it. */
export class FormatError extends Error {
  override name = "FormatError";
  readonly expected: string;
  readonly found: string;
  constructor(what: string, expected: string, found: string) {
    super(`${what}: expected ${expected}, found ${found}`);
    this.expected = expected;
    this.found = found;
  }
}
