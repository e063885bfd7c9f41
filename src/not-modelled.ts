/**
 * Behaviour of real hardware or software that this project has not written yet. It is thrown instead of
 * a made-up answer; every place that can throw it names itself in an `@missing` line of its docstring,
 * and docs/coverage.md lists them all.
 */
export class NotModelled extends Error {
  override name = "NotModelled";
  readonly what: string;
  constructor(what: string) {
    super(`not modelled: ${what}`);
    this.what = what;
  }
}
