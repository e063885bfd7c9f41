import { GdbFormatError, shown } from "./gdb-error.ts";
import { numberOfHex } from "./hex-text.ts";

/**
 * A thread as a stub names it. QEMU: `process` is 1 for a machine of one cluster, `thread` is the vCPU's number
 * counted from 1. Process 0 stands for a stub that names none.
 */
export interface ThreadId {
  readonly process: number;
  readonly thread: number;
}

/** Every thread, as an operand of `H` or `vCont`. */
export const ALL_THREADS = -1;

export const threadIdText = (id: ThreadId): string => {
  const thread = id.thread.toString(16);
  return id.process === 0 ? thread : `p${id.process.toString(16)}.${thread}`;
};

/** @throws GdbFormatError unless `text` is `TID` or `pPID.TID`, both positive hexadecimal numbers */
export const threadIdOf = (text: string): ThreadId => {
  const match = /^(?:p([0-9a-fA-F]{1,8})\.)?([0-9a-fA-F]{1,8})$/.exec(text);
  if (match === null) throw new GdbFormatError("gdb thread id", "TID or pPID.TID", shown(text));
  const process = match[1] === undefined ? 0 : numberOfHex(match[1], "gdb thread id");
  return { process, thread: numberOfHex(match[2]!, "gdb thread id") };
};

export const sameThread = (a: ThreadId, b: ThreadId): boolean =>
  a.process === b.process && a.thread === b.thread;

/** QEMU's index of the vCPU that a thread is. */
export const vcpuOf = (id: ThreadId): number => id.thread - 1;
