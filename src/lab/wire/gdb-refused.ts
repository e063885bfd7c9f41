import type { Refusal } from "../../protocol/gdb-remote/replies.ts";
import { LabError } from "../lab-error.ts";

/** What QEMU's digits say: errno in decimal. @source QEMU 7.2 gdbstub.c */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ["00", "no such part"],
  ["14", "no such register, or memory that is not mapped"],
  ["22", "invalid, or not there"],
]);

const LONGEST_REQUEST = 60;

/** The gdb stub did not do what it was asked. The connection lives on. */
export class GdbRefused extends LabError {
  override name = "GdbRefused";
  /** Payload of the request. */
  readonly request: string;
  readonly refusal: Refusal;
  constructor(path: string, request: string, refusal: Refusal) {
    const short = request.length > LONGEST_REQUEST ? `${request.slice(0, LONGEST_REQUEST)}...` : request;
    const said =
      refusal.kind === "unknown"
        ? "does not know it; is this QEMU 7.2 or newer?"
        : `answered E${refusal.digits} (${MEANINGS.get(refusal.digits) ?? "a code of its own"})`;
    super(`gdb stub at ${path}: request "${short}": it ${said}`);
    this.request = request;
    this.refusal = refusal;
  }
}

/** A request was made while the guest runs. QEMU would take its first byte for a ^C and lose the rest. */
export class GuestRuns extends LabError {
  override name = "GuestRuns";
  constructor(path: string, request: string) {
    super(
      `gdb stub at ${path}: request "${request.slice(0, LONGEST_REQUEST)}" while the guest runs; interrupt it first`,
    );
  }
}
