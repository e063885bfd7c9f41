/**
 * The linux world could not be run or broke off: QEMU is missing or died, a socket closed, a disk is full.
 *
 * The message is one line that says what, where, and what to do. Exit status 3.
 */
export class LabError extends Error {
  override name = "LabError";
}
