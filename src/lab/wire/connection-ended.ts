import { LabError } from "../lab-error.ts";

/** Why a connection is no more, and what a user can do about it. */
const REASONS = {
  "not there": "nothing listens there; start QEMU first, and look at what it printed if it did not stay",
  "closed by peer": "the other side closed it; look at what QEMU printed",
  closed: "it was closed on this side",
  aborted: "it was stopped on request",
  malformed: "the other side does not keep to the protocol; check that this is the socket you meant",
  "too long": "give the socket a path of at most 107 bytes",
} as const;
export type EndReason = keyof typeof REASONS;

/**
 * A connection to QEMU ended or never was. Everything that waited on it is rejected with the same one of these.
 *
 * Its cause, where there is one: the system's error, what was malformed, or the reason of the AbortSignal.
 */
export class ConnectionEnded extends LabError {
  override name = "ConnectionEnded";
  readonly reason: EndReason;
  /** What is on the other side: `gdb stub`, `QMP monitor`, `serial port`. */
  readonly peer: string;
  readonly path: string;
  constructor(peer: string, path: string, reason: EndReason, cause?: unknown) {
    const detail = cause instanceof Error && reason !== "aborted" ? ` (${cause.message})` : "";
    super(`connection to the ${peer} at ${path} ended${detail}: ${REASONS[reason]}`, { cause });
    this.reason = reason;
    this.peer = peer;
    this.path = path;
  }
}
