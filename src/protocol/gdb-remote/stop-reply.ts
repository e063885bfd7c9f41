import type { WatchpointKind } from "./commands.ts";
import { GdbFormatError, shown } from "./gdb-error.ts";
import { bigOfHex, bytesOfHex, numberOfHex, textOf } from "./hex-text.ts";
import { type ThreadId, threadIdOf } from "./thread-id.ts";

/** GDB's own signal numbers, those that QEMU sends. @source GDB, include/gdb/signals.def */
export const GDB_SIGNAL = {
  INT: 2,
  QUIT: 3,
  TRAP: 5,
  ABRT: 6,
  ALRM: 14,
  IO: 23,
  XCPU: 24,
  UNKNOWN: 143,
} as const;

const SIGNAL_NAMES = new Map<number, string>(
  Object.entries(GDB_SIGNAL).map(([name, n]) => [n, `SIG${name}`]),
);

/** `SIGTRAP`; a number without a name keeps it. */
export const signalName = (signal: number): string => SIGNAL_NAMES.get(signal) ?? `signal ${signal}`;

/** Why a thread stopped, as far as the stub says. QEMU names watchpoints only. */
export type StopReason =
  | {
      readonly kind: "watchpoint";
      readonly access: WatchpointKind;
      /** QEMU: where the watchpoint's range starts, not the address touched. The access has been done. */
      readonly address: bigint;
    }
  | { readonly kind: "software breakpoint" | "hardware breakpoint" }
  | { readonly kind: "unsaid" };

/** What answers `c`, `s` and `vCont`. */
export type StopReply =
  | {
      readonly kind: "stopped";
      readonly signal: number;
      readonly reason: StopReason;
      /** Undefined if the stub does not name it (`S` replies). */
      readonly thread: ThreadId | undefined;
    }
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "killed"; readonly signal: number }
  /** Text that the guest or the stub prints. It does not end the wait. */
  | { readonly kind: "output"; readonly bytes: Uint8Array };

const WATCHES: { readonly [key: string]: WatchpointKind } = {
  watch: "write",
  rwatch: "read",
  awatch: "access",
};

const reasonOf = (key: string, value: string): StopReason | undefined => {
  const access = Object.hasOwn(WATCHES, key) ? WATCHES[key] : undefined;
  if (access !== undefined) {
    return { kind: "watchpoint", access, address: bigOfHex(value, "gdb watchpoint address") };
  }
  if (key === "swbreak") return { kind: "software breakpoint" };
  if (key === "hwbreak") return { kind: "hardware breakpoint" };
  return undefined;
};

const stoppedWith = (text: string): StopReply => {
  if (text.length < 3) throw new GdbFormatError("gdb stop reply", "a signal of two digits", shown(text));
  const signal = numberOfHex(text.slice(1, 3), "gdb stop signal", 2);
  let reason: StopReason = { kind: "unsaid" };
  let thread: ThreadId | undefined;
  const rest = text.slice(3);
  for (const pair of rest === "" ? [] : rest.replace(/;$/, "").split(";")) {
    const colon = pair.indexOf(":");
    if (colon < 1) throw new GdbFormatError("gdb stop reply", "pairs of name:value", shown(text));
    const key = pair.slice(0, colon);
    const value = pair.slice(colon + 1);
    // Expedited registers and keys of other stubs are no reason, and are passed over as the manual asks.
    if (key === "thread") thread = threadIdOf(value);
    else reason = reasonOf(key, value) ?? reason;
  }
  return { kind: "stopped", signal, reason, thread };
};

const endedWith = (text: string): number => {
  const match = /^.([0-9a-fA-F]{1,2})(?:;process:[0-9a-fA-F]{1,8})?$/.exec(text);
  if (match === null) throw new GdbFormatError("gdb stop reply", "a status of two digits", shown(text));
  return numberOfHex(match[1]!, "gdb exit status", 2);
};

/** Whether a payload can only be a stop reply: no other answer begins so. */
export const isStopReply = (payload: Uint8Array): boolean =>
  payload.length >= 3 && "TSWX".includes(String.fromCharCode(payload[0]!));

/**
 * Reads S, T, W, X and O.
 *
 * @throws GdbFormatError if it is none of these or not of their form
 * @source GDB manual, Stop Reply Packets
 * @missing `F` (file requests of the guest), `N`, `w` (thread events), which QEMU does not send
 */
export const stopReplyOf = (payload: Uint8Array): StopReply => {
  const letter = payload.length === 0 ? "" : String.fromCharCode(payload[0]!);
  if (letter === "O") return { kind: "output", bytes: bytesOfHex(payload.subarray(1), "gdb output") };
  const text = textOf(payload);
  switch (letter) {
    case "T":
      return stoppedWith(text);
    case "S":
      if (text.length !== 3) throw new GdbFormatError("gdb stop reply", "S and two digits", shown(text));
      return stoppedWith(text);
    case "W":
      return { kind: "exited", status: endedWith(text) };
    case "X":
      return { kind: "killed", signal: endedWith(text) };
    default:
      throw new GdbFormatError("gdb stop reply", "S, T, W, X or O", shown(payload));
  }
};
