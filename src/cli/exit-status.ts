/** What a command's exit status means. Scripts rely on it. */
export const EXIT = {
  /** All held. */
  held: 0,
  /** A violation or a failed expectation; it was named. */
  broken: 1,
  /** The input was wrong; file, line and what was expected were named. */
  input: 2,
  /** The world could not be run; what is missing was named. */
  world: 3,
  /** A defect of Tidemark itself (EX_SOFTWARE of sysexits.h). */
  defect: 70,
} as const;

/** Exit status of a command that a signal ended, as shells have it: 128 and the signal's number. */
export const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Wrong use of the command line, or a file that cannot be read or written. The message is one line. */
export class UsageError extends Error {
  override name = "UsageError";
}
