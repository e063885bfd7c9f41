/**
 * What somebody gave us about a host contradicts itself. The message is one line: where, what, what was expected and found.
 */
export class HostInputError extends Error {
  override name = "HostInputError";
  readonly where: string;
  readonly what: string;
  readonly expected: string;
  readonly found: string;

  /** @param where the file or field, and the line if there is one: `host.log:12` */
  constructor(where: string, what: string, expected: string, found: string) {
    super(`${where}: ${what}: expected ${expected}, found ${found}`);
    this.where = where;
    this.what = what;
    this.expected = expected;
    this.found = found;
  }
}
